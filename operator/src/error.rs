//! What can go wrong, its class, and the one table from class to the next try.

use golden_platform::{Class, Classify};
use std::time::Duration;

/// A failed observation or effect. Faults in what people wrote are no errors: they become conditions.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The apiserver refused or did not answer.
    #[error("cannot {action}: {source}")]
    Kube { action: String, source: Box<kube::Error> },
    /// An effect took too long. It may have happened; it is repeated, and is idempotent.
    #[error("cannot {action}: no answer within {seconds} s")]
    TimedOut { action: String, seconds: u64 },
    /// Postgres refused or did not answer.
    #[error("cannot {action} in Postgres: {message}")]
    Database { action: String, class: Class, message: String },
    /// NATS refused or did not answer.
    #[error("cannot {action} in NATS: {message}")]
    Messaging { action: String, class: Class, message: String },
    /// Something that the code takes for impossible.
    #[error("{0}; this is a defect of Golden, please report it")]
    Bug(String),
}

impl Error {
    /// Wraps an answer of the apiserver.
    pub(crate) fn kube(action: impl Into<String>, source: kube::Error) -> Self {
        Self::Kube { action: action.into(), source: Box::new(source) }
    }

    /// Wraps a failure of Postgres.
    pub(crate) fn database(action: impl Into<String>, source: &sqlx::Error) -> Self {
        Self::Database { action: action.into(), class: source.class(), message: source.to_string() }
    }

    /// What became of a write to Postgres that does nothing (false) if something else was written before it: `otherwise` says
    /// what that may be. Looked at again, it is told what it was.
    pub(crate) fn unless_late(
        done: Result<bool, sqlx::Error>,
        action: impl Into<String>,
        otherwise: &str,
    ) -> Result<(), Self> {
        let action = action.into();
        match done {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(Self::Database { action, class: Class::Conflict, message: otherwise.to_owned() })
            }
            Err(e) => Err(Self::database(action, &e)),
        }
    }

    /// Wraps a failure of NATS.
    pub(crate) fn messaging(action: impl Into<String>, source: &(impl Classify + std::fmt::Display)) -> Self {
        Self::Messaging { action: action.into(), class: source.class(), message: source.to_string() }
    }

    /// The error's class.
    pub fn class(&self) -> Class {
        match self {
            Self::Kube { source, .. } => kube_class(source),
            Self::TimedOut { .. } => Class::Transient,
            Self::Database { class, .. } | Self::Messaging { class, .. } => *class,
            Self::Bug(_) => Class::Bug,
        }
    }

    /// The documented reason of an unreachable store.
    pub(crate) fn store_reason(&self) -> Option<&'static str> {
        use golden_crds::conditions::shared::{DATABASE_UNREACHABLE, MESSAGING_UNREACHABLE};
        match self {
            Self::Database { class: Class::Dependency, .. } => Some(DATABASE_UNREACHABLE),
            Self::Messaging { class: Class::Dependency, .. } => Some(MESSAGING_UNREACHABLE),
            _ => None,
        }
    }

    /// Whether the apiserver refused for good: quota, admission, rights, validation.
    pub(crate) fn refusal(&self) -> Option<String> {
        match self {
            Self::Kube { source, .. } => match source.as_ref() {
                kube::Error::Api(status) if matches!(status.code, 403 | 422) => Some(status.message.clone()),
                _ => None,
            },
            _ => None,
        }
    }
}

fn kube_class(error: &kube::Error) -> Class {
    match error {
        kube::Error::Api(status) => match status.code {
            409 => Class::Conflict,
            400 | 403 | 405 | 413 | 415 | 422 => Class::Invalid,
            // 404 also means that a parent went while we worked: the next look tells.
            _ => Class::Transient,
        },
        kube::Error::SerdeError(_) | kube::Error::BuildRequest(_) => Class::Bug,
        _ => Class::Transient,
    }
}

/// How long until the next try, after `failures` failures in a row (at least 1).
pub(crate) fn requeue(class: Class, failures: u32) -> Duration {
    let exponential = |cap: u64| Duration::from_secs((1_u64 << failures.saturating_sub(1).min(16)).min(cap));
    match class {
        Class::Conflict => Duration::from_secs(1),
        Class::Transient => exponential(300),
        // A store that is back is noticed within half a minute.
        Class::Dependency => exponential(30),
        Class::Invalid | Class::Bug => Duration::from_mins(5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn api(code: u16) -> Error {
        let mut status = Status::failure("no", "Because");
        status.code = code;
        Error::kube("write", kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn every_answer_of_the_apiserver_has_a_class() {
        for (code, class) in [
            (409, Class::Conflict),
            (403, Class::Invalid),
            (422, Class::Invalid),
            (404, Class::Transient),
            (429, Class::Transient),
            (500, Class::Transient),
        ] {
            assert_eq!(api(code).class(), class, "{code}");
        }
        assert_eq!(api(403).refusal().as_deref(), Some("no"));
        assert_eq!(api(500).refusal(), None);
    }

    #[test]
    fn a_write_that_came_too_late_is_looked_at_again_at_once() {
        let late = Error::unless_late(Ok(false), "answer", "it was closed at this moment").unwrap_err();
        assert_eq!(late.class(), Class::Conflict);
        assert!(late.to_string().contains("it was closed at this moment"), "{late}");
        assert!(Error::unless_late(Ok(true), "answer", "it was closed").is_ok());
        let away = Error::unless_late(Err(sqlx::Error::PoolTimedOut), "answer", "it was closed").unwrap_err();
        assert_eq!(away.class(), Class::Dependency);
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        for class in [Class::Transient, Class::Dependency] {
            let pauses: Vec<_> = (1..100).map(|n| requeue(class, n)).collect();
            assert_eq!(pauses[0], Duration::from_secs(1));
            assert!(pauses.windows(2).all(|w| w[0] <= w[1]));
            assert!(pauses[98] <= Duration::from_mins(5));
        }
        assert_eq!(requeue(Class::Dependency, 50), Duration::from_secs(30));
    }
}
