//! What the containers of a run's pod leave in their termination messages: at most 4 KiB of JSON each.
//!
//! The runner writes [`Report`], the preparing container [`PrepareFault`]. Kubernetes cuts longer messages, and a cut
//! JSON says nothing: so [`Report::to_message`] shortens the tail until the whole fits.

use golden_crds::conditions::sandbox_run::WORKSPACE_UNAVAILABLE;
use serde::{Deserialize, Serialize};

/// Kubernetes' bound on a termination message, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4096;
/// Bound on the tail of the output in a status, in bytes.
pub const MAX_TAIL_BYTES: usize = 2048;

/// The result of a run as the runner saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The command's exit code; 128 + n when signal n ended it; absent if it did not run or was killed by a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// A constant of `golden_crds::conditions::sandbox_run`.
    pub reason: String,
    /// What happened, for a person.
    pub message: String,
    /// CPU time of the command and its descendants.
    #[serde(default)]
    pub cpu_millis: i64,
    /// Most memory used at once.
    #[serde(default)]
    pub peak_memory_bytes: i64,
    /// From the command's start to its end.
    #[serde(default)]
    pub duration_millis: i64,
    /// Whether the network was closed by a system call filter, since no namespaces could be made.
    #[serde(default)]
    pub filtered: bool,
    /// The last bytes of stdout and stderr.
    #[serde(default)]
    pub tail: String,
    /// What was uploaded.
    #[serde(default)]
    pub artifacts: Vec<Kept>,
}

/// One uploaded output. Paths are long, so they are named by their index in the run's `outputs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// `stdout`, `stderr`, or an index into the spec's `outputs`.
    pub of: String,
    /// `sha256:…`.
    pub digest: String,
    /// Size in bytes.
    pub bytes: i64,
}

/// Why the workspace could not be laid out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrepareFault {
    /// A constant of `golden_crds::conditions::sandbox_run`.
    pub reason: String,
    /// What happened, for a person.
    pub message: String,
}

impl Report {
    /// A report of a run that never began, for example because the isolation could not be built.
    pub fn not_run(reason: &str, message: impl Into<String>) -> Self {
        Self {
            exit_code: None,
            reason: reason.into(),
            message: message.into(),
            cpu_millis: 0,
            peak_memory_bytes: 0,
            duration_millis: 0,
            filtered: false,
            tail: String::new(),
            artifacts: Vec::new(),
        }
    }

    /// The termination message. The end of the tail is the telling part, so its beginning is what goes first.
    pub fn to_message(&self) -> String {
        let mut report = self.clone();
        report.tail = last_bytes(&report.tail, MAX_TAIL_BYTES).into();
        report.message = first_bytes(&report.message.replace(char::is_control, " "), 512).into();
        loop {
            let text = serde_json::to_string(&report).unwrap_or_default();
            if text.len() <= MAX_MESSAGE_BYTES || report.tail.is_empty() {
                return text;
            }
            report.tail = last_bytes(&report.tail, report.tail.len() * 3 / 4).into();
        }
    }
}

impl PrepareFault {
    /// Reads the message of the preparing container. One that is no JSON is shown as it is.
    pub fn parse(message: &str) -> Self {
        serde_json::from_str(message).unwrap_or_else(|_| Self {
            reason: WORKSPACE_UNAVAILABLE.into(),
            message: format!("the workspace could not be prepared: {}", first_bytes(message, 512)),
        })
    }
}

/// At most `max` bytes of the end of `text`, cut at a character.
pub fn last_bytes(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    &text[text.ceil_char_boundary(text.len() - max)..]
}

/// At most `max` bytes of the beginning of `text`, cut at a character.
pub fn first_bytes(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(tail: &str) -> Report {
        Report { tail: tail.into(), ..Report::not_run("Completed", "it ended") }
    }

    #[test]
    fn a_report_fits_a_termination_message_whatever_the_output_holds() {
        let kept = |of: String| Kept { of, digest: format!("sha256:{}", "a".repeat(64)), bytes: i64::MAX };
        for tail in ["\u{1}".repeat(100_000), "ä".repeat(5_000), "\"\\\n".repeat(3_000)] {
            let mut full = report(&tail);
            full.message = "\u{1}".repeat(10_000);
            full.artifacts = (0..18).map(|i| kept(i.to_string())).collect();
            let text = full.to_message();
            assert!(text.len() <= MAX_MESSAGE_BYTES, "{}", text.len());
            let one = report(&tail).to_message();
            assert!(one.len() <= MAX_MESSAGE_BYTES, "{}", one.len());
            let back: Report = serde_json::from_str(&one).unwrap();
            assert!(!back.tail.is_empty() && tail.ends_with(&back.tail));
        }
    }

    #[test]
    fn the_end_of_the_output_is_what_is_kept() {
        let back: Report =
            serde_json::from_str(&report(&format!("{}the end", "x".repeat(9000))).to_message()).unwrap();
        assert!(back.tail.ends_with("the end") && back.tail.len() == MAX_TAIL_BYTES);
    }
}
