//! What breaks while the callers ask, and when.

use crate::service::Service;
use crate::world::World;
use anyhow::Result;
use golden_chaos::Seed;
use serde::Serialize;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Fault {
    KillService,
    KillPostgres,
    RestartPostgres,
    /// Everything it remembers is gone, and it answers.
    FlushRedis,
    /// It is gone for a while, and empty afterwards.
    StopRedis,
    /// It takes questions for a while and answers none; then it goes on with what it knew.
    FreezeRedis,
}

impl Fault {
    pub const ALL: [Self; 6] = [
        Self::KillService,
        Self::KillPostgres,
        Self::RestartPostgres,
        Self::FlushRedis,
        Self::StopRedis,
        Self::FreezeRedis,
    ];
}

/// Faults of a round, each with the number of questions after which it comes: every kind once in each stretch.
pub(crate) fn plan(seed: u64, operations: u64, stretch: u64) -> Vec<(u64, Fault)> {
    let mut seed = Seed::of(seed, "faults");
    let mut plan = vec![];
    for from in (0..operations).step_by(usize::try_from(stretch.max(1)).unwrap_or(usize::MAX)) {
        let mut kinds = Fault::ALL;
        let parts = kinds.len() as u64 + 1;
        seed.shuffle(&mut kinds);
        // Not in the first part, where there is little to lose, and apart from each other.
        let length = stretch.min(operations - from);
        let moments = kinds
            .iter()
            .zip(1..)
            .map(|(kind, n)| (from + length * n / parts + seed.below(length / (4 * parts) + 1), *kind));
        plan.extend(moments);
    }
    plan
}

impl Fault {
    /// `service` is the replica whose turn it is; `meanwhile` is how long what is away for a while stays so.
    pub(crate) async fn happen(
        self,
        world: &World,
        service: &mut Service,
        meanwhile: impl Future<Output = ()>,
    ) -> Result<()> {
        let (server, redis) = (Arc::clone(&world.server), Arc::clone(&world.redis));
        match self {
            Self::KillService => {
                service.kill().await?;
                service.restart().await
            }
            Self::KillPostgres => {
                tokio::task::spawn_blocking(move || server.kill().and_then(|()| server.restart())).await?
            }
            Self::RestartPostgres => tokio::task::spawn_blocking(move || server.restart()).await?,
            Self::FlushRedis => tokio::task::spawn_blocking(move || redis.flush()).await?,
            Self::StopRedis => {
                // A server that starts again counts from nothing.
                world.note_hits().await?;
                let going = Arc::clone(&redis);
                tokio::task::spawn_blocking(move || going.stop()).await??;
                meanwhile.await;
                tokio::task::spawn_blocking(move || redis.restart()).await?
            }
            Self::FreezeRedis => {
                redis.freeze();
                meanwhile.await;
                redis.thaw();
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_in_each_stretch_in_an_order_the_seed_decides() {
        let plan_of = |seed| plan(seed, 20_000, 10_000);
        assert_eq!(plan_of(1), plan_of(1));
        assert_eq!(plan_of(1).len(), 2 * Fault::ALL.len());
        assert!((0..20).any(|seed| plan_of(seed) != plan_of(seed + 1)));
        let plan = plan_of(3);
        assert!(plan.is_sorted_by_key(|(at, _)| *at), "{plan:?}");
        assert!(plan.iter().all(|(at, _)| *at > 0 && *at < 20_000));
    }
}
