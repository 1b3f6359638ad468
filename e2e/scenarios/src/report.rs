//! What the demo ends with: a table for people, one line of JSON for programs.

use crate::clock::Phase;
use crate::figures::Figures;
use serde::Serialize;

/// What came of one task.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    pub name: String,
    pub complete: bool,
    /// Why it failed, if it did: the condition's reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    pub attempts: i64,
    /// `role verdict`, one an accepted ballot.
    pub votes: Vec<String>,
    #[serde(rename = "costMicroUSD")]
    pub cost_micro_usd: i64,
    pub commit: Option<String>,
}

impl Outcome {
    fn state(&self) -> &str {
        match &self.failed {
            _ if self.complete => "Complete",
            Some(reason) => reason,
            None => "open",
        }
    }
}

/// The line `cargo xtask demo --json` ends with.
#[derive(Debug, Serialize)]
pub struct Report {
    pub tasks: Vec<Outcome>,
    /// The whole command.
    pub seconds: u64,
    pub phases: Vec<Phase>,
    #[serde(flatten)]
    pub figures: Figures,
}

impl Report {
    /// `172 s in all: cluster 15 s, build 31 s, …`.
    pub fn durations(&self) -> String {
        let phases: Vec<_> = self.phases.iter().map(|p| format!("{} {} s", p.name, p.seconds)).collect();
        format!("{} s in all: {}", self.seconds, phases.join(", "))
    }

    /// The table: task, attempts, votes, cost, commit.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<16} {:<16} {:>8}   {:<34} {:>10}   {}\n",
            "TASK", "STATE", "ATTEMPTS", "VOTES", "COST", "COMMIT"
        );
        for task in &self.tasks {
            text.push_str(&format!(
                "{:<16} {:<16} {:>8}   {:<34} {:>10}   {}\n",
                task.name,
                task.state(),
                task.attempts,
                tally(&task.votes),
                format!("${}.{:06}", task.cost_micro_usd / 1_000_000, task.cost_micro_usd % 1_000_000),
                task.commit.as_deref().map_or("-", |c| c.get(..12).unwrap_or(c)),
            ));
        }
        text
    }
}

/// `3 Approve, 1 Reject (architect)`.
fn tally(votes: &[String]) -> String {
    let of = |verdict: &str| -> Vec<&str> {
        votes
            .iter()
            .filter_map(|v| v.split_once(' '))
            .filter(|(_, v)| *v == verdict)
            .map(|(role, _)| role)
            .collect()
    };
    let mut parts = vec![format!("{} Approve", of("Approve").len())];
    for verdict in ["Reject", "Abstain"] {
        let roles = of(verdict);
        if !roles.is_empty() {
            parts.push(format!("{} {verdict} ({})", roles.len(), roles.join(", ")));
        }
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dissenter_is_named() {
        let votes = ["security Approve".into(), "architect Reject".into()];
        assert_eq!(tally(&votes), "1 Approve, 1 Reject (architect)");
    }
}
