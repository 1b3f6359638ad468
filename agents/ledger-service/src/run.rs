//! Starting the service.

use std::time::Duration;

use anyhow::Context as _;
use golden_platform::auth::Authenticator;
use golden_platform::cache::Cache;
use golden_platform::config::CommonArgs;
use golden_platform::http::{Health, serve};
use golden_platform::telemetry::{self, Metrics};
use golden_platform::{db, init_crypto, shutdown};

use crate::{Leases, Ledger, keep_expiring, router};

/// Reserves, settles and releases money for calls of models.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: CommonArgs,
    /// Postgres, as the role golden_service.
    #[arg(long, env = "GOLDEN_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// Redis: remembers for five minutes how calls ended. Without it Postgres is asked again.
    #[arg(long, env = "GOLDEN_REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// How many seconds a call that was sent may be silent before its bound counts as spent. Longer than any call.
    #[arg(long, env = "GOLDEN_LEDGER_DISPATCHED_SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u32).range(10..=86_400))]
    pub dispatched_seconds: u32,
}

/// Serves until the process is told to stop.
pub async fn run(args: Args) -> anyhow::Result<()> {
    init_crypto();
    telemetry::init("ledger");
    let stop = shutdown::on_signals()?;
    let kube =
        kube::Client::try_default().await.context("no Kubernetes API; the ledger runs in a cluster")?;
    let pool = db::connect(&args.database_url, db::POOL_SIZE).context("GOLDEN_DATABASE_URL")?;
    let dispatched = Duration::from_secs(args.dispatched_seconds.into());
    let leases = Leases { dispatched, ..Leases::default() };
    let metrics = Metrics::new("ledger")?;
    let cache = Cache::of_service(args.redis_url.as_deref(), &metrics).context("GOLDEN_REDIS_URL")?;
    let ledger = Ledger::measured(pool.clone(), leases, &metrics)?.remembering(cache.as_ref(), &metrics)?;
    let ending = tokio::spawn(keep_expiring(ledger.clone(), stop.clone()));
    let routes = router(ledger, &args.common.namespace, Authenticator::kubernetes(kube));
    serve(args.common.listen, routes, Health::new(metrics).postgres(pool).cache(cache), stop).await?;
    ending.await.context("the task that ends leases")
}
