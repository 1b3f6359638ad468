//! The arms, in their order. One that fails says so and the others go on.

use super::calls::{bearer, token};
use super::child::Child;
use super::litellm::{self, Budgets, Proxy};
use super::load::Load;
use super::measure::{self, Watched};
use super::races::{self, LATENCY_MS, Price, RACES, Race, TASKS};
use super::target::Target;
use super::town::Town;
use crate::ledger::ground::PLENTY;
use crate::report::Arm;
use anyhow::{Context as _, Result};
use golden_cluster::services::{Postgres, Redis};
use std::sync::Arc;
use uuid::Uuid;

pub(crate) const DIRECT: &str = "direct";
pub(crate) const PROXY: &str = "axum_proxy";
pub(crate) const GOLDEN: &str = "golden";
pub(crate) const GOLDEN_REDIS: &str = "golden_redis";
pub(crate) const LITELLM: &str = "litellm";
/// Tasks that call, all on one budget.
const CALLING: usize = 16;

/// What of it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    Direct,
    AxumProxy,
    Golden,
    GoldenRedis,
    Litellm,
    Races,
}

/// The parts that are wanted; all of them, where none is named.
pub(crate) async fn every(only: &[Part], seconds: f64, progress: bool) -> Result<Vec<Arm>> {
    let wanted = |part| only.is_empty() || only.contains(&part);
    let mut arms = Arms { done: vec![], progress };
    let upstream = upstream(0).await?;
    if wanted(Part::Direct) {
        arms.add(DIRECT, direct(&upstream, seconds).await);
    }
    if wanted(Part::AxumProxy) {
        arms.add(PROXY, proxy(&upstream, seconds).await);
    }
    let server = tokio::task::spawn_blocking(Postgres::start_durable).await?.context("no Postgres");
    let server = server.map(Arc::new);
    if wanted(Part::Golden) {
        let arm = Arm::new(GOLDEN);
        arms.add(
            GOLDEN,
            with(&server, async |server| golden(arm, server, &upstream, None, seconds).await).await,
        );
    }
    if wanted(Part::GoldenRedis) {
        arms.add(
            GOLDEN_REDIS,
            with(&server, async |server| with_redis(server, &upstream, seconds).await).await,
        );
    }
    if wanted(Part::Litellm) {
        arms.add(LITELLM, litellm(&upstream, seconds).await);
    }
    drop(upstream);
    if wanted(Part::Races) {
        play(&mut arms, &server).await?;
    }
    Ok(arms.done)
}

/// The races, on both sides.
async fn play(arms: &mut Arms, server: &Result<Arc<Postgres>>) -> Result<()> {
    let slow = upstream(LATENCY_MS).await?;
    let price = Price::of(&Target::new(&slow.url)).await?;
    arms.races(GOLDEN, with(server, async |server| golden_races(server, &slow, price).await).await);
    arms.races(LITELLM, litellm_races(&slow, price).await);
    Ok(())
}

/// An arm that needs Postgres says so if there is none.
async fn with<T>(
    server: &Result<Arc<Postgres>>,
    arm: impl AsyncFnOnce(&Arc<Postgres>) -> Result<T>,
) -> Result<T> {
    match server {
        Ok(server) => arm(server).await,
        Err(error) => anyhow::bail!("{error:#}"),
    }
}

async fn upstream(latency_ms: u64) -> Result<Child> {
    let args = ["upstream", "--latency-ms", &latency_ms.to_string()].map(str::to_owned);
    Child::start(&args).await.context("the upstream")
}

/// Callers whose token nobody checks, as long as those that are checked.
fn anybody(url: &str) -> Result<Load> {
    let bearers = (0..CALLING).map(|_| bearer(&token(Uuid::new_v4()))).collect::<Result<_>>()?;
    Ok(Load::new(Arc::new(Target::new(url)), bearers))
}

async fn direct(upstream: &Child, seconds: f64) -> Result<Arm> {
    let mut arm = Arm::new(DIRECT);
    let watched = Watched { pid: None, metrics: None };
    measure::all(&mut arm, &anybody(&upstream.url)?, watched, seconds).await?;
    Ok(arm)
}

