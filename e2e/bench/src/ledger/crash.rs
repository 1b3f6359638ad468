//! Postgres is killed under load: whatever a caller was told is there afterwards.

use super::audit;
use super::ground::Ground;
use super::keys::key;
use super::ours::Spender;
use crate::report::Arm;
use anyhow::{Context as _, Result, ensure};
use golden_cluster::services::Postgres;
use golden_platform::db;
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CALLERS: usize = 64;
/// How long a caller waits before it asks again with the same key.
const AGAIN: Duration = Duration::from_millis(50);
/// A ledger that does not come back is a finding, not a wait.
const PATIENCE: Duration = Duration::from_mins(1);

/// What one caller was told.
#[derive(Default)]
struct Told {
    reserved: Vec<String>,
    settled: Vec<String>,
    failed: u32,
    /// The longest that one step took, failures and all.
    longest: Duration,
}

pub(crate) async fn kill(server: &Arc<Postgres>, name: String, seconds: f64) -> Result<Arm> {
    let ground = Ground::new(server, db::POOL_SIZE).await?;
    let spender = Spender::new(&ground, ground.hot().await?.1)?;
    let half = Duration::from_secs_f64(seconds / 2.0);
    let until = Instant::now() + half * 2;
    let callers: Vec<_> = (0..CALLERS).map(|c| tokio::spawn(call(spender.clone(), c, until))).collect();
    tokio::time::sleep(half).await;
    let own = Arc::clone(server);
    let killed = Instant::now();
    tokio::task::spawn_blocking(move || own.kill().and_then(|()| own.restart())).await??;
    let restart = killed.elapsed();
    let mut told = Told::default();
    for caller in callers {
        let one = caller.await?.context("a caller gave up")?;
        told.reserved.extend(one.reserved);
        told.settled.extend(one.settled);
        told.failed += one.failed;
        told.longest = told.longest.max(one.longest);
    }
    ensure!(told.failed > 0, "no caller noticed that Postgres was killed: it was not under load");
    let states = states(&ground.pool).await?;
    let lost_reserves = told.reserved.iter().filter(|key| !states.contains_key(*key)).count();
    let lost_settles =
        told.settled.iter().filter(|key| states.get(*key).is_none_or(|s| s != "Settled")).count();
    let mut arm = Arm::new(name);
    arm.count("acknowledged_keys", i64::try_from(told.reserved.len() + told.settled.len())?);
    arm.count("missing_keys", i64::try_from(lost_reserves + lost_settles)?);
    arm.count("failed_calls", i64::from(told.failed));
    arm.set("postgres_restart_ms", restart.as_secs_f64() * 1000.0);
    arm.set("longest_wait_ms", told.longest.as_secs_f64() * 1000.0);
    audit::tell(&ground.pool, &mut arm).await?;
    Ok(arm)
}

async fn call(spender: Spender, caller: usize, until: Instant) -> Result<Told> {
    let mut told = Told::default();
    for n in 0.. {
        if Instant::now() >= until {
            break;
        }
        let key = key(caller, n);
        step(&mut told, || async { spender.reserve(caller, &key).await.map(drop) }).await?;
        told.reserved.push(key.clone());
        step(&mut told, || spender.settle(&key)).await?;
        told.settled.push(key);
    }
    Ok(told)
}

/// Asks until it is answered, as a caller must who does not know what became of its question.
async fn step<R: Future<Output = Result<()>>>(told: &mut Told, ask: impl Fn() -> R) -> Result<()> {
    let start = Instant::now();
    while let Err(error) = ask().await {
        told.failed += 1;
        ensure!(start.elapsed() < PATIENCE, "the ledger did not come back: {error:#}");
        tokio::time::sleep(AGAIN).await;
    }
    told.longest = told.longest.max(start.elapsed());
    Ok(())
}

async fn states(pool: &PgPool) -> Result<HashMap<String, String>> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT op_key, state FROM reservations").fetch_all(pool).await?;
    Ok(rows.into_iter().collect())
}
