//! `golden diff`: the patch a task produced.

use super::client::Connection;

/// Which task.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Name of the AgentTask.
    name: String,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<u8> {
    let cluster = args.connection.connect().await?;
    print!("{}", cluster.text(&format!("tasks/{}/diff", args.name)).await?);
    Ok(0)
}
