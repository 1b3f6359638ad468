//! What the end of a run means: a verdict on the code, or a fault of the infrastructure.

use serde::{Deserialize, Serialize};

/// Why a run ended: the reasons of SandboxRun's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunReason {
    Completed,
    NonZeroExit,
    Timeout,
    OutOfMemory,
    TooManyProcesses,
    /// The output was larger than is kept; the exit code still speaks.
    OutputTruncated,
    /// The command is not in the image or cannot be executed.
    CommandNotFound,
    ImageError,
    IsolationUnavailable,
    NodeLost,
    Evicted,
    /// Any other: never a verdict.
    Other,
}

impl RunReason {
    /// Reads a status' reason; what is not known is [`RunReason::Other`].
    pub fn parse(text: &str) -> Self {
        match text {
            "Completed" => Self::Completed,
            "NonZeroExit" => Self::NonZeroExit,
            "Timeout" => Self::Timeout,
            "OutOfMemory" | "OOMKilled" => Self::OutOfMemory,
            "TooManyProcesses" => Self::TooManyProcesses,
            "OutputTruncated" => Self::OutputTruncated,
            "CommandNotFound" => Self::CommandNotFound,
            "ImageError" => Self::ImageError,
            "IsolationUnavailable" => Self::IsolationUnavailable,
            "NodeLost" => Self::NodeLost,
            "Evicted" => Self::Evicted,
            _ => Self::Other,
        }
    }
}

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

/// Passed only if the command ran to its end with exit code 0. What the code under test can cause is its
/// failure; what it cannot cause is no verdict.
pub fn classify(reason: &str, exit_code: Option<i32>) -> Class {
    let why = || reason.chars().take(200).collect::<String>();
    match (RunReason::parse(reason), exit_code) {
        (RunReason::Completed | RunReason::OutputTruncated, Some(0)) => Ok(GuardVerdict::Passed),
        (RunReason::Completed | RunReason::OutputTruncated, Some(_)) => Ok(GuardVerdict::Failed),
        // An exit code of 0 beside such a reason would be a contradiction: the worse of the two counts.
        (
            RunReason::NonZeroExit
            | RunReason::Timeout
            | RunReason::OutOfMemory
            | RunReason::TooManyProcesses,
            _,
        ) => Ok(GuardVerdict::Failed),
        (RunReason::ImageError | RunReason::IsolationUnavailable | RunReason::CommandNotFound, _) => {
            Err(Inconclusive::Blocked { reason: why() })
        }
        (RunReason::Completed | RunReason::OutputTruncated, None)
        | (RunReason::NodeLost | RunReason::Evicted | RunReason::Other, _) => {
            Err(Inconclusive::Retry { reason: why() })
        }
    }
}
