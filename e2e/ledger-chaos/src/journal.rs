//! What has been played so far, one line of JSON for each round: which code, which seed, how much, what was found.
//! It is kept with the code, so that rounds of all machines add up.

use crate::round::{Outcome, Plan};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub at: String,
    /// Of the code that was played; with `+` if it had changes beside.
    pub commit: String,
    pub seed: u64,
    pub replicas: usize,
    pub operations: u64,
    pub faults: u64,
    pub seconds: u64,
    pub problems: usize,
}

const FILE: &str = "journal.jsonl";

/// The journal's file, beside this crate's manifest.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)
}

pub fn write(path: &Path, commit: &str, plan: Plan, outcome: &Outcome) -> Result<()> {
    let entry = Entry {
        at: jiff::Timestamp::now().to_string(),
        commit: commit.to_owned(),
        seed: plan.seed,
        replicas: plan.replicas,
        operations: outcome.operations,
        faults: outcome.faults.values().sum(),
        seconds: outcome.seconds,
        problems: outcome.problems.len(),
    };
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    writeln!(file, "{}", serde_json::to_string(&entry)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

pub fn read(path: &Path) -> Result<Vec<Entry>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
    };
    let parse =
        |line: &str| serde_json::from_str(line).with_context(|| format!("not of this journal: {line}"));
    text.lines().map(parse).collect()
}

/// The sums, by commit in the order they were first played, and in all.
pub fn table(entries: &[Entry]) -> String {
    let mut commits: Vec<&str> = vec![];
    for entry in entries {
        if !commits.contains(&entry.commit.as_str()) {
            commits.push(&entry.commit);
        }
    }
    let mut text = format!(
        "{:<14} {:>7} {:>12} {:>7} {:>8} {:>9}\n",
        "commit", "rounds", "operations", "faults", "seconds", "problems"
    );
    for commit in commits {
        let own: Vec<&Entry> = entries.iter().filter(|e| e.commit == commit).collect();
        text += &line(commit, &own);
    }
    text + &line("in all", &entries.iter().collect::<Vec<_>>())
}

fn line(name: &str, entries: &[&Entry]) -> String {
    let sum = |of: fn(&Entry) -> u64| entries.iter().map(|e| of(e)).sum::<u64>();
    format!(
        "{name:<14} {:>7} {:>12} {:>7} {:>8} {:>9}\n",
        entries.len(),
        sum(|e| e.operations),
        sum(|e| e.faults),
        sum(|e| e.seconds),
        sum(|e| e.problems as u64)
    )
}

/// The commit of this code. Asked for before the first round: the code may go on while a long run plays.
pub fn commit() -> String {
    let git = |args: &[&str]| {
        let said = Command::new("git").args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
    };
    let Some(head) = git(&["rev-parse", "--short=10", "HEAD"]) else { return "unknown".to_owned() };
    // The journal itself changes with every round.
    let others = ["status", "--porcelain", "--untracked-files=no", "--", ":/", &format!(":!{FILE}")];
    let changed = git(&others).is_none_or(|said| !said.is_empty());
    if changed { format!("{head}+") } else { head }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_add_up_by_commit_and_in_all() {
        let entry = |commit: &str, operations| Entry {
            at: "2026-01-01T00:00:00Z".into(),
            commit: commit.into(),
            seed: 1,
            replicas: 1,
            operations,
            faults: 3,
            seconds: 2,
            problems: 0,
        };
        let text = table(&[entry("aaa", 100), entry("bbb", 20), entry("aaa", 3)]);
        let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["aaa", "2", "103", "6", "4", "0"]);
        assert_eq!(lines[3], ["in", "all", "3", "123", "9", "6", "0"]);
    }
}
