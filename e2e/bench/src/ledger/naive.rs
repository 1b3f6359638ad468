//! What one writes first: the budget is a row, every caller updates it by itself.

use super::ground::{Ground, PLENTY};
use super::keys::{key, request_hash};
use super::load::{Busy, Spend, closed};
use super::raw::TABLES;
use super::{BOUND, COST};
use crate::report::Arm;
use anyhow::{Result, ensure};
use golden_cluster::services::Postgres;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// Callers, each with a connection of its own.
const CALLERS: u32 = 64;

const BUDGET: &str = "CREATE TABLE naive_budget (
    uid uuid PRIMARY KEY, limit_cost bigint NOT NULL, spent bigint NOT NULL DEFAULT 0, reserved bigint NOT NULL DEFAULT 0)";

/// Both steps in one statement each.
const RESERVE: &str = "
    WITH paid AS (UPDATE naive_budget SET reserved = reserved + $4
                  WHERE uid = $3 AND spent + reserved + $4 <= limit_cost RETURNING uid)
    INSERT INTO raw_reserves (op_key, request_hash, team_uid, task_uid, attempt, role, provider, model, prompt_digest,
                              path, state, cost, tokens, lease_until, dispatched_at)
    SELECT $1, $2, uid, uid, 1, 'developer', 'golden-system/models', 'large', $2, ARRAY[uid],
           'Dispatched', $4, $4, now() + interval '10 minutes', now() FROM paid";
const SETTLE: &str = "
    WITH row AS (INSERT INTO raw_settles VALUES ($1, $4, $4, 0, 5, now()) RETURNING op_key)
    UPDATE naive_budget SET spent = spent + $4, reserved = reserved - $3 WHERE uid = $2 AND EXISTS (SELECT FROM row)";

/// The same with the row looked at first, under a lock.
const LOOK: &str = "SELECT spent + reserved + $2 <= limit_cost FROM naive_budget WHERE uid = $1 FOR UPDATE";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Update,
    SelectForUpdate,
}

impl How {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Update => "naive UPDATE, 64 callers",
            Self::SelectForUpdate => "SELECT FOR UPDATE, 64 callers",
        }
    }
}

pub(crate) async fn spend(server: &Arc<Postgres>, how: How, seconds: f64) -> Result<Arm> {
    let ground = Ground::new(server, CALLERS).await?;
    ground.ddl(format!("{TABLES}{BUDGET}")).await?;
    let budget = Uuid::new_v4();
    sqlx::query("INSERT INTO naive_budget (uid, limit_cost) VALUES ($1, $2)")
        .bind(budget)
        .bind(PLENTY)
        .execute(&ground.pool)
        .await?;
    let busy = Busy::from_now(server.pid());
    let pool = ground.pool.clone();
    let mut load = closed(CALLERS as usize, seconds, move |caller, n| {
        let (pool, key) = (pool.clone(), key(caller, n));
        async move {
            let start = Instant::now();
            reserve(&pool, how, budget, &key).await?;
            let reserve = start.elapsed();
            settle(&pool, how, budget, &key).await?;
            Ok(Spend { reserve, settle: start.elapsed().saturating_sub(reserve) })
        }
    })
    .await?;
    let mut arm = Arm::new(how.name());
    load.tell(&mut arm);
    busy.tell(&mut arm);
    let over: i64 =
        sqlx::query_scalar("SELECT greatest(max(spent + reserved - limit_cost), 0) FROM naive_budget")
            .fetch_one(&ground.pool)
            .await?;
    arm.count("overspend_micro_usd", over);
    Ok(arm)
}

async fn reserve(pool: &PgPool, how: How, budget: Uuid, key: &str) -> Result<()> {
    let mut tx = match how {
        How::Update => None,
        How::SelectForUpdate => Some(pool.begin().await?),
    };
    if let Some(tx) = &mut tx {
        let fits: bool = sqlx::query_scalar(LOOK).bind(budget).bind(BOUND).fetch_one(&mut **tx).await?;
        ensure!(fits, "the budget is exhausted");
    }
    let statement = sqlx::query(RESERVE).bind(key).bind(request_hash(key)).bind(budget).bind(BOUND);
    let done = match &mut tx {
        Some(tx) => statement.execute(&mut **tx).await?,
        None => statement.execute(pool).await?,
    };
    ensure!(done.rows_affected() == 1, "the budget is exhausted");
    if let Some(tx) = tx {
        tx.commit().await?;
    }
    Ok(())
}

async fn settle(pool: &PgPool, how: How, budget: Uuid, key: &str) -> Result<()> {
    let statement = sqlx::query(SETTLE).bind(key).bind(budget).bind(BOUND).bind(COST);
    match how {
        How::Update => {
            statement.execute(pool).await?;
        }
        How::SelectForUpdate => {
            let mut tx = pool.begin().await?;
            sqlx::query(LOOK).bind(budget).bind(BOUND).execute(&mut *tx).await?;
            statement.execute(&mut *tx).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}
