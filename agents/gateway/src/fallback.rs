//! Whether a call that its provider did not answer may go to another one. Pure.
//!
//! Only where the provider cannot answer for now and nothing can have been charged: a call is never paid twice for one
//! answer, and what is wrong with a request is wrong with it elsewhere too.

use crate::error::CallError;
use crate::retry::{Cost, Failure};
use crate::upstream::Failed;

/// Why a provider gave no answer, after all its tries.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It was not asked: its breaker is open, or too many calls wait for it.
    NotAsked(CallError),
    /// Its last try failed.
    Failed(Box<Failed>),
}

impl Unanswered {
    /// Whether the provider's fallbacks are asked.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::NotAsked(_) => true,
            Self::Failed(failed) => match failed.failure {
                Failure::NotSent
                | Failure::NotConnected
                | Failure::Status { code: 401 | 403 | 429 | 503 | 529, .. } => true,
                Failure::Status { .. } | Failure::Broken | Failure::Silent | Failure::Malformed => false,
            },
        }
    }

    /// Whether it may have been charged: then the client must know of it.
    pub(crate) fn may_have_cost(&self) -> bool {
        matches!(self, Self::Failed(failed) if failed.failure.cost() == Cost::Unknown)
    }
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotAsked(error) => error.fmt(f),
            Self::Failed(failed) => f.write_str(&failed.why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(failure: Failure) -> Unanswered {
        Unanswered::Failed(Box::new(Failed { failure, said: None, why: String::new() }))
    }

    #[test]
    fn only_an_outage_that_cost_nothing_goes_elsewhere() {
        let status = |code| Failure::Status { code, retry_after: None };
        for (failure, outage, cost) in [
            (Failure::NotSent, true, false),
            (status(429), true, false),
            (status(503), true, false),
            (status(529), true, false),
            (status(401), true, false),
            (status(400), false, false),
            (status(500), false, false),
            (status(502), false, true),
            (status(504), false, true),
            (Failure::NotConnected, true, false),
            (Failure::Broken, false, true),
            (Failure::Silent, false, true),
            (Failure::Malformed, false, true),
        ] {
            let unanswered = failed(failure);
            assert_eq!((unanswered.is_outage(), unanswered.may_have_cost()), (outage, cost), "{failure:?}");
            assert!(!(unanswered.is_outage() && unanswered.may_have_cost()), "{failure:?}");
        }
        assert!(Unanswered::NotAsked(CallError::Ledger).is_outage());
    }
}