async fn proxy(upstream: &Child, seconds: f64) -> Result<Arm> {
    let child = Child::start(&["proxy", "--upstream", &upstream.url].map(str::to_owned)).await?;
    let mut arm = Arm::new(PROXY);
    let watched = Watched { pid: Some(child.pid()), metrics: None };
    measure::all(&mut arm, &anybody(&child.url)?, watched, seconds).await?;
    child.stop().await?;
    Ok(arm)
}

async fn golden(
    mut arm: Arm,
    server: &Arc<Postgres>,
    upstream: &Child,
    redis: Option<&str>,
    seconds: f64,
) -> Result<Arm> {
    let mut town = Town::new(server, &upstream.url, redis, CALLING).await?;
    let budget = town.budget(PLENTY).await?;
    let mut bearers = vec![];
    for _ in 0..CALLING {
        bearers.push(bearer(&town.task(budget).await?)?);
    }
    let load = Load::new(Arc::clone(&town.target), bearers);
    let watched = Watched { pid: Some(town.gateway.pid()), metrics: Some(&town.target) };
    measure::all(&mut arm, &load, watched, seconds).await?;
    town.audit(load.answered(), &mut arm).await?;
    town.stop().await?;
    Ok(arm)
}

/// The same with what Redis is for: limits of providers counted for all replicas together, answers of the ledger that
/// are remembered.
async fn with_redis(server: &Arc<Postgres>, upstream: &Child, seconds: f64) -> Result<Arm> {
    let redis = tokio::task::spawn_blocking(Redis::start).await?.context("no Redis")?;
    golden(Arm::new(GOLDEN_REDIS), server, upstream, Some(&redis.url()), seconds).await
}

async fn litellm(upstream: &Child, seconds: f64) -> Result<Arm> {
    let proxy = Proxy::start(&upstream.url, Budgets { session: 1, end_user: 1 }).await?;
    let bearers = (0..CALLING).map(|_| bearer(&litellm::key(false, 1_000_000_000))).collect::<Result<_>>()?;
    let load = Load::new(Arc::clone(&proxy.target), bearers);
    let mut arm = Arm::new(LITELLM);
    let watched = Watched { pid: Some(proxy.pid()), metrics: None };
    measure::all(&mut arm, &load, watched, seconds).await?;
    Ok(arm)
}

async fn golden_races(
    server: &Arc<Postgres>,
    upstream: &Child,
    price: Price,
) -> Result<Vec<(Race, Result<Arm>)>> {
    let mut town = Town::new(server, &upstream.url, None, TASKS).await?;
    let mut arms = vec![];
    for race in RACES {
        arms.push((race, races::golden(&mut town, race, price).await));
    }
    town.stop().await?;
    Ok(arms)
}

async fn litellm_races(upstream: &Child, price: Price) -> Result<Vec<(Race, Result<Arm>)>> {
    let budgets = Budgets { session: Race::Session.limit(price), end_user: Race::FirstRequest.limit(price) };
    let proxy = Proxy::start(&upstream.url, budgets).await?;
    let mut arms = vec![];
    for race in RACES {
        arms.push((race, races::litellm(&proxy, race, price).await));
    }
    Ok(arms)
}

struct Arms {
    done: Vec<Arm>,
    progress: bool,
}

impl Arms {
    fn add(&mut self, name: &str, arm: Result<Arm>) {
        let arm = arm.unwrap_or_else(|error| Arm::failed(name, &error));
        if self.progress {
            let told = arm.error.clone().unwrap_or_else(|| {
                let metrics = arm.metrics.iter().take(4);
                metrics.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
            });
            println!("{}: {told}", arm.name);
        }
        self.done.push(arm);
    }

    /// Each race is an arm, also where none could be played.
    fn races(&mut self, side: &str, played: Result<Vec<(Race, Result<Arm>)>>) {
        match played {
            Ok(played) => {
                for (race, arm) in played {
                    self.add(&race.arm(side), arm);
                }
            }
            Err(error) => RACES.iter().for_each(|race| {
                self.add(&race.arm(side), Err(anyhow::anyhow!("{error:#}")));
            }),
        }
    }
}
