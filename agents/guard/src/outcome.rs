//! What the end of a run means: a verdict on the code, or a fault of the infrastructure.

use serde::{Deserialize, Serialize};

/// What a guard says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GuardVerdict {
    Passed,
    Failed,
}

/// Why there is no verdict, and what can be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconclusive {
    /// A new run can succeed without a change by a person.
    #[error("the run was lost ({reason}); it is made again")]
    Retry { reason: String },
    /// A new run fails alike until somebody mends the cause.
    #[error("the run could not be made ({reason}); it is made again once that is mended")]
    Blocked { reason: String },
}

/// A verdict or none.
pub type Class = Result<GuardVerdict, Inconclusive>;

/// Reasons under which the exit code speaks. Truncated output is less to read, not another end.
const BY_EXIT_CODE: [&str; 2] = ["Completed", "OutputTruncated"];

/// Ends that the code under test can cause: a failure, whatever exit code stands beside it. A command that is
/// not found is among them, since it may be a file of the examined tree.
const FAILURES: [&str; 6] =
    ["NonZeroExit", "Signalled", "Timeout", "OutOfMemory", "TooManyProcesses", "CommandNotFound"];

/// Causes that a new run meets again until somebody mends them.
const BLOCKED: [&str; 7] = [
    "ImageError",
    "IsolationUnavailable",
    "WorkspaceUnavailable",
    "WorkspaceRefused",
    "ContainerStartFailed",
    "PodUnschedulable",
    "InvalidSpec",
];

/// Reads a reason of SandboxRun's status. Passed only if the command ran to its end with exit code 0. What the
/// code under test can cause is its failure; all else, also a reason not known here, is no verdict.
pub fn classify(reason: &str, exit_code: Option<i32>) -> Class {
    let why = || reason.chars().take(200).collect::<String>();
    match exit_code {
        Some(0) if BY_EXIT_CODE.contains(&reason) => Ok(GuardVerdict::Passed),
        Some(_) if BY_EXIT_CODE.contains(&reason) => Ok(GuardVerdict::Failed),
        _ if FAILURES.contains(&reason) => Ok(GuardVerdict::Failed),
        _ if BLOCKED.contains(&reason) => Err(Inconclusive::Blocked { reason: why() }),
        _ => Err(Inconclusive::Retry { reason: why() }),
    }
}
