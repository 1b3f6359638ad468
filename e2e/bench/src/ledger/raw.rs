//! What Postgres allows without a ledger: the same rows inserted in batches, no limit asked, no key answered.

use super::ground::Ground;
use super::keys::{key, request_hash};
use super::load::Busy;
use super::{BOUND, COST};
use crate::latency::Times;
use crate::report::Arm;
use anyhow::Result;
use futures::future::try_join_all;
use golden_cluster::services::Postgres;
use golden_platform::db;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The rows of a reserve as the ledger keeps them, with their indexes; and those of a settle.
pub(crate) const TABLES: &str = "
    CREATE TABLE raw_reserves (LIKE reservations INCLUDING ALL);
    CREATE TABLE raw_settles (op_key text PRIMARY KEY, actual_cost bigint NOT NULL, input_tokens bigint NOT NULL,
                              output_tokens bigint NOT NULL, latency_ms bigint NOT NULL, ended_at timestamptz NOT NULL);";

pub(crate) const RESERVE: &str = "
    INSERT INTO raw_reserves (op_key, request_hash, team_uid, task_uid, attempt, role, provider, model, prompt_digest,
                              path, state, cost, tokens, lease_until, dispatched_at)
    SELECT op_key, request_hash, $3, $4, 1, 'developer', 'golden-system/models', 'large', $2[1], ARRAY[$4],
           'Dispatched', $5, $5, now() + interval '10 minutes', now()
    FROM unnest($1::text[], $2::text[]) AS t(op_key, request_hash)";

pub(crate) const SETTLE: &str = "
    INSERT INTO raw_settles SELECT op_key, $2, $2, 0, 5, now() FROM unnest($1::text[]) AS op_key";

/// As many writers as the ledger has connections, each with batches of this many rows.
pub(crate) async fn insert(server: &Arc<Postgres>, batch: u64, seconds: f64) -> Result<Arm> {
    let ground = Ground::new(server, db::POOL_SIZE).await?;
    ground.ddl(TABLES.to_owned()).await?;
    let busy = Busy::from_now(server.pid());
    let begin = Instant::now();
    let until = begin + Duration::from_secs_f64(seconds);
    let writer = |writer: usize| {
        let (pool, team) = (ground.pool.clone(), ground.team);
        tokio::spawn(async move {
            let mut times = Times::default();
            for n in 0.. {
                let start = Instant::now();
                if start >= until {
                    break;
                }
                one(&pool, team, (n * batch..(n + 1) * batch).map(|n| key(writer, n)).collect()).await?;
                times.add(start.elapsed());
            }
            anyhow::Ok(times)
        })
    };
    let mut times = Times::default();
    for done in try_join_all((0..db::POOL_SIZE as usize).map(writer)).await? {
        times.merge(done?);
    }
    let seconds = begin.elapsed().as_secs_f64();
    let mut arm = Arm::new(name(batch));
    let batches = f64::from(u32::try_from(times.count()).unwrap_or(u32::MAX));
    let rows = f64::from(u32::try_from(batch).unwrap_or(u32::MAX));
    arm.set("spends_per_s", batches * rows / seconds);
    arm.set("p50_ms", times.percentile_ms(50));
    arm.set("p99_ms", times.percentile_ms(99));
    busy.tell(&mut arm);
    Ok(arm)
}

pub(crate) fn name(batch: u64) -> String {
    format!("raw insert, {batch} rows")
}

async fn one(pool: &PgPool, team: Uuid, keys: Vec<String>) -> Result<()> {
    let hashes: Vec<String> = keys.iter().map(|key| request_hash(key)).collect();
    sqlx::query(RESERVE).bind(&keys).bind(hashes).bind(team).bind(team).bind(BOUND).execute(pool).await?;
    sqlx::query(SETTLE).bind(&keys).bind(COST).execute(pool).await?;
    Ok(())
}
