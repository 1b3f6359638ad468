//! `golden orchestrator`: the engine and the HTTP interface of one team.

use crate::engine::{Clock, Engine, EngineMetrics, NoFaults};
use crate::http::{Interface, KubeSecrets, router};
use golden_platform::auth::Authenticator;
use golden_platform::config::{CommonArgs, StoreArgs, TeamArgs};
use golden_platform::http::{Health, serve};
use golden_platform::telemetry::{self, Metrics};
use golden_platform::{CancellationToken, db, nats, shutdown};
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Options of the orchestrator.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub stores: StoreArgs,
    #[command(flatten)]
    pub team: TeamArgs,
}

/// Works until SIGTERM; then finishes what is in hand.
pub async fn run(args: Args) -> anyhow::Result<()> {
    golden_platform::init_crypto();
    telemetry::init("orchestrator");
    let stop = shutdown::on_signals()?;
    let pool = db::connect(&args.stores.database_url, db::POOL_SIZE)?;
    let client = nats::connect(&args.stores.nats_url).await?;
    let js = nats::jetstream(&client);
    let cluster = kube::Client::try_default().await?;
    let metrics = Metrics::new("orchestrator")?;
    let engine_metrics = EngineMetrics::new(&metrics)?;
    let breakers = metrics.breakers().clone();
    let health = Health::new(metrics).postgres(pool.clone()).nats(client);
    let interface = Interface {
        team: args.team.team_uid,
        pool: pool.clone(),
        artifacts: golden_platform::artifacts::Store::new(js.clone(), pool.clone()).listed(&breakers),
        secrets: Arc::new(KubeSecrets(cluster.clone())),
        breakers,
    };
    let routes = router(interface, Authenticator::kubernetes(cluster));
    let driving = async {
        let Some(install) = install_id(&pool, &stop).await else { return };
        let engine = Engine::new(
            args.team.team_uid,
            &args.common.namespace,
            install,
            pool.clone(),
            js,
            Clock::system(),
            Arc::new(NoFaults),
            engine_metrics,
        );
        Box::pin(engine.run(&args.stores.database_url, stop.clone())).await;
    };
    let serving = async {
        let served = serve(args.common.listen, routes, health, stop.clone()).await;
        // A listener that cannot be had ends the process: the engine must not work on unseen.
        stop.cancel();
        served
    };
    let (served, ()) = tokio::join!(serving, driving);
    Ok(served?)
}

/// The install's identity, once Postgres answers; none if told to stop before.
async fn install_id(pool: &PgPool, stop: &CancellationToken) -> Option<Uuid> {
    loop {
        match db::install_id(pool).await {
            Ok(id) => return Some(id),
            Err(e) => tracing::warn!(error = %e, "waiting for Postgres and its migrations"),
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
        }
    }
}
