//! When a task's status is written: what a person acts on at once, mere progress rarely.
//!
//! A task may cost the apiserver few writes over its life. Ends, faults, questions and a change of heart are urgent;
//! stages, tallies and usage are progress and wait, each time twice as long. People who want to watch closely ask
//! golden-api, which reads the same projection from the database.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The pause after the first write; doubled with each that follows.
const FIRST: Duration = Duration::from_secs(20);
/// The longest pause.
const MOST: Duration = Duration::from_mins(10);

/// Writes of one task.
#[derive(Clone, Copy, Debug)]
struct Written {
    at: Instant,
    progress: u32,
}

/// Writes by uid, and changes that wait until they have lasted.
#[derive(Debug, Default)]
pub(crate) struct Pacing {
    written: Mutex<HashMap<String, Written>>,
    pending: Mutex<HashMap<String, (String, Instant)>>,
}

impl Pacing {
    /// How long a progress write has to wait at `now`; zero means that it may be made.
    pub(crate) fn wait(&self, uid: &str, now: Instant) -> Duration {
        let map = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        map.get(uid)
            .map_or(Duration::ZERO, |w| pause(w.progress).saturating_sub(now.saturating_duration_since(w.at)))
    }

    /// Notes a write.
    pub(crate) fn wrote(&self, uid: &str, urgent: bool, now: Instant) {
        self.settled(uid);
        let mut map = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let written = map.entry(uid.to_owned()).or_insert(Written { at: now, progress: 0 });
        written.at = now;
        written.progress += u32::from(!urgent);
    }

    /// Forgets a task that ended or is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.settled(uid);
        self.written.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// How long a change has been waiting to be written. Another change starts anew.
    pub(crate) fn lasting(&self, uid: &str, change: &str, now: Instant) -> Duration {
        let mut map = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match map.get(uid) {
            Some((known, since)) if known == change => now.saturating_duration_since(*since),
            _ => {
                map.insert(uid.to_owned(), (change.to_owned(), now));
                Duration::ZERO
            }
        }
    }

    /// Nothing waits to be written.
    pub(crate) fn settled(&self, uid: &str) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

fn pause(progress: u32) -> Duration {
    FIRST.saturating_mul(1 << progress.min(10)).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_alone_costs_few_writes_over_a_long_life() {
        let (pacing, start) = (Pacing::default(), Instant::now());
        let mut writes = 0;
        for second in 0..3600 {
            let now = start + Duration::from_secs(second);
            if pacing.wait("u", now).is_zero() {
                pacing.wrote("u", false, now);
                writes += 1;
            }
        }
        assert!((6..=12).contains(&writes), "{writes} writes in an hour");
    }

    #[test]
    fn the_first_write_waits_for_nothing_and_the_next_for_the_pause() {
        let (pacing, start) = (Pacing::default(), Instant::now());
        assert!(pacing.wait("u", start).is_zero());
        pacing.wrote("u", true, start);
        assert_eq!(pacing.wait("u", start + Duration::from_secs(5)), Duration::from_secs(15));
        pacing.forget("u");
        assert!(pacing.wait("u", start).is_zero());
    }

    #[test]
    fn a_change_lasts_from_its_first_sight_until_another_one_comes() {
        let (pacing, start) = (Pacing::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(pacing.lasting("u", "a", at(0)), Duration::ZERO);
        assert_eq!(pacing.lasting("u", "a", at(2)), Duration::from_secs(2));
        assert_eq!(pacing.lasting("u", "b", at(3)), Duration::ZERO);
        pacing.settled("u");
        assert_eq!(pacing.lasting("u", "b", at(9)), Duration::ZERO);
    }
}
