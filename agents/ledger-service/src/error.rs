//! Why the ledger refused or failed.

use golden_ledger::{AmountError, IllegalTransition};
use golden_platform::{Class, Classify};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{field} {why}")]
    Invalid { field: &'static str, why: &'static str },
    #[error("there is no reservation {0}; reserve first")]
    UnknownKey(String),
    #[error("pod {0} is not the newest try of its task; its calls are not paid any more")]
    StaleTry(uuid::Uuid),
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    #[error(transparent)]
    Amount(#[from] AmountError),
    #[error("reservation {0} has state {1:?}, which this version does not know")]
    UnknownState(String, String),
    #[error("the ledger's database: {0}")]
    Database(#[from] sqlx::Error),
}

impl Classify for Error {
    fn class(&self) -> Class {
        match self {
            Self::Invalid { .. } | Self::UnknownKey(_) | Self::Amount(_) => Class::Invalid,
            Self::StaleTry(_) | Self::Illegal(_) => Class::Conflict,
            Self::UnknownState(..) => Class::Bug,
            Self::Database(e) => e.class(),
        }
    }
}

impl From<Error> for golden_platform::http::Error {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Invalid { .. } | Error::Amount(_) => Self::bad_request(message),
            Error::UnknownKey(_) => Self::not_found(message),
            Error::StaleTry(_) => Self::new(http::StatusCode::CONFLICT, "StaleTry", message),
            Error::Illegal(_) => Self::new(http::StatusCode::CONFLICT, "IllegalTransition", message),
            Error::UnknownState(..) => Self::internal(message),
            Error::Database(e) => e.into(),
        }
    }
}
