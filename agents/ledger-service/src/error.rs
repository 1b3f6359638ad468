//! Why the ledger refused or failed.

use std::sync::Arc;

use golden_ledger::{AmountError, IllegalTransition};
use golden_platform::{Class, Classify};
use uuid::Uuid;

/// Cheap to clone: one fault of the database is told to every caller of its batch.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("{field} {why}")]
    Invalid { field: &'static str, why: &'static str },
    #[error("there is no reservation {0}; reserve first")]
    UnknownKey(String),
    #[error("pod {0} is not the newest try of its task; its calls are not paid any more")]
    StaleTry(Uuid),
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    #[error(transparent)]
    Amount(#[from] AmountError),
    #[error("account {0} of the reservation was not found; nothing was changed, ask again")]
    AccountMissing(Uuid),
    #[error("an account is held by another transaction; nothing was changed, ask again")]
    Busy,
    #[error("the ledger was not done in time: anything but a reserve is done all the same; ask again")]
    Late,
    #[error("reservation {0} has state {1:?}, which this version does not know")]
    UnknownState(String, String),
    #[error("the ledger is stopping; ask again")]
    Stopped,
    #[error("the ledger's database: {0}")]
    Database(Arc<sqlx::Error>),
}

impl Error {
    /// Whether the database refused it: then nothing of it is written. Of what broke off nothing is known.
    pub(crate) fn is_refused_by_database(&self) -> bool {
        matches!(self, Self::Database(e) if e.as_database_error().is_some())
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl Classify for Error {
    fn class(&self) -> Class {
        match self {
            Self::Invalid { .. } | Self::UnknownKey(_) | Self::Amount(_) => Class::Invalid,
            Self::StaleTry(_) | Self::Illegal(_) => Class::Conflict,
            Self::AccountMissing(_) | Self::Busy | Self::Late => Class::Transient,
            Self::Stopped => Class::Dependency,
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
            Error::AccountMissing(_) | Error::Busy | Error::Late | Error::Stopped => {
                Self::new(http::StatusCode::SERVICE_UNAVAILABLE, "Unavailable", message)
            }
            Error::UnknownState(..) => Self::internal(message),
            Error::Database(e) => Self::of_database(&e),
        }
    }
}
