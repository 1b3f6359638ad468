//! A provider's limits, counted once for all replicas of the gateway.
//!
//! The count is in Redis, and each step of it is one script: many replicas that ask at once get no more places than there
//! are. A place is leased and its lease renewed while the call runs; those of a gateway that was killed come back when
//! their leases end. Nothing rests on it: each replica counts for itself as well ([`crate::rates`]), and where Redis has
//! no answer that count alone decides.

mod keeper;

use crate::rates::Busy;
use golden_crds::model_provider::ProviderLimits;
use golden_platform::cache::{Cache, Missed, Script};
use keeper::{Ended, Live};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedSender};
use uuid::Uuid;

/// How long a place is kept for a gateway that is not heard of: a killed one's come back then.
const LEASE: Duration = Duration::from_secs(30);
/// How soon it is asked again where the calls of another replica are in the way: nobody says when one of them ends.
const AGAIN: Duration = Duration::from_millis(100);
/// What used up a minute may come back sooner, of calls that use less than they counted with.
const LOOK: Duration = Duration::from_secs(1);

/// The shared count of all providers.
pub struct SharedLimits {
    cache: Cache,
    take: Script,
    lease: Duration,
    /// Names this process among the gateways.
    replica: Uuid,
    calls: AtomicU64,
    live: Arc<Live>,
    ended: UnboundedSender<Ended>,
}

/// A place within the shared limits. Dropped when its call has ended.
#[derive(Debug)]
pub(crate) struct Lease {
    live: Arc<Live>,
    ended: Option<UnboundedSender<Ended>>,
    end: Ended,
}

impl fmt::Debug for SharedLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLimits").field("replica", &self.replica).finish_non_exhaustive()
    }
}

impl SharedLimits {
    /// Starts to renew and to give back; ends with the last call that has a place.
    pub fn start(cache: Cache) -> Arc<Self> {
        Self::leased(cache, LEASE)
    }

    /// The same with other leases.
    pub fn leased(cache: Cache, lease: Duration) -> Arc<Self> {
        let (ended, hear) = mpsc::unbounded_channel();
        let live = Arc::new(Live::default());
        tokio::spawn(keeper::keep(cache.clone(), lease, Arc::clone(&live), hear));
        Arc::new(Self {
            cache,
            take: Script::new(include_str!("take.lua")),
            lease,
            replica: Uuid::new_v4(),
            calls: AtomicU64::default(),
            live,
            ended,
        })
    }

    /// Whether Redis answers.
    pub(crate) fn is_reachable(&self) -> bool {
        self.cache.standing().is_ok()
    }

    /// A place for a call of at most so many tokens. `None`: Redis is of no help now.
    pub(crate) async fn take(
        &self,
        provider: Uuid,
        tokens: u64,
        limits: &ProviderLimits,
    ) -> Option<Result<Lease, Busy>> {
        // Made before it asks: a caller that goes away meanwhile may have got a place.
        let mut lease = self.lease(provider, tokens);
        let args = [
            lease.end.call.clone(),
            self.lease.as_millis().to_string(),
            limits.max_concurrent.to_string(),
            limits.requests_per_minute.unwrap_or(0).to_string(),
            limits.tokens_per_minute.unwrap_or(0).to_string(),
            tokens.to_string(),
        ];
        let answer = self.cache.run(&self.take, &keys(provider), &args).await;
        match understood(answer.as_deref()) {
            Understood::Taken { second } => {
                lease.taken(second);
                Some(Ok(lease))
            }
            Understood::Busy(busy) => {
                lease.void();
                Some(Err(busy))
            }
            Understood::NotAsked => {
                lease.void();
                None
            }
            Understood::Nothing => None,
        }
    }

    fn lease(&self, provider: Uuid, tokens: u64) -> Lease {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let call = format!("{}/{number}", self.replica.simple());
        let end = Ended { provider, call, second: 0, tokens, used: None };
        Lease { live: Arc::clone(&self.live), ended: Some(self.ended.clone()), end }
    }
}

impl Lease {
    /// It has a place, which is renewed from now on.
    fn taken(&mut self, second: u64) {
        self.end.second = second;
        self.live.add(self.end.provider, &self.end.call);
    }

    /// It has none for certain: nothing is given back.
    fn void(&mut self) {
        self.ended = None;
    }

    /// The call was sent, and used so many tokens.
    pub(crate) fn used(&mut self, tokens: u64) {
        self.end.used = Some(tokens);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(ended) = self.ended.take() else { return };
        // Before it is told: what is renewed after that must not have it any more.
        self.live.remove(self.end.provider, &self.end.call);
        let _ = ended.send(self.end.clone());
    }
}

/// In one slot of a cluster, as a script needs them.
fn keys(provider: Uuid) -> [String; 3] {
    ["calls", "requests", "tokens"].map(|what| format!("golden:limits:{{{provider}}}:{what}"))
}

/// What an answer of the script means.
#[derive(Debug, PartialEq, Eq)]
enum Understood {
    Taken {
        second: u64,
    },
    Busy(Busy),
    /// Nothing was done.
    NotAsked,
    /// No answer, or one that says nothing: it may have been done.
    Nothing,
}

fn understood(answer: Result<&[i64], &Missed>) -> Understood {
    match answer {
        Ok([0, second]) => {
            u64::try_from(*second).map_or(Understood::Nothing, |second| Understood::Taken { second })
        }
        Ok([1, _]) => Understood::Busy(Busy::For(AGAIN)),
        Ok([2, seconds]) if *seconds > 0 => {
            let wait = Duration::from_secs(seconds.unsigned_abs());
            Understood::Busy(Busy::For(wait.min(LOOK)))
        }
        Err(Missed::NotAsked) => Understood::NotAsked,
        Ok(_) | Err(Missed::Unanswered) => Understood::Nothing,
    }
}

#[cfg(test)]
mod tests;
