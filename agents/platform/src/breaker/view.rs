//! What is shown of a breaker: `GET /v1/breakers` of every service.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::state::{Breaker, State};

/// One breaker, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// What is called: `model/<namespace>/<provider>`, `git/<host>`, `store/artifacts`.
    pub name: String,
    /// `CLOSED`, `OPEN` or `HALF_OPEN`.
    pub state: String,
    /// Failures in a row while closed.
    pub failures: u32,
    /// How long calls are still refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses_for_millis: Option<u64>,
    pub failure_threshold: u32,
    pub recovery_seconds: u64,
    pub statistics: Counts,
}

/// Counts since the process began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub admitted: u64,
    pub refused: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub opened: u64,
}

impl View {
    pub(super) fn new(name: &str, breaker: &Breaker, now: Instant) -> Self {
        let (settings, counts) = (breaker.settings(), breaker.statistics());
        let failures = if let State::Closed { failures } = breaker.state() { failures } else { 0 };
        let millis = |left: std::time::Duration| u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        Self {
            name: name.to_owned(),
            state: breaker.state().name().to_owned(),
            failures,
            refuses_for_millis: breaker.refuses_for(now).map(millis),
            failure_threshold: settings.failure_threshold,
            recovery_seconds: settings.recovery.as_secs(),
            statistics: Counts {
                admitted: counts.admitted,
                refused: counts.refused,
                succeeded: counts.succeeded,
                failed: counts.failed,
                opened: counts.opened,
            },
        }
    }
}
