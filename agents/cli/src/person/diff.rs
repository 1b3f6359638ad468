//! `golden diff`: the patch a task produced.

use super::client::Connection;

/// Which task.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Name of the AgentTask.
    name: String,
    /// Of a failed task: the patch of its best attempt, which need not be the last.
    #[arg(long)]
    best: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<u8> {
    let cluster = args.connection.connect().await?;
    let query = if args.best { "?best=true" } else { "" };
    print!("{}", cluster.text(&format!("tasks/{}/diff{query}", args.name)).await?);
    Ok(0)
}
