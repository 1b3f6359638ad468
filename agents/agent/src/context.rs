//! Reads the assignment from `/golden`.

use crate::args::Args;
use crate::limits;
use crate::prompt::Assignment;
use anyhow::Context;
use serde::Deserialize;
use std::io::Read;
use std::path::Path;

/// The part of `task.json` that the agent needs.
#[derive(Default, Deserialize)]
#[serde(default)]
struct TaskFile {
    role: Option<String>,
    attempt: Option<u32>,
}

pub(crate) fn assignment(args: &Args) -> anyhow::Result<Assignment> {
    let prompt = args.golden.join("prompt.md");
    let prompt = read(&prompt).with_context(|| format!("the task is not in {}", prompt.display()))?;
    let feedback = read(&args.golden.join("feedback.md")).unwrap_or_default();
    let task = read(&args.golden.join("task.json")).unwrap_or_default();
    let task: TaskFile = serde_json::from_str(&task).unwrap_or_default();
    Ok(Assignment {
        role: args.role.clone().or(task.role).unwrap_or_else(|| "developer".into()),
        attempt: args.attempt.or(task.attempt).unwrap_or(1),
        prompt,
        feedback,
    })
}

/// The head of a text file; bytes that are not text are replaced.
fn read(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limits::PROMPT as u64).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
