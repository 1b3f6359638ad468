//! Starting and stopping the service.

use crate::escalations::Escalations;
use crate::metrics::Metrics;
use crate::routes::{Desk, router};
use crate::{advisories, deadlines, dlq};
use anyhow::Context as _;
use golden_platform::auth::Authenticator;
use golden_platform::config::{CommonArgs, StoreArgs, TeamArgs};
use golden_platform::consumer::Consumer;
use golden_platform::http::{Health, serve};
use golden_platform::{CancellationToken, db, nats, shutdown, subjects, telemetry};
use sqlx::PgPool;
use std::time::Duration;
use uuid::Uuid;

/// How often deadlines are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Owns a team's escalations and dead letters.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub stores: StoreArgs,
    #[command(flatten)]
    pub team: TeamArgs,
}

/// Works until the process is told to stop.
pub async fn run(args: Args) -> anyhow::Result<()> {
    golden_platform::init_crypto();
    telemetry::init("supervisor");
    let stop = shutdown::on_signals()?;
    let registry = telemetry::Metrics::new("supervisor")?;
    let metrics = Metrics::new(&registry)?;
    let pool = db::connect(&args.stores.database_url, db::POOL_SIZE)?;
    let nats = nats::connect(&args.stores.nats_url).await?;
    let js = nats::jetstream(&nats);
    let kube =
        kube::Client::try_default().await.context("no Kubernetes API; the supervisor runs in a cluster")?;
    let team = args.team.team_uid;
    let desk =
        Desk { pool: pool.clone(), js: js.clone(), team_uid: team, namespace: args.common.namespace.clone() };
    let escalations = Escalations { pool: pool.clone(), metrics: metrics.clone() };
    let stream = subjects::escalations_stream(team);
    let consumer = Consumer::new(js.clone(), pool.clone(), team, stream, subjects::SUPERVISOR);
    let taking = consumer.run(stop.clone(), move |delivery| {
        let escalations = escalations.clone();
        async move { escalations.handle(delivery).await }
    });
    let health = Health::new(registry).postgres(pool.clone()).nats(nats);
    let serving =
        serve(args.common.listen, router(desk, Authenticator::kubernetes(kube)), health, stop.clone());
    let (served, (), (), (), ()) = tokio::join!(
        serving,
        taking,
        watch(pool.clone(), team, metrics, stop.clone()),
        dlq::drain(js.clone(), pool.clone(), team, stop.clone()),
        advisories::rescue(js, pool, team, stop),
    );
    Ok(served?)
}

/// Looks at the deadlines, again and again.
async fn watch(pool: PgPool, team: Uuid, metrics: Metrics, stop: CancellationToken) {
    let none: &[&str] = &[];
    while !stop.is_cancelled() {
        match look(&pool, team).await {
            Ok((defaulted, open, held)) => {
                metrics.defaulted.with_label_values(none).inc_by(u64::try_from(defaulted).unwrap_or(0));
                metrics.open.with_label_values(none).set(open);
                metrics.held.with_label_values(none).set(held);
            }
            Err(error) => tracing::warn!(%error, "deadlines cannot be looked at; trying again"),
        }
        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(LOOK) => {} }
    }
}

async fn look(pool: &PgPool, team: Uuid) -> Result<(usize, i64, i64), sqlx::Error> {
    let defaulted = deadlines::pass(pool, team).await?;
    let open = deadlines::open(pool, team).await?;
    let held = sqlx::query_scalar("SELECT count(*) FROM dead_letters WHERE team_uid = $1 AND state = 'Held'")
        .bind(team)
        .fetch_one(pool)
        .await?;
    Ok((defaulted, open, held))
}
