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
    },
    /// Check an exported record: exit code 1 and the first entry that does not fit, if any.
    Verify {
        /// The exported file.
        file: std::path::PathBuf,
    },
}

pub(crate) async fn run(command: RecordCommand) -> anyhow::Result<u8> {
    match command {
        RecordCommand::Export { connection, name } => {
            let cluster = connection.connect().await?;
            print!("{}", cluster.text(&format!("tasks/{name}/record")).await?);
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
