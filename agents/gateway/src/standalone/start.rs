//! The gateway of a configuration, from its start to its end.

use super::config::{Config, NAMESPACE};
use super::keys::Keys;
use super::rows::{self, Uids};
use super::{database, say};
use crate::app::{Gateway, Memory};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::providers::Providers;
use crate::run::finish;
use crate::shared::SharedLimits;
use crate::{money, routes, standing, upstream};
use anyhow::{Context, ensure};
use golden_crds::ModelProvider;
use golden_ledger_service::{Leases, keep_expiring};
use golden_platform::auth::{Authenticator, Caller, Fixed, RUN_ACCOUNT};
use golden_platform::cache::Cache;
use golden_platform::http::{Health, serve_on};
use golden_platform::{CancellationToken, db, telemetry};
use kube::runtime::{reflector, watcher};
use sqlx::PgPool;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// A gateway that listens already.
pub struct Standalone {
    config: Config,
    uids: Uids,
    gateway: Arc<Gateway>,
    listener: TcpListener,
    health: Health,
    /// Ends leases of calls that nobody speaks for.
    expiring: JoinHandle<()>,
    /// The store of providers lives in it.
    _providers: reflector::store::Writer<ModelProvider>,
    /// By the database's clock.
    since_us: i64,
}

impl Standalone {
    /// Brings the database to this version, makes what the configuration names, and starts the ledger.
    pub async fn start(config: Config, stop: CancellationToken) -> anyhow::Result<Self> {
        golden_platform::init_crypto();
        // First of all: a second one by mistake changes nothing.
        let listener = TcpListener::bind(config.listen).await;
        let listener = listener.with_context(|| format!("listen: cannot listen on {}", config.listen))?;
        let pool = database::open(&config.postgres).await?;
        let uids = Uids::of(&config.budget, &config.task);
        rows::write(&pool, &config, uids).await?;
        // A pool of its own, so that calls under way cannot keep the ledger from settling them.
        let registry = telemetry::Metrics::new("gateway")?;
        let cache = Cache::of_service(config.redis.as_deref(), &registry).context("redis")?;
        let ledger = golden_ledger_service::Ledger::new(
            db::connect(&config.postgres, db::POOL_SIZE)?,
            Leases::default(),
        )
        .remembering(cache.as_ref(), &registry)?;
        let expiring = tokio::spawn(keep_expiring(ledger.clone(), stop.clone()));
        let (providers, writer) = providers(&config);
        let gateway = Arc::new(Gateway {
            pool: pool.clone(),
            ledger: Ledger::here(ledger),
            providers: providers
                .with_breakers(registry.breakers())
                .with_shared_limits(cache.clone().map(SharedLimits::start)),
            authenticator: authenticator(&config, uids),
            standalone: Some(config.models.clone()),
            metrics: Metrics::new(&registry)?,
            namespace: NAMESPACE.to_owned(),
            upstream: upstream::client()?,
            memory: Memory::default(),
            money: broadcast::Sender::new(money::KEPT),
            stop,
            calls: TaskTracker::new(),
        });
        let (url, heard) = (config.postgres.clone(), gateway.money.clone());
        tokio::spawn(async move { money::hear(&url, heard).await });
        tokio::spawn(standing::tell(Arc::clone(&gateway), standing::replica()));
        let since_us = rows::standing(&pool, uids).await?.now_us;
        let health = Health::new(registry).postgres(pool).cache(cache);
        Ok(Self { config, uids, gateway, listener, health, expiring, _providers: writer, since_us })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// For people: where it listens, which models answer, what is left, and what to set for each client.
    pub async fn welcome(&self) -> anyhow::Result<String> {
        let standing = rows::standing(&self.gateway.pool, self.uids).await?;
        Ok(say::welcome(&self.config, self.address()?, &standing))
    }

    /// What takes edited limits over while it serves.
    pub fn limits(&self) -> LimitsHandle {
        LimitsHandle { pool: self.gateway.pool.clone(), uids: self.uids }
    }

    /// Serves until it is told to stop; then says what was spent.
    pub async fn serve(self) -> anyhow::Result<String> {
        let Self { uids, gateway, listener, health, expiring, since_us, .. } = self;
        let stop = gateway.stop.clone();
        let served = serve_on(listener, routes::router(Arc::clone(&gateway)), health, stop.clone()).await;
        stop.cancel();
        finish(&gateway).await;
        expiring.await.context("the task that ends leases")?;
        served?;
        let said = async {
            let spent = rows::spent(&gateway.pool, uids, since_us).await?;
            Ok::<_, sqlx::Error>(say::farewell(&spent, &rows::standing(&gateway.pool, uids).await?))
        };
        said.await.context("what was spent cannot be read now; the next start says what is left")
    }
}

/// Takes edited limits over.
#[derive(Clone)]
pub struct LimitsHandle {
    pool: PgPool,
    uids: Uids,
}

impl LimitsHandle {
    /// Takes over the limits of a configuration, and nothing else of it; held calls hear of it. Says what is left.
    pub async fn take(&self, config: &Config) -> anyhow::Result<String> {
        let same = Uids::of(&config.budget, &config.task) == self.uids;
        ensure!(same, "budget.name and task.name stay as they are until a restart");
        let mut transaction = self.pool.begin().await?;
        rows::limits(&mut transaction, &config.budget, &config.task, self.uids).await?;
        transaction.commit().await?;
        Ok(say::budget(&rows::standing(&self.pool, self.uids).await?))
    }
}

fn providers(config: &Config) -> (Providers, reflector::store::Writer<ModelProvider>) {
    let (store, mut writer) = reflector::store();
    for provider in &config.providers {
        writer.apply_watcher_event(&watcher::Event::Apply(provider.object.clone()));
    }
    (Providers::new(store, Box::new(Keys::of(&config.providers)), NAMESPACE), writer)
}

/// Whoever has the token is the pod of the one try.
fn authenticator(config: &Config, uids: Uids) -> Authenticator {
    let caller = Caller::service(NAMESPACE, RUN_ACCOUNT).in_pod("client", uids.r#try);
    Authenticator::new(Fixed([(config.token.value.clone(), caller)].into()))
}
