//! Whether every watch has listed once.
//!
//! Kept here and not asked of the caches: `Store::wait_until_ready` wakes only one of several waiters, and each
//! controller waits on its own.

use tokio::sync::watch;

/// Counts watches that have listed.
#[derive(Clone, Debug)]
pub(crate) struct Synced {
    listed: watch::Sender<usize>,
    watches: usize,
}

impl Synced {
    /// For this many watches.
    pub(crate) fn new(watches: usize) -> Self {
        Self { listed: watch::Sender::new(0), watches }
    }

    /// One more watch has listed for the first time.
    pub(crate) fn listed(&self) {
        self.listed.send_modify(|n| *n += 1);
    }

    /// Whether all have.
    pub(crate) fn all(&self) -> bool {
        *self.listed.borrow() >= self.watches
    }

    /// Returns when all have.
    pub(crate) async fn wait(&self) {
        // The sender is ours: an error cannot happen.
        let _ = self.listed.subscribe().wait_for(|n| *n >= self.watches).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_waiter_is_woken() {
        let synced = Synced::new(2);
        let waiters: Vec<_> =
            (0..4).map(|_| synced.clone()).map(|s| tokio::spawn(async move { s.wait().await })).collect();
        synced.listed();
        assert!(!synced.all());
        synced.listed();
        for waiter in waiters {
            waiter.await.unwrap();
        }
        assert!(synced.all());
    }
}
