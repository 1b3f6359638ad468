//! Whether a failed try of the provider is repeated, and what is charged for it. Pure.

use std::time::Duration;

/// Tries of one call.
pub(crate) const TRIES: u32 = 3;
const FIRST: Duration = Duration::from_millis(400);
/// What a provider may make us wait; longer is passed on to the client.
const LONGEST: Duration = Duration::from_secs(20);

/// How a try ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection: nothing was sent.
    NotSent,
    /// The provider answered with this status before any work.
    Status { code: u16, retry_after: Option<Duration> },
    /// The connection broke after the request was sent.
    Broken,
}

/// What the provider may have charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    Nothing,
    /// Up to everything that was reserved.
    Unknown,
}

impl Failure {
    /// A refusal costs nothing; where a proxy gave up on a provider that may still have worked, or the
    /// connection broke, nobody knows. 529 is Anthropic's word for being overloaded.
    pub(crate) fn cost(self) -> Cost {
        match self {
            Self::Status { code: 529, .. } => Cost::Nothing,
            Self::Status { code: 502 | 504 | 520..=599, .. } | Self::Broken => Cost::Unknown,
            Self::NotSent | Self::Status { .. } => Cost::Nothing,
        }
    }

    /// How long to wait before try `made + 1`; nothing if there is none. What may have cost money is not
    /// repeated here: the client decides.
    pub(crate) fn wait(self, made: u32, jitter: f64) -> Option<Duration> {
        let asked = match self {
            Self::NotSent => Duration::ZERO,
            Self::Status { code: 429 | 503 | 529, retry_after } => retry_after.unwrap_or_default(),
            Self::Status { .. } | Self::Broken => return None,
        };
        if made >= TRIES || asked > LONGEST {
            return None;
        }
        let backoff = FIRST.saturating_mul(1 << made.saturating_sub(1).min(8));
        let base = backoff.max(asked);
        Some(base + base.mul_f64(0.5 * jitter.clamp(0.0, 1.0)))
    }

    /// Whether it counts against the provider's breaker. A refused request is the caller's fault.
    pub(crate) fn is_the_providers(self) -> bool {
        match self {
            Self::NotSent | Self::Broken => true,
            Self::Status { code, .. } => code == 429 || code >= 500,
        }
    }
}

/// The header `Retry-After` in seconds; dates are not read.
pub(crate) fn retry_after(value: Option<&str>) -> Option<Duration> {
    value?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, seconds: Option<u64>) -> Failure {
        Failure::Status { code, retry_after: seconds.map(Duration::from_secs) }
    }

    #[test]
    fn only_what_cost_nothing_is_repeated() {
        for failure in [Failure::NotSent, status(429, None), status(503, None), status(529, None)] {
            assert!(failure.wait(1, 0.0).is_some(), "{failure:?}");
            assert_eq!(failure.cost(), Cost::Nothing);
            assert_eq!(failure.wait(TRIES, 0.0), None);
        }
        for failure in [Failure::Broken, status(502, None), status(504, None)] {
            assert_eq!((failure.wait(1, 0.0), failure.cost()), (None, Cost::Unknown), "{failure:?}");
        }
        assert_eq!((status(400, None).wait(1, 0.0), status(400, None).cost()), (None, Cost::Nothing));
    }

    #[test]
    fn the_providers_wish_counts_within_a_bound() {
        assert_eq!(status(429, Some(5)).wait(1, 0.0), Some(Duration::from_secs(5)));
        assert_eq!(status(429, Some(300)).wait(1, 0.0), None);
        assert_eq!(retry_after(Some(" 7 ")), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(Some("Wed, 21 Oct 2026 07:28:00 GMT")), None);
    }
}
