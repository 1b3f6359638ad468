//! The line before a provider: calls above its limits wait, first come first served, not for ever and not too many.
//!
//! A call needs a place among those of this replica and, where replicas count together, one among those of all.

use crate::rates::{Busy, Rates, Taken};
use crate::shared::{Lease, SharedLimits};
use golden_crds::conditions::model_provider::{CACHE_UNREACHABLE, SHARED};
use golden_crds::model_provider::ProviderLimits;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use uuid::Uuid;

/// How long a call waits: well within the lease of its reservation.
const PATIENCE: Duration = Duration::from_secs(30);
/// Calls that wait for one provider; one more is told to come back.
const LONGEST: usize = 256;
/// A pass of which nobody knows yet what it used.
const UNKNOWN: u64 = u64::MAX;

/// The line of one provider.
#[derive(Debug)]
pub(crate) struct Line {
    rates: Mutex<Rates>,
    /// What all replicas use; none where this one counts alone.
    shared: Option<Arc<SharedLimits>>,
    /// Of the ModelProvider: what the shared count goes by.
    provider: Mutex<Option<Uuid>>,
    /// Held by the first in line. Fair: whoever asked first is next.
    head: tokio::sync::Mutex<()>,
    waiting: AtomicUsize,
    /// A call ended, or the limits changed.
    moved: Notify,
}

/// A call that may go to the provider. Dropped when it has ended; unless it was sent, it counts for nothing then.
#[derive(Debug)]
pub(crate) struct Pass {
    line: Arc<Line>,
    taken: Taken,
    lease: Option<Box<Lease>>,
    sent: bool,
    used: AtomicU64,
}

/// Nothing came free in time, or too many wait. When to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) retry_after: Duration,
}

impl Line {
    pub(crate) fn new(limits: ProviderLimits, shared: Option<Arc<SharedLimits>>) -> Arc<Self> {
        Arc::new(Self {
            rates: Mutex::new(Rates::new(limits, Instant::now())),
            shared,
            provider: Mutex::default(),
            head: tokio::sync::Mutex::default(),
            waiting: AtomicUsize::default(),
            moved: Notify::new(),
        })
    }

    /// Other limits, also for those that wait already, of the provider with that uid.
    pub(crate) fn limit(&self, provider: Option<Uuid>, limits: &ProviderLimits) {
        *self.provider.lock().unwrap_or_else(PoisonError::into_inner) = provider;
        if self.rates().limit(limits) {
            self.moved.notify_one();
        }
    }

