//! Renews the leases of calls under way, and gives back the places of those that ended.
//!
//! One task does both, one after the other: a lease that is renewed after its end was told would keep its place until it
//! ends by itself.

use super::keys;
use golden_platform::cache::{Cache, Missed, Script};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

/// A renewal may be lost twice before a lease ends.
const RENEWALS: u32 = 3;
/// Ends that are told, and leases that are renewed, in one go.
const BATCH: usize = 128;
/// How soon Redis is told again what it did not hear. Its breaker looks once a second.
const AGAIN: Duration = Duration::from_millis(250);
/// Ends that wait for that; of more, the places come back with their leases.
const MOST: usize = 4096;

/// A call that had, or may have had, a place.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) provider: Uuid,
    pub(super) call: String,
    /// By the server's clock.
    pub(super) second: u64,
    /// What it counted with.
    pub(super) tokens: u64,
    /// None if it was never sent.
    pub(super) used: Option<u64>,
}

/// Calls under way, by provider.
#[derive(Debug, Default)]
pub(super) struct Live(Mutex<HashMap<Uuid, HashSet<String>>>);

impl Live {
    pub(super) fn add(&self, provider: Uuid, call: &str) {
        self.calls().entry(provider).or_default().insert(call.to_owned());
    }

    pub(super) fn remove(&self, provider: Uuid, call: &str) {
        let mut calls = self.calls();
        if let Some(of_provider) = calls.get_mut(&provider) {
            of_provider.remove(call);
            if of_provider.is_empty() {
                calls.remove(&provider);
            }
        }
    }

    fn all(&self) -> Vec<(Uuid, Vec<String>)> {
        self.calls().iter().map(|(provider, calls)| (*provider, calls.iter().cloned().collect())).collect()
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<Uuid, HashSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An end that is to be told, and when its lease ends by itself.
type Due = (Instant, Ended);

/// What Redis did not hear.
#[derive(Debug, Default)]
struct Untold(VecDeque<Due>);

impl Untold {
    fn put(&mut self, ends: impl IntoIterator<Item = Due>) {
        self.0.extend(ends);
        self.0.truncate(MOST);
    }

    /// The next ones to be told again.
    fn take(&mut self, now: Instant) -> Vec<Due> {
        self.0.retain(|(until, _)| now < *until);
        let many = self.0.len().min(BATCH);
        self.0.drain(..many).collect()
    }
}

/// Until the last call that may have a place has ended.
pub(super) async fn keep(
    cache: Cache,
    lease: Duration,
    live: Arc<Live>,
    mut ended: UnboundedReceiver<Ended>,
) {
    let (give, renew) = (Script::new(include_str!("give.lua")), Script::new(include_str!("renew.lua")));
    let mut ticks = tokio::time::interval(lease / RENEWALS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut again = tokio::time::interval(AGAIN);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ends = Vec::with_capacity(BATCH);
    let mut untold = Untold::default();
    loop {
        tokio::select! {
            heard = ended.recv_many(&mut ends, BATCH) => {
                if heard == 0 {
                    return;
                }
                let until = Instant::now() + lease;
                untold.put(give_all(&cache, &give, ends.drain(..).map(|end| (until, end))).await);
            }
            // A place that is not given back keeps others waiting until its lease ends.
            _ = again.tick(), if !untold.0.is_empty() => {
                let left = give_all(&cache, &give, untold.take(Instant::now())).await;
                untold.put(left);
            }
            _ = ticks.tick() => {
                for (provider, calls) in live.all() {
                    renew_all(&cache, &renew, lease, (provider, &calls)).await;
                }
            }
        }
    }
}

/// Gives places back; those that Redis did not hear of are left.
async fn give_all(cache: &Cache, give: &Script, ends: impl IntoIterator<Item = Due>) -> Vec<Due> {
    let told =
        ends.into_iter().map(|(until, end)| async move { Some((until, give_back(cache, give, end).await?)) });
    futures::future::join_all(told).await.into_iter().flatten().collect()
}

async fn give_back(cache: &Cache, give: &Script, end: Ended) -> Option<Ended> {
    let unsent = u8::from(end.used.is_none());
    let args = [
        end.call.clone(),
        end.second.to_string(),
        unsent.to_string(),
        end.tokens.to_string(),
        end.used.unwrap_or(0).to_string(),
    ];
    left(cache.run(give, &keys(end.provider), &args).await.map(drop), end)
}

/// What is to be told again.
fn left(told: Result<(), Missed>, end: Ended) -> Option<Ended> {
    match told {
        Ok(()) => None,
        Err(Missed::NotAsked) => Some(end),
        // It may have been counted already, which must not be done twice: only its place is given back once more.
        Err(Missed::Unanswered) => Some(Ended { used: Some(end.tokens), ..end }),
    }
}

async fn renew_all(cache: &Cache, renew: &Script, lease: Duration, (provider, calls): (Uuid, &[String])) {
    for some in calls.chunks(BATCH) {
        let lease = lease.as_millis().to_string();
        let args: Vec<String> = std::iter::once(lease).chain(some.iter().cloned()).collect();
        let _ = cache.run(renew, &keys(provider), &args).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(number: usize) -> Ended {
        let (provider, call) = (Uuid::nil(), number.to_string());
        Ended { provider, call, second: 1, tokens: 900, used: None }
    }

    #[test]
    fn what_may_have_been_counted_is_not_counted_twice() {
        assert!(left(Ok(()), end(0)).is_none());
        assert_eq!(left(Err(Missed::NotAsked), end(0)).unwrap().used, None);
        // Used all that it counted with, and sent: neither tokens nor a call are taken back.
        assert_eq!(left(Err(Missed::Unanswered), end(0)).unwrap().used, Some(900));
    }

    #[test]
    fn the_oldest_are_told_first_and_none_after_its_lease_or_without_bound() {
        let now = Instant::now();
        let until = now + Duration::from_secs(30);
        let mut untold = Untold::default();
        untold.put([(now, end(0))]);
        untold.put((1..=MOST + 1).map(|number| (until, end(number))));
        assert_eq!(untold.0.len(), MOST);
        let first = untold.take(now);
        assert_eq!((first.len(), first[0].1.call.as_str()), (BATCH, "1"));
        assert!(untold.take(until).is_empty());
        assert!(untold.0.is_empty());
    }
}
