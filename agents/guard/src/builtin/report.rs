//! What a built-in guard says.

use crate::outcome::GuardVerdict;
use serde::Serialize;
use std::fmt;

/// Most findings that are kept; further ones are counted.
pub const MAX_FINDINGS: usize = 200;
/// Most notes.
const MAX_NOTES: usize = 50;
/// Longest message of a finding or note, in characters.
const MAX_MESSAGE: usize = 400;

/// The outcome of one built-in guard on one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The field of `builtin` that names the guard.
    pub guard: &'static str,
    /// Failed if there is a finding.
    pub verdict: GuardVerdict,
    /// Paths added, changed or removed.
    pub changed_files: usize,
    /// At most [`MAX_FINDINGS`], in order of paths.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub left_out: usize,
    /// What is worth knowing and fails nothing, such as what could not be known.
    pub notes: Vec<String>,
}

/// One thing that is wrong with the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Absent when it is about the change as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// From 1, in the produced file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Which rule it breaks, in a word for programs.
    pub rule: &'static str,
    /// What is wrong and what to do. Never what a secret says.
    pub message: String,
}

impl Report {
    pub(super) fn new(guard: &'static str, changed_files: usize) -> Self {
        Self {
            guard,
            verdict: GuardVerdict::Passed,
            changed_files,
            findings: vec![],
            left_out: 0,
            notes: vec![],
        }
    }

    /// The line is looked up for a finding that is kept, and not for one that is only counted.
    pub(super) fn find(
        &mut self,
        path: Option<&str>,
        line: impl FnOnce() -> Option<usize>,
        rule: &'static str,
        message: &str,
    ) {
        self.verdict = GuardVerdict::Failed;
        if self.findings.len() >= MAX_FINDINGS {
            self.left_out += 1;
            return;
        }
        let message = bounded(message);
        self.findings.push(Finding { path: path.map(str::to_owned), line: line(), rule, message });
    }

    pub(super) fn note(&mut self, note: &str) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(bounded(note));
        }
    }
}

fn bounded(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_MESSAGE).collect()
}

/// One line a finding, `file:line: rule: message`, as compilers say it. The sum stands last, since of long output the
/// end is kept.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        if self.left_out > 0 {
            writeln!(f, "{} further findings are left out", self.left_out)?;
        }
        for Finding { path, line, rule, message } in &self.findings {
            match (path, line) {
                (Some(path), Some(line)) => write!(f, "{path}:{line}: ")?,
                (Some(path), None) => write!(f, "{path}: ")?,
                (None, _) => {}
            }
            writeln!(f, "{rule}: {message}")?;
        }
        let (findings, changed) = (self.findings.len() + self.left_out, self.changed_files);
        let verdict = if findings == 0 { "passed" } else { "failed" };
        let word = if findings == 1 { "finding" } else { "findings" };
        let files = if changed == 1 { "file" } else { "files" };
        writeln!(f, "{}: {verdict}, {findings} {word} in {changed} changed {files}", self.guard)
    }
}
