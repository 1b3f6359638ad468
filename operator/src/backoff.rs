//! How often an object failed in a row, kept as state so that pauses grow per object and not per controller.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Failures in a row, by `kind/namespace/name`.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<String, u32>>);

impl Failures {
    /// Counts one more failure and returns how many there are in a row.
    pub(crate) fn failed(&self, key: &str) -> u32 {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = map.entry(key.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// Forgets the failures of an object that succeeded or is gone.
    pub(crate) fn succeeded(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
