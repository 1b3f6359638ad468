//! Classes of errors: what the caller does about one, independent of its kind.

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The input is wrong: say so in a condition and wait for it to change.
    Invalid,
    /// Somebody else was faster: read again and repeat soon.
    Conflict,
    /// A passing failure of this one object: repeat with growing pauses.
    Transient,
    /// A store or service is away: nothing will work until it is back; not the object's fault.
    Dependency,
    /// Ours: say so loudly, repeat slowly.
    Bug,
}

/// An error that knows its class.
pub trait Classify {
    fn class(&self) -> Class;
}

impl Classify for sqlx::Error {
    fn class(&self) -> Class {
        match self {
            Self::Io(_)
            | Self::Tls(_)
            | Self::PoolTimedOut
            | Self::PoolClosed
            | Self::WorkerCrashed
            | Self::Protocol(_) => Class::Dependency,
            Self::RowNotFound | Self::Encode(_) => Class::Invalid,
            Self::Database(e) => e.code().map_or(Class::Bug, |code| sql_state(&code)),
            _ => Class::Bug,
        }
    }
}

/// The class of an SQLSTATE (Postgres' appendix A, by class of code).
fn sql_state(code: &str) -> Class {
    match code {
        // serialization_failure, deadlock_detected, lock_not_available, unique_violation
        "40001" | "40P01" | "55P03" | "23505" => Class::Conflict,
        // query_canceled (a statement_timeout)
        "57014" => Class::Transient,
        _ => match code.get(..2) {
            // connection exception, authorization, insufficient resources, operator intervention, system error
            Some("08" | "28" | "53" | "57" | "58") => Class::Dependency,
            // data exception, integrity constraint violation
            Some("22" | "23") => Class::Invalid,
            _ => Class::Bug,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_a_dependency_and_never_the_inputs_fault() {
        for error in [sqlx::Error::PoolTimedOut, sqlx::Error::PoolClosed, sqlx::Error::WorkerCrashed] {
            assert_eq!(error.class(), Class::Dependency);
        }
        // admin_shutdown, cannot_connect_now, too_many_connections, disk_full
        for code in ["57P01", "57P03", "53300", "53100"] {
            assert_eq!(sql_state(code), Class::Dependency, "{code}");
        }
        assert_eq!(sql_state("40P01"), Class::Conflict);
        assert_eq!(sql_state("22P02"), Class::Invalid);
        assert_eq!(sql_state("42P01"), Class::Bug);
    }
}
