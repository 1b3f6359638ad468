//! One call at a time per operation: a client that timed out and sends again waits for its first call to end,
//! instead of paying twice at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OwnedMutexGuard;

/// So many are not worth looking through.
const FEW: usize = 16;

/// The operations under way in this process.
#[derive(Debug, Default)]
pub(crate) struct Inflight {
    locks: Mutex<Locks>,
}

#[derive(Debug, Default)]
struct Locks {
    by_operation: HashMap<String, Weak<tokio::sync::Mutex<()>>>,
    /// With so many, those that have ended are forgotten.
    sweep_at: usize,
}

impl Locks {
    /// Forgets those that have ended, once half may have.
    fn sweep(&mut self) {
        if self.by_operation.len() >= self.sweep_at {
            self.by_operation.retain(|_, lock| lock.strong_count() > 0);
            self.sweep_at = 2 * self.by_operation.len().max(FEW);
        }
    }
}

impl Inflight {
    /// Waits for this operation's turn. Another process does not see it: each upstream call has a key of its
    /// own, so that two processes would pay for two calls, never call twice for one payment.
    pub(crate) async fn enter(&self, operation: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            locks.sweep();
            let known = locks.by_operation.get(operation).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let lock = Arc::new(tokio::sync::Mutex::new(()));
                locks.by_operation.insert(operation.to_owned(), Arc::downgrade(&lock));
                lock
            })
        };
        lock.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_operation_waits_and_another_does_not() {
        let inflight = Inflight::default();
        let first = inflight.enter("a").await;
        let other = inflight.enter("b").await;
        let mut second = Box::pin(inflight.enter("a"));
        assert!(futures::poll!(&mut second).is_pending());
        drop((first, other));
        let second = second.await;
        drop(second);
        for operation in 0..100 {
            drop(inflight.enter(&operation.to_string()).await);
        }
        assert!(
            inflight.locks.lock().unwrap().by_operation.len() <= 2 * FEW,
            "ended operations are forgotten"
        );
    }
}
