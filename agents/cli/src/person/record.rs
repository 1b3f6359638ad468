//! `golden record`: export a task's record, and verify one offline.

use super::client::Connection;
use anyhow::Context as _;

/// What to do with records.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RecordCommand {
    /// Print the record of a task as lines of JSON.
    Export {
        #[command(flatten)]
        connection: Connection,
        /// Name of the AgentTask.
        name: String,
        /// Uid of the AgentTask, where an older one of that name is meant. Also reads tasks that were deleted.
        #[arg(long)]
        uid: Option<uuid::Uuid>,
    },
    /// Check an exported record: exit code 1 and the first entry that does not fit, if any.
    Verify {
        /// The exported file.
        file: std::path::PathBuf,
    },
}

pub(crate) async fn run(command: RecordCommand) -> anyhow::Result<u8> {
    match command {
        RecordCommand::Export { connection, name, uid } => {
            let cluster = connection.connect().await?;
            let which = uid.map(|uid| format!("?uid={uid}")).unwrap_or_default();
            print!("{}", cluster.text(&format!("tasks/{name}/record{which}")).await?);
            Ok(0)
        }
        RecordCommand::Verify { file } => {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("{} cannot be read", file.display()))?;
            match golden_record::verify_export(&text) {
                Ok(export) => {
                    println!("the record is whole: {:?}", export.head);
                    Ok(0)
                }
                Err(fault) => {
                    println!("{fault}");
                    Ok(1)
                }
            }
        }
    }
}