    /// Goes at once, if there is room and nobody waits.
    pub(crate) async fn pass_now(self: &Arc<Self>, tokens: u64) -> Option<Pass> {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            return None;
        }
        self.take(tokens).await.ok()
    }

    /// Waits for its turn and for room.
    pub(crate) async fn pass(self: &Arc<Self>, tokens: u64) -> Result<Pass, Full> {
        let Some(_place) = Place::behind(&self.waiting) else {
            return Err(Full { retry_after: PATIENCE });
        };
        let turn = async {
            let _head = self.head.lock().await;
            loop {
                let moved = self.moved.notified();
                match self.take(tokens).await {
                    Ok(pass) => return pass,
                    Err(Busy::UnderWay) => moved.await,
                    Err(Busy::For(wait)) => {
                        let _ = tokio::time::timeout(wait, moved).await;
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, turn).await.map_err(|_| Full { retry_after: self.soonest(tokens) })
    }

    /// While all replicas are asked nothing is held here: who waits would not hear that it came free again.
    async fn take(self: &Arc<Self>, tokens: u64) -> Result<Pass, Busy> {
        self.rates().room(tokens, Instant::now())?;
        let lease = self.lease(tokens).await?;
        let taken = self.rates().take(tokens, Instant::now())?;
        Ok(Pass {
            line: Arc::clone(self),
            taken,
            lease: lease.map(Box::new),
            sent: false,
            used: AtomicU64::new(UNKNOWN),
        })
    }

    /// A place among the calls of all replicas; none where nobody counts them now.
    async fn lease(&self, tokens: u64) -> Result<Option<Lease>, Busy> {
        let provider = *self.provider.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(shared), Some(provider)) = (&self.shared, provider) else { return Ok(None) };
        let limits = self.rates().limits().clone();
        shared.take(provider, tokens, &limits).await.transpose()
    }

    /// How the limits are counted, as a reason of the condition LimitsShared; none where this replica was meant to count
    /// alone.
    pub(crate) fn counting(&self) -> Option<&'static str> {
        let shared = self.shared.as_ref()?;
        Some(if shared.is_reachable() { SHARED } else { CACHE_UNREACHABLE })
    }

    /// When there may be room, as it stands here now.
    fn soonest(&self, tokens: u64) -> Duration {
        match self.rates().room(tokens, Instant::now()) {
            Err(Busy::For(wait)) => wait,
            Ok(_) | Err(Busy::UnderWay) => Duration::from_secs(1),
        }
    }

    fn rates(&self) -> MutexGuard<'_, Rates> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// It goes to the provider now.
    pub(crate) fn sent(mut self) -> Self {
        self.sent = true;
        self
    }

    /// What it used; until then it counts with its bound.
    pub(crate) fn used(&self, tokens: u64) {
        self.used.store(tokens.min(UNKNOWN - 1), Ordering::Relaxed);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let used = match self.used.load(Ordering::Relaxed) {
            UNKNOWN => self.taken.tokens(),
            used => used,
        };
        if let Some(lease) = self.lease.as_mut().filter(|_| self.sent) {
            lease.used(used);
        }
        self.line.rates().end(self.taken, self.sent.then_some(used));
        self.line.moved.notify_one();
    }
}

/// One of those that wait.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn behind(waiting: &'a AtomicUsize) -> Option<Self> {
        let place = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < LONGEST).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(concurrent: i64) -> Arc<Line> {
        Line::new(ProviderLimits { max_concurrent: concurrent, ..ProviderLimits::default() }, None)
    }

    #[tokio::test]
    async fn who_came_first_goes_first_and_nobody_passes_by() {
        let line = line(1);
        let pass = line.pass_now(1).await.unwrap();
        let mut first = Box::pin(line.pass(1));
        assert!(futures::poll!(&mut first).is_pending());
        let mut second = Box::pin(line.pass(1));
        assert!(futures::poll!(&mut second).is_pending());
        drop(pass);
        assert!(line.pass_now(1).await.is_none(), "others wait");
        assert!(futures::poll!(&mut second).is_pending());
        let pass = first.await.unwrap();
        assert!(futures::poll!(&mut second).is_pending());
        drop(pass);
        drop(second.await.unwrap());
        assert!(line.pass_now(1).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_and_not_too_many_wait() {
        let line = line(1);
        let _pass = line.pass_now(1).await.unwrap();
        let begun = tokio::time::Instant::now();
        let mut waiting: Vec<_> = (0..LONGEST).map(|_| Box::pin(line.pass(1))).collect();
        for wait in &mut waiting {
            assert!(futures::poll!(wait).is_pending());
        }
        assert_eq!(line.pass(1).await.unwrap_err().retry_after, PATIENCE);
        for wait in waiting {
            assert!(wait.await.is_err());
        }
        assert_eq!(begun.elapsed(), PATIENCE);
        assert_eq!(line.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn more_room_is_seen_by_those_that_wait_already() {
        let line = line(1);
        let _pass = line.pass_now(1).await.unwrap();
        let mut waits = Box::pin(line.pass(1));
        assert!(futures::poll!(&mut waits).is_pending());
        line.limit(None, &ProviderLimits { max_concurrent: 2, ..ProviderLimits::default() });
        assert!(waits.await.is_ok());
    }
}
