//! Remembers when something was last done for an object's generation, so that expensive looks are rare.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Last looks by uid.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<HashMap<String, (i64, Instant)>>);

impl Throttle {
    /// Whether a look is due: never made for this generation, or longer ago than `every`.
    pub(crate) fn due(&self, uid: &str, generation: i64, every: Duration) -> bool {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.get(uid).is_none_or(|(seen, at)| *seen != generation || at.elapsed() >= every)
    }

    /// Notes that the look was made and all was well.
    pub(crate) fn done(&self, uid: &str, generation: i64) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.insert(uid.to_owned(), (generation, Instant::now()));
    }

    /// Forgets an object.
    pub(crate) fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}
