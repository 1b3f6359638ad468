//! A circuit breaker: after failures in a row calls are refused for a while, then one is let through to see.
//!
//! Pure: the caller passes the time and keeps the breaker (behind a lock, one per thing it protects).

use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Failures in a row that open it.
    pub failure_threshold: u32,
    /// How long it refuses before a probe.
    pub recovery: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { failure_threshold: 5, recovery: Duration::from_secs(30) }
    }
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Closed {
        failures: u32,
    },
    Open {
        since: Instant,
    },
    /// One probe is under way since then; a probe nobody reports about is given up after `recovery`.
    HalfOpen {
        since: Instant,
    },
}

impl State {
    /// `CLOSED`, `OPEN` or `HALF_OPEN`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Closed { .. } => "CLOSED",
            Self::Open { .. } => "OPEN",
            Self::HalfOpen { .. } => "HALF_OPEN",
        }
    }
}

/// Counts since the breaker was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub admitted: u64,
    pub refused: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub opened: u64,
}

/// The call is refused; a later one may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the circuit is open after repeated failures; the next attempt is in {} s", retry_after.as_secs())]
pub struct Refused {
    pub retry_after: Duration,
}

#[derive(Clone, Debug)]
pub struct Breaker {
    settings: Settings,
    state: State,
    statistics: Statistics,
}

impl Breaker {
    pub fn new(settings: Settings) -> Self {
        Self { settings, state: State::Closed { failures: 0 }, statistics: Statistics::default() }
    }

    pub fn state(&self) -> State {
        self.state
    }

    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Goes by other settings from now on, also where it is open: an edited recovery counts from when it opened.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Closed, whatever was before.
    pub fn close(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// How long a call would still be refused; nothing if one would be let through.
    pub fn refuses_for(&self, now: Instant) -> Option<Duration> {
        let (State::Open { since } | State::HalfOpen { since }) = self.state else { return None };
        let left = self.settings.recovery.saturating_sub(now.saturating_duration_since(since));
        (!left.is_zero()).then_some(left)
    }

    /// Asks to make a call. Whoever is let through reports [`Breaker::success`] or [`Breaker::failure`].
    pub fn admit(&mut self, now: Instant) -> Result<(), Refused> {
        if let Some(retry_after) = self.refuses_for(now) {
            self.statistics.refused += 1;
            return Err(Refused { retry_after });
        }
        if !matches!(self.state, State::Closed { .. }) {
            self.state = State::HalfOpen { since: now };
        }
        self.statistics.admitted += 1;
        Ok(())
    }

    /// A call went well: closed. Late news from before the breaker opened changes nothing.
    pub fn success(&mut self) {
        self.statistics.succeeded += 1;
        if !matches!(self.state, State::Open { .. }) {
            self.state = State::Closed { failures: 0 };
        }
    }

    /// A call failed, in a way that says something about the other side (not a 4xx of ours).
    pub fn failure(&mut self, now: Instant) {
        self.statistics.failed += 1;
        self.state = match self.state {
            State::Closed { failures } if failures + 1 < self.settings.failure_threshold => {
                State::Closed { failures: failures + 1 }
            }
            State::Closed { .. } | State::HalfOpen { .. } => {
                self.statistics.opened += 1;
                State::Open { since: now }
            }
            open @ State::Open { .. } => open,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(Settings::default());
        for _ in 0..5 {
            breaker.admit(now).unwrap();
            breaker.failure(now);
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_success_between_does_not() {
        let now = Instant::now();
        let mut breaker = Breaker::new(Settings::default());
        for _ in 0..4 {
            breaker.failure(now);
        }
        breaker.success();
        for _ in 0..4 {
            breaker.failure(now);
        }
        assert_eq!(breaker.state().name(), "CLOSED");
        breaker.failure(now);
        assert_eq!(breaker.state().name(), "OPEN");
    }

    #[test]
    fn open_it_refuses_until_recovery_and_then_lets_one_probe_through() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let refused = breaker.admit(now + Duration::from_secs(29)).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(1));
        let later = now + Duration::from_secs(30);
        breaker.admit(later).unwrap();
        assert_eq!(breaker.state().name(), "HALF_OPEN");
        assert!(breaker.admit(later).is_err(), "one probe at a time");
        breaker.success();
        assert_eq!(breaker.state().name(), "CLOSED");
    }

    #[test]
    fn a_failed_probe_opens_it_again_and_a_silent_one_is_given_up() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let probe = now + Duration::from_secs(30);
        breaker.admit(probe).unwrap();
        breaker.failure(probe);
        assert!(breaker.admit(probe + Duration::from_secs(29)).is_err());
        let second = probe + Duration::from_secs(30);
        breaker.admit(second).unwrap();
        assert!(breaker.admit(second + Duration::from_secs(29)).is_err());
        breaker.admit(second + Duration::from_secs(30)).unwrap();
        assert_eq!(breaker.statistics().opened, 2);
    }

    #[test]
    fn edited_settings_count_at_once() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let settings = Settings { failure_threshold: 1, recovery: Duration::from_secs(5) };
        breaker.set(settings);
        assert!(breaker.admit(now + Duration::from_secs(4)).is_err());
        breaker.admit(now + Duration::from_secs(5)).unwrap();
        breaker.success();
        breaker.failure(now);
        assert_eq!(breaker.state().name(), "OPEN", "one failure is enough now");
        breaker.close();
        assert!(breaker.admit(now).is_ok());
    }

    #[test]
    fn late_success_does_not_close_an_open_circuit() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.success();
        assert_eq!(breaker.state().name(), "OPEN");
    }
}
