//! Faults on order, so that callers' behaviour under them can be tested.

use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

/// What goes wrong with the next `next` calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Fault {
    /// Calls it still applies to.
    pub next: u32,
    /// Answer with this status instead, and count nothing.
    pub status: Option<u16>,
    /// With `status`: the header `Retry-After`, in seconds.
    pub retry_after_seconds: Option<u32>,
    /// Wait so long before the first byte.
    pub latency_ms: u64,
    /// Wait so long before each event of a stream.
    pub event_ms: u64,
    /// Break the connection after so many events of a stream.
    pub cut_after_events: Option<usize>,
    /// Leave the usage out, as some servers do.
    pub hide_usage: bool,
    /// So many tokens of the prompt are stated as read from a cache.
    pub cached_tokens: u64,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            next: 1,
            status: None,
            retry_after_seconds: None,
            latency_ms: 0,
            event_ms: 0,
            cut_after_events: None,
            hide_usage: false,
            cached_tokens: 0,
        }
    }
}

/// The faults still to come, first ordered first.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// Orders a fault; `next: 0` withdraws all.
    pub fn order(&self, fault: Fault) {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if fault.next == 0 {
            faults.clear();
        } else {
            faults.push(fault);
        }
    }

    /// The fault of this call, if one is due.
    pub fn take(&self) -> Option<Fault> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = faults.first_mut()?;
        let due = first.clone();
        first.next -= 1;
        if first.next == 0 {
            faults.remove(0);
        }
        Some(due)
    }
}
