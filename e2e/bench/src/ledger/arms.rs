//! The arms, in their order. One that fails says so and the others go on.

use super::ours::{self, Shape};
use super::{crash, disk, naive, peer, raw};
use crate::report::Arm;
use anyhow::Result;
use golden_cluster::services::Postgres;
use std::sync::Arc;

pub(crate) const FDATASYNC: &str = "fdatasync";
pub(crate) const BATCHES: [u64; 3] = [64, 256, 1024];
pub(crate) const HALF: &str = "ours, half load";
pub(crate) const TREE: &str = "ours, three-level tree, 512 callers";
pub(crate) const LAST: &str = "ours, 64 callers race for the last";
pub(crate) const KILLED: &str = "ours, Postgres killed once";
const MANY: &str = "ours, 10,000 budgets, 512 callers";

pub(crate) fn hot(callers: usize) -> String {
    let s = if callers == 1 { "" } else { "s" };
    format!("ours, one hot budget, {callers} caller{s}")
}

pub(crate) async fn every(server: Postgres, seconds: f64, progress: bool) -> Vec<Arm> {
    let server = Arc::new(server);
    let mut arms = Arms { done: vec![], progress };
    arms.add(FDATASYNC, blocking(move || disk::fdatasync(seconds.min(2.0))).await);
    for batch in BATCHES {
        arms.add(raw::name(batch), raw::insert(&server, batch, seconds).await);
    }
    for how in [naive::How::Update, naive::How::SelectForUpdate] {
        arms.add(how.name(), naive::spend(&server, how, seconds).await);
    }
    let mut peak = 0.0_f64;
    for callers in [1, 8, 64, 512] {
        let name = hot(callers);
        let arm = ours::callers(&server, name.clone(), Shape::Hot, callers, seconds).await;
        peak = peak.max(arm.as_ref().ok().and_then(|a| a.get("spends_per_s")).unwrap_or(0.0));
        arms.add(name, arm);
    }
    // Half of the best the hot budget did; nothing was measured if that is nothing.
    arms.add(HALF, ours::steady(&server, HALF.into(), (peak / 2.0).max(1.0), seconds).await);
    arms.add(TREE, ours::callers(&server, TREE.into(), Shape::Tree, 512, seconds).await);
    arms.add(MANY, ours::callers(&server, MANY.into(), Shape::TenThousand, 512, seconds).await);
    arms.add(LAST, ours::last(&server, LAST.into()).await);
    let own = Arc::clone(&server);
    arms.add(peer::NAME, blocking(move || peer::spend(&own, seconds)).await);
    arms.add(KILLED, crash::kill(&server, KILLED.into(), seconds.max(2.0)).await);
    arms.done
}

async fn blocking(work: impl FnOnce() -> Result<Arm> + Send + 'static) -> Result<Arm> {
    tokio::task::spawn_blocking(work).await?
}

struct Arms {
    done: Vec<Arm>,
    progress: bool,
}

impl Arms {
    fn add(&mut self, name: impl Into<String>, arm: Result<Arm>) {
        let arm = arm.unwrap_or_else(|error| Arm::failed(name, &error));
        if self.progress {
            let told = arm.error.clone().unwrap_or_else(|| {
                let metrics = arm.metrics.iter().take(3);
                metrics.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
            });
            println!("{}: {told}", arm.name);
        }
        self.done.push(arm);
    }
}
