//! Why a model could not be used.

use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("the model at {url} could not be reached: {why}; is the sidecar running?")]
    Unreachable { url: String, why: String },
    /// Worth another try.
    #[error("the model answered {status}: {message}")]
    Busy { status: u16, message: String, retry_after: Option<Duration> },
    /// Not worth another try.
    #[error("the model refused the request with {status}: {message}")]
    Refused { status: u16, message: String },
    #[error("the model's answer broke off: {0}")]
    BrokenOff(String),
    #[error("the model's answer is not Chat Completions: {0}")]
    Malformed(String),
}

impl ModelError {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. } | Self::BrokenOff(_))
    }

    /// Whether the request may have been worked on before it failed.
    pub fn may_have_cost(&self) -> bool {
        match self {
            Self::BrokenOff(_) => true,
            Self::Busy { status, .. } => !matches!(status, 408 | 425 | 429 | 503),
            _ => false,
        }
    }

    /// How long the model asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
