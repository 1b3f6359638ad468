//! Whether a failed try of the provider is repeated, and what is charged for it. Pure.

use http::HeaderMap;
use std::time::{Duration, SystemTime};

/// Tries of one call.
pub(crate) const TRIES: u32 = 3;
const FIRST: Duration = Duration::from_millis(400);
/// What a provider may make us wait; longer is passed on to the client.
const LONGEST: Duration = Duration::from_secs(20);
/// What is believed of a wish at all.
const FARTHEST: Duration = Duration::from_hours(24);

/// How a try ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection: nothing was sent.
    NotSent,
    /// No connection in time: nothing was sent.
    NotConnected,
    /// The provider answered with this status before any work.
    Status { code: u16, retry_after: Option<Duration> },
    /// The connection broke after the request was sent.
    Broken,
    /// No byte of an answer in time.
    Silent,
    /// It answered, with a content type or a body that no answer has.
    Malformed,
}

/// What the provider may have charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    Nothing,
    /// Up to everything that was reserved.
    Unknown,
}

impl Failure {
    /// A refusal costs nothing; where a proxy gave up on a provider that may still have worked, the connection broke, or
    /// what came cannot be read, nobody knows. 529 is Anthropic's word for being overloaded.
    pub(crate) fn cost(self) -> Cost {
        match self {
            Self::Status { code: 529, .. } => Cost::Nothing,
            Self::Status { code: 502 | 504 | 520..=599, .. }
            | Self::Broken
            | Self::Silent
            | Self::Malformed => Cost::Unknown,
            Self::NotSent | Self::NotConnected | Self::Status { .. } => Cost::Nothing,
        }
    }

    /// How long to wait before try `made + 1`; nothing if there is none. What may have cost money is not
    /// repeated here: the client decides.
    pub(crate) fn wait(self, made: u32, jitter: f64) -> Option<Duration> {
        let asked = match self {
            Self::NotSent | Self::NotConnected => Duration::ZERO,
            Self::Status { code: 429 | 503 | 529, retry_after } => retry_after.unwrap_or_default(),
            Self::Status { .. } | Self::Broken | Self::Silent | Self::Malformed => return None,
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
            Self::NotSent | Self::NotConnected | Self::Broken | Self::Silent | Self::Malformed => true,
            Self::Status { code, .. } => code == 429 || code >= 500,
        }
    }

    /// For the metrics.
    pub(crate) fn cause(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::NotConnected => "connect_timeout",
            Self::Broken => "broken",
            Self::Silent => "first_byte_timeout",
            Self::Malformed => "malformed",
            Self::Status { code: 429, .. } => "status_429",
            Self::Status { code: 500.., .. } => "status_5xx",
            Self::Status { .. } => "status_4xx",
        }
    }
}

/// When the provider wants to be asked again: `retry-after-ms`, else `Retry-After` in seconds or as a date. A date that
/// is past means now; a time that cannot be read means nothing.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let count = |text: &str, unit: f64| {
        let seconds = text.parse::<f64>().ok()? * unit;
        (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(FARTHEST.as_secs_f64())))
    };
    let millis = text("retry-after-ms").and_then(|ms| count(ms, 0.001));
    let wait = millis.or_else(|| {
        let after = text("retry-after")?;
        count(after, 1.0).or_else(|| {
            let date = httpdate::parse_http_date(after).ok()?;
            Some(date.duration_since(now).unwrap_or_default())
        })
    });
    wait.map(|wait| wait.min(FARTHEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, seconds: Option<u64>) -> Failure {
        Failure::Status { code, retry_after: seconds.map(Duration::from_secs) }
    }

    #[test]
    fn only_what_cost_nothing_is_repeated() {
        for failure in
            [Failure::NotSent, Failure::NotConnected, status(429, None), status(503, None), status(529, None)]
        {
            assert!(failure.wait(1, 0.0).is_some(), "{failure:?}");
            assert_eq!(failure.cost(), Cost::Nothing);
            assert_eq!(failure.wait(TRIES, 0.0), None);
        }
        for failure in
            [Failure::Broken, Failure::Silent, Failure::Malformed, status(502, None), status(504, None)]
        {
            assert_eq!((failure.wait(1, 0.0), failure.cost()), (None, Cost::Unknown), "{failure:?}");
        }
        assert_eq!((status(400, None).wait(1, 0.0), status(400, None).cost()), (None, Cost::Nothing));
    }

    fn wished(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        // Wed, 21 Oct 2026 07:28:00 GMT
        retry_after(&headers, SystemTime::UNIX_EPOCH + Duration::from_mins(29_876_128))
    }

    #[test]
    fn the_providers_wish_counts_within_a_bound() {
        assert_eq!(status(429, Some(5)).wait(1, 0.0), Some(Duration::from_secs(5)));
        assert_eq!(status(429, Some(300)).wait(1, 0.0), None);
    }

    #[test]
    fn a_wish_is_seconds_milliseconds_or_a_date() {
        for (name, value, want) in [
            ("retry-after", " 7 ", Some(7000)),
            ("retry-after", "Wed, 21 Oct 2026 07:28:09 GMT", Some(9000)),
            ("retry-after", "Wed, 21 Oct 2026 07:27:00 GMT", Some(0)),
            ("retry-after", "99999999999999999999", Some(86_400_000)),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
            ("retry-after", "NaN", None),
            ("retry-after-ms", "250", Some(250)),
            ("retry-after-ms", "x", None),
        ] {
            assert_eq!(wished(name, value), want.map(Duration::from_millis), "{name}: {value}");
        }
    }
}
