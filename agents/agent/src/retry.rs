//! When to ask again after a failure.

use crate::errors::ModelError;
use std::time::Duration;

/// Tries of a request that nobody worked on: about a day, since an outage is no reason to fail the work. The
/// task's deadline ends it sooner.
const TRIES: u32 = 1440;
/// Tries of a request that may have been worked on, and paid, before it broke.
const PAID_TRIES: u32 = 6;
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_mins(1);

/// Tries that were made of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Made {
    all: u32,
    /// Those that may have been worked on.
    paid: u32,
}

impl Made {
    pub(crate) fn count(&mut self, failed: &ModelError) {
        self.all += 1;
        self.paid += u32::from(failed.may_have_cost());
    }
}

/// How long to wait before the next try, or nothing when there is no point in one.
///
/// Doubles from half a second; what the model itself asked for (`Retry-After`) counts when it is longer,
/// up to a minute. `jitter` (0 to 1) adds up to half, so that many agents do not come back at once.
pub(crate) fn wait(error: &ModelError, made: Made, jitter: f64) -> Option<Duration> {
    if !error.is_transient() || made.all >= TRIES || made.paid >= PAID_TRIES {
        return None;
    }
    let backoff = FIRST.saturating_mul(1 << made.all.saturating_sub(1).min(16));
    let asked = error.retry_after().unwrap_or_default();
    let base = backoff.max(asked).min(LONGEST);
    Some(base + base.mul_f64(0.5 * jitter.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Made = Made { all: 1, paid: 0 };

    fn busy(seconds: Option<u64>) -> ModelError {
        ModelError::Busy {
            status: 429,
            message: String::new(),
            retry_after: seconds.map(Duration::from_secs),
        }
    }

    #[test]
    fn waits_double_and_end() {
        let waits: Vec<_> = (1..=TRIES).map(|all| wait(&busy(None), Made { all, paid: 0 }, 0.0)).collect();
        let ms = |n| Some(Duration::from_millis(n));
        assert_eq!(waits[..4], [ms(500), ms(1000), ms(2000), ms(4000)]);
        assert_eq!(waits[(TRIES - 2) as usize..], [Some(LONGEST), None]);
    }

    #[test]
    fn what_may_have_been_paid_is_asked_few_times_however_often_nobody_was_reached() {
        let broken = ModelError::BrokenOff(String::new());
        let mut made = Made::default();
        for _ in 0..100 {
            made.count(&busy(None));
        }
        for _ in 1..PAID_TRIES {
            made.count(&broken);
            assert!(wait(&broken, made, 0.0).is_some(), "{made:?}");
        }
        made.count(&broken);
        assert_eq!(wait(&broken, made, 0.0), None);
    }

    #[test]
    fn the_model_may_ask_for_more_time_within_a_bound() {
        assert_eq!(wait(&busy(Some(7)), ONE, 0.0), Some(Duration::from_secs(7)));
        assert_eq!(wait(&busy(Some(9999)), ONE, 0.0), Some(LONGEST));
    }

    #[test]
    fn a_refusal_is_not_repeated() {
        let refused = ModelError::Refused { status: 400, message: String::new() };
        assert_eq!(wait(&refused, ONE, 0.0), None);
    }
}
