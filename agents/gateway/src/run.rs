//! Starting and stopping the service.

use crate::app::{Gateway, Memory};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::providers::{KubeSecrets, Providers};
use crate::shared::SharedLimits;
use crate::{money, routes, standalone, standing, upstream};
use anyhow::Context;
use futures::StreamExt;
use golden_crds::ModelProvider;
use golden_platform::auth::Authenticator;
use golden_platform::cache::Cache;
use golden_platform::config::CommonArgs;
use golden_platform::http::{Health, ServiceClient, TokenFile, client, serve};
use golden_platform::{db, shutdown, telemetry};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio_util::task::TaskTracker;

/// How long calls under way may still settle once the process stops.
const SETTLE: Duration = Duration::from_secs(4);

/// What a file says instead; given beside one, an argument would only look as if it counted.
const OF_CLUSTERS: [&str; 6] =
    ["database_url", "redis_url", "ledger_url", "namespace", "listen", "token_file"];

/// Calls models for attempts and voters, and pays for each call.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: CommonArgs,
    /// Runs outside a cluster, with everything that this file says (docs/gateway.md).
    #[arg(long, value_name = "FILE", conflicts_with_all = OF_CLUSTERS)]
    pub config: Option<PathBuf>,
    /// Postgres, as the role golden_service.
    #[arg(long, env = "GOLDEN_DATABASE_URL", hide_env_values = true, required_unless_present = "config")]
    pub database_url: Option<String>,
    /// Redis: provider limits are counted for all replicas together. Without it each counts for itself.
    #[arg(long, env = "GOLDEN_REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    #[arg(long, env = "GOLDEN_LEDGER_URL", default_value = "http://golden-ledger:8080")]
    pub ledger_url: String,
}

/// Serves until the process is told to stop.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match &args.config {
        Some(file) => standalone::run(file).await,
        None => in_cluster(args).await,
    }
}

async fn in_cluster(args: Args) -> anyhow::Result<()> {
    golden_platform::init_crypto();
    telemetry::init("gateway");
    let stop = shutdown::on_signals()?;
    let kube =
        kube::Client::try_default().await.context("no Kubernetes API; the gateway runs in a cluster")?;
    let (providers, writer) = reflector::store();
    tokio::spawn(watch(kube.clone(), writer));
    let registry = telemetry::Metrics::new("gateway")?;
    let database_url = args.database_url.context("GOLDEN_DATABASE_URL is missing")?;
    let pool = db::connect(&database_url, db::POOL_SIZE)?;
    let token = TokenFile::new(&args.common.token_file);
    let cache = Cache::of_service(args.redis_url.as_deref(), &registry).context("GOLDEN_REDIS_URL")?;
    let gateway = Arc::new(Gateway {
        pool: pool.clone(),
        ledger: Ledger::new(ServiceClient::new(client()?, &args.ledger_url, token)),
        providers: Providers::new(
            providers.clone(),
            Box::new(KubeSecrets(kube.clone())),
            &args.common.namespace,
        )
        .with_breakers(registry.breakers())
        .with_shared_limits(cache.clone().map(SharedLimits::start)),
        authenticator: Authenticator::kubernetes(kube),
        standalone: None,
        metrics: Metrics::new(&registry)?,
        namespace: args.common.namespace.clone(),
        upstream: upstream::client()?,
        memory: Memory::default(),
        money: broadcast::Sender::new(money::KEPT),
        stop: stop.clone(),
        calls: TaskTracker::new(),
    });
    let money = gateway.money.clone();
    tokio::spawn(async move { money::hear(&database_url, money).await });
    tokio::spawn(standing::tell(Arc::clone(&gateway), standing::replica()));
    let ledger = gateway.ledger.clone();
    let health = Health::new(registry)
        .postgres(pool)
        .cache(cache)
        .gate("ledger", move || {
            let ledger = ledger.clone();
            async move { ledger.ping().await }
        })
        .gate("providers", move || {
            let providers = providers.clone();
            async move { providers.wait_until_ready().await.map_err(|e| e.to_string()) }
        });
    serve(args.common.listen, routes::router(Arc::clone(&gateway)), health, stop).await?;
    finish(&gateway).await;
    Ok(())
}

/// Lets calls settle.
pub async fn finish(gateway: &Gateway) {
    gateway.calls.close();
    if tokio::time::timeout(SETTLE, gateway.calls.wait()).await.is_err() {
        tracing::warn!(
            calls = gateway.calls.len(),
            "calls are left to the ledger, which charges them in full"
        );
    }
}

async fn watch(kube: kube::Client, writer: reflector::store::Writer<ModelProvider>) {
    let providers: kube::Api<ModelProvider> = kube::Api::all(kube);
    let events = watcher(providers, watcher::Config::default()).default_backoff().reflect(writer);
    events
        .for_each(|event| async move {
            if let Err(error) = event {
                tracing::warn!(%error, "watching ModelProviders");
            }
        })
        .await;
}
