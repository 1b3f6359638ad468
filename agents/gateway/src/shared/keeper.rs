//! Renews the leases of calls under way, and gives back the places of those that ended.
//!
//! One task does both, one after the other: a lease that is renewed after its end was told would keep its place until it
//! ends by itself.

use super::keys;
use golden_platform::cache::{Cache, Script};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

/// A renewal may be lost twice before a lease ends.
const RENEWALS: u32 = 3;
/// Ends that are told, and leases that are renewed, in one go.
const BATCH: usize = 128;

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
    let mut ends = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            heard = ended.recv_many(&mut ends, BATCH) => {
                if heard == 0 {
                    return;
                }
                // One that is lost leaves a place that nobody renews.
                futures::future::join_all(ends.drain(..).map(|end| give_back(&cache, &give, end))).await;
            }
            _ = ticks.tick() => {
                for (provider, calls) in live.all() {
                    renew_all(&cache, &renew, lease, (provider, &calls)).await;
                }
            }
        }
    }
}

async fn give_back(cache: &Cache, give: &Script, end: Ended) {
    let Ended { provider, call, second, tokens, used } = end;
    let unsent = u8::from(used.is_none());
    let args =
        [call, second.to_string(), unsent.to_string(), tokens.to_string(), used.unwrap_or(0).to_string()];
    let _ = cache.run(give, &keys(provider), &args).await;
}

async fn renew_all(cache: &Cache, renew: &Script, lease: Duration, (provider, calls): (Uuid, &[String])) {
    for some in calls.chunks(BATCH) {
        let lease = lease.as_millis().to_string();
        let args: Vec<String> = std::iter::once(lease).chain(some.iter().cloned()).collect();
        let _ = cache.run(renew, &keys(provider), &args).await;
    }
}
