//! Pure functions for scripts and for checking, without a cluster.

use anyhow::Context as _;
use std::io::BufRead as _;

/// What can be asked of the decision procedure.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConsensusCommand {
    /// Decide ballots and guard facts (lines of JSON on standard input) under a policy (JSON or YAML).
    Decide {
        /// The policy: `{voters: [{role, weight, veto, required}], quorumPercent, approvePercent, …}`.
        #[arg(long)]
        policy: std::path::PathBuf,
    },
}

pub(crate) fn consensus(command: ConsensusCommand) -> anyhow::Result<u8> {
    let ConsensusCommand::Decide { policy } = command;
    let text =
        std::fs::read_to_string(&policy).with_context(|| format!("{} cannot be read", policy.display()))?;
    let value: serde_json::Value =
        serde_saphyr::from_str(&text).context("the policy is neither YAML nor JSON")?;
    let lines: Vec<String> =
        std::io::stdin().lock().lines().collect::<Result<_, _>>().context("standard input")?;
    for decision in golden_consensus::decide_lines(&value.to_string(), lines.iter().map(String::as_str))? {
        println!("{}", serde_json::to_string(&decision)?);
    }
    Ok(0)
}
