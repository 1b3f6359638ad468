//! The ledger itself, called as its service calls it.

use super::audit;
use super::ground::{Ground, PLENTY};
use super::keys::{key, request_hash};
use super::load::{Busy, Load, Spend, closed, open};
use super::{BOUND, COST};
use crate::report::Arm;
use anyhow::{Result, bail};
use golden_cluster::services::Postgres;
use golden_ledger_service::{Leases, Ledger};
use golden_platform::db;
use golden_platform::wire::{ReserveAnswer, ReserveRequest, SettleRequest};
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// Spends on behalf of tasks.
#[derive(Clone)]
pub(crate) struct Spender {
    pub(crate) ledger: Ledger,
    request: ReserveRequest,
    tasks: Arc<[Uuid]>,
}

impl Spender {
    pub(crate) fn new(ground: &Ground, tasks: Vec<Uuid>) -> Result<Self> {
        let ledger = Ledger::new(ground.pool.clone(), Leases::default());
        // One durable step from the reserve to the call, where the ledger can do that.
        let request = serde_json::from_value(serde_json::json!({
            "opKey": "", "requestHash": "", "teamUid": ground.team, "taskUid": ground.team, "tryUid": null,
            "attempt": 1, "role": "developer", "provider": "golden-system/models", "model": "large",
            "promptDigest": "sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "costMicroUsd": BOUND, "tokens": BOUND, "dispatch": true,
        }))?;
        Ok(Self { ledger, request, tasks: tasks.into() })
    }

    /// Reserved and dispatched, or refused for want of money.
    pub(crate) async fn reserve(&self, caller: usize, key: &str) -> Result<bool> {
        let request = ReserveRequest {
            op_key: key.to_owned(),
            request_hash: request_hash(key),
            task_uid: self.task(caller, key),
            ..self.request.clone()
        };
        match self.ledger.reserve(&request).await? {
            ReserveAnswer::Granted { state, .. } if state == "Reserved" => {
                self.ledger.dispatch(key).await?;
                Ok(true)
            }
            ReserveAnswer::Granted { .. } => Ok(true),
            ReserveAnswer::Exhausted { .. } => Ok(false),
            other => bail!("{other:?}"),
        }
    }

    pub(crate) async fn settle(&self, key: &str) -> Result<()> {
        let request = SettleRequest {
            op_key: key.to_owned(),
            cost_micro_usd: COST,
            input_tokens: COST,
            output_tokens: 0,
            latency_ms: 5,
        };
        self.ledger.settle(&request).await?;
        Ok(())
    }

    async fn spend(self, caller: usize, n: u64) -> Result<Spend> {
        let (key, start) = (key(caller, n), Instant::now());
        if !self.reserve(caller, &key).await? {
            bail!("the budget is exhausted");
        }
        let reserve = start.elapsed();
        self.settle(&key).await?;
        Ok(Spend { reserve, settle: start.elapsed().saturating_sub(reserve) })
    }

    /// Keys are spread, so tasks are too.
    fn task(&self, caller: usize, key: &str) -> Uuid {
        let spread = key.get(3..10).and_then(|hex| usize::from_str_radix(hex, 16).ok()).unwrap_or(caller);
        self.tasks.get(spread % self.tasks.len().max(1)).copied().unwrap_or_default()
    }
}

/// What the callers spend from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Hot,
    Tree,
    TenThousand,
}

impl Shape {
    async fn tasks(self, ground: &Ground) -> Result<Vec<Uuid>> {
        match self {
            Self::Hot => Ok(ground.hot().await?.1),
            Self::Tree => ground.tree().await,
            Self::TenThousand => ground.many(10_000).await,
        }
    }
}

/// So many callers at once, each as fast as it is answered.
pub(crate) async fn callers(
    server: &Arc<Postgres>,
    name: String,
    shape: Shape,
    callers: usize,
    seconds: f64,
) -> Result<Arm> {
    let ground = Ground::new(server, db::POOL_SIZE).await?;
    let spender = Spender::new(&ground, shape.tasks(&ground).await?)?;
    let busy = Busy::from_now(server.pid());
    let load = closed(callers, seconds, move |caller, n| spender.clone().spend(caller, n)).await?;
    told(&ground, name, load, &busy).await
}

/// A steady rate, half of what the hot budget reached.
pub(crate) async fn steady(server: &Arc<Postgres>, name: String, per_s: f64, seconds: f64) -> Result<Arm> {
    let ground = Ground::new(server, db::POOL_SIZE).await?;
    let spender = Spender::new(&ground, ground.hot().await?.1)?;
    let busy = Busy::from_now(server.pid());
    let load = open(per_s, seconds, move |caller, n| spender.clone().spend(caller, n)).await?;
    let mut arm = told(&ground, name, load, &busy).await?;
    arm.set("asked_per_s", per_s);
    Ok(arm)
}

async fn told(ground: &Ground, name: String, mut load: Load, busy: &Busy) -> Result<Arm> {
    let mut arm = Arm::new(name);
    load.tell(&mut arm);
    busy.tell(&mut arm);
    audit::tell(&ground.pool, &mut arm).await?;
    Ok(arm)
}

/// Sixty-four callers race for what is left of one budget: enough for a hundred of a thousand calls.
pub(crate) async fn last(server: &Arc<Postgres>, name: String) -> Result<Arm> {
    let ground = Ground::new(server, db::POOL_SIZE).await?;
    let (budget, tasks) = ground.hot().await?;
    ground.budget(budget, None, 100 * BOUND).await?;
    let spender = Spender::new(&ground, tasks)?;
    let start = Instant::now();
    let asking = (0..64_usize).map(|caller| {
        let spender = spender.clone();
        tokio::spawn(async move {
            let mut granted = 0_i64;
            for n in 0..16 {
                granted += i64::from(spender.reserve(caller, &key(caller, n)).await?);
            }
            anyhow::Ok(granted)
        })
    });
    let mut granted = 0;
    for one in futures::future::try_join_all(asking).await? {
        granted += one?;
    }
    let mut arm = Arm::new(name);
    arm.count("asked", 64 * 16);
    arm.count("granted", granted);
    arm.set("asks_per_s", 64.0 * 16.0 / start.elapsed().as_secs_f64());
    audit::tell(&ground.pool, &mut arm).await?;
    // What was granted beyond the limit counts even if the accounts did not see it.
    let over = (granted * BOUND - 100 * BOUND).max(0);
    let seen = arm.get("overspend_micro_usd").is_some_and(|seen| seen > 0.0);
    if over > 0 && !seen {
        arm.count("overspend_micro_usd", over);
    }
    ground.budget(budget, None, PLENTY).await?;
    Ok(arm)
}
