//! What commands about one task take.

use super::client::Connection;
use super::output::Format;

/// Which task.
#[derive(Debug, clap::Args)]
pub(crate) struct OneTask {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Name of the AgentTask.
    pub(crate) name: String,
    /// A table for people, or JSON for programs.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
}
