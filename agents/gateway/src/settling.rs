//! Settlements under way. An answer does not wait for its settlement, so that what it leaves of its reservation comes
//! back a moment after it: a call that finds its budget exhausted waits for that moment before it believes it.

use crate::app::Gateway;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a settlement is waited for, from its beginning; one that takes longer may take very long.
const WAIT: Duration = Duration::from_secs(1);

/// The settlements of this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settling(Arc<Shared>);

/// Brings money back by itself, as a settlement under way until it has. The process waits for it before it ends.
pub(crate) fn settle_aside(gateway: &Gateway, moving: impl Future<Output = ()> + Send + 'static) {
    let settlement = gateway.memory.settling.begin();
    gateway.calls.spawn(async move {
        moving.await;
        drop(settlement);
    });
}

#[derive(Debug, Default)]
struct Shared {
    numbers: Mutex<Numbers>,
    landed: Notify,
}

#[derive(Debug, Default)]
struct Numbers {
    next: u64,
    under_way: BTreeMap<u64, Instant>,
}

impl Numbers {
    /// The first that is still waited for, and until when.
    fn first(&self, now: Instant) -> Option<(u64, Instant)> {
        let mut until = self.under_way.iter().map(|(number, begun)| (*number, *begun + WAIT));
        until.find(|(_, until)| *until > now)
    }
}

/// A settlement under way, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Settlement {
    all: Settling,
    number: u64,
}

impl Settling {
    pub(crate) fn begin(&self) -> Settlement {
        let mut numbers = self.numbers();
        let number = numbers.next;
        numbers.next += 1;
        numbers.under_way.insert(number, Instant::now());
        drop(numbers);
        Settlement { all: self.clone(), number }
    }

    /// The number that the next settlement will have, where any is under way.
    pub(crate) fn under_way(&self) -> Option<u64> {
        let numbers = self.numbers();
        numbers.first(Instant::now()).map(|_| numbers.next)
    }

    /// Waits a moment until the settlements before a number have landed.
    pub(crate) async fn landed_before(&self, number: u64) {
        loop {
            // Listens before it looks.
            let mut landed = std::pin::pin!(self.0.landed.notified());
            landed.as_mut().enable();
            let first = self.numbers().first(Instant::now());
            let Some((_, until)) = first.filter(|(first, _)| *first < number) else { return };
            let _ = tokio::time::timeout_at(until, landed).await;
        }
    }

    /// Waits a moment until what is under way has landed.
    pub(crate) async fn landed(&self) {
        if let Some(number) = self.under_way() {
            self.landed_before(number).await;
        }
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        self.all.numbers().under_way.remove(&self.number);
        self.all.0.landed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn those_before_are_waited_for_and_those_after_are_not() {
        let settling = Settling::default();
        assert_eq!(settling.under_way(), None);
        settling.landed().await;
        let (first, second) = (settling.begin(), settling.begin());
        let mark = settling.under_way().unwrap();
        let later = settling.begin();
        let mut waits = Box::pin(settling.landed_before(mark));
        assert!(futures::poll!(&mut waits).is_pending());
        drop(first);
        assert!(futures::poll!(&mut waits).is_pending());
        drop(second);
        waits.await;
        let begun = tokio::time::Instant::now();
        settling.landed().await;
        assert_eq!(begun.elapsed(), WAIT, "not for ever");
        drop(later);
        settling.landed().await;
        assert_eq!(begun.elapsed(), WAIT);
    }
}
