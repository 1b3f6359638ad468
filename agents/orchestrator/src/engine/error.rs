//! What can go wrong in the engine.

use super::faults::Point;
use golden_platform::{Class, Classify, artifacts, nats};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("artifacts: {0}")]
    Artifacts(#[from] artifacts::Error),
    #[error("messages: {0}")]
    Nats(#[from] nats::Error),
    /// Another replica moved the task first; its work stands.
    #[error("another replica moved the task")]
    Conflict,
    #[error("{what} of the database cannot be read: {source}")]
    Unreadable { what: &'static str, source: serde_json::Error },
    #[error("a derivation did not end: {0}")]
    Derivation(String),
    /// What voters said so far cannot be judged.
    #[error("track records: {0}")]
    Votes(#[from] golden_consensus::VotesError),
    /// A test let the process die here.
    #[error("died at {0:?}")]
    Died(Point),
}

impl Classify for Error {
    fn class(&self) -> Class {
        match self {
            Self::Database(e) => e.class(),
            Self::Artifacts(e) => e.class(),
            Self::Nats(e) => e.class(),
            Self::Conflict => Class::Conflict,
            Self::Unreadable { .. } | Self::Derivation(_) | Self::Votes(_) | Self::Died(_) => Class::Bug,
        }
    }
}

/// JSON of the database as a type.
pub(super) fn read<T: serde::de::DeserializeOwned>(
    what: &'static str,
    json: serde_json::Value,
) -> Result<T, Error> {
    serde_json::from_value(json).map_err(|source| Error::Unreadable { what, source })
}

/// A type as JSON for the database.
pub(super) fn written<T: serde::Serialize>(
    what: &'static str,
    value: &T,
) -> Result<serde_json::Value, Error> {
    serde_json::to_value(value).map_err(|source| Error::Unreadable { what, source })
}
