//! Starting and stopping the service.

use super::http::router;
use super::metrics::Metrics;
use super::tend::Broker;
use golden_platform::auth::Authenticator;
use golden_platform::config::{CommonArgs, StoreArgs, TeamArgs};
use golden_platform::consumer::Consumer;
use golden_platform::http::{Health, serve};
use golden_platform::{artifacts, db, nats, shutdown, subjects, telemetry};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often the queue is measured.
const MEASURE: Duration = Duration::from_secs(5);

/// Runs a team's guards in isolation.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub stores: StoreArgs,
    #[command(flatten)]
    pub team: TeamArgs,
    /// Runs this replica waits for at once.
    #[arg(long, env = "GOLDEN_SANDBOX_CONCURRENCY", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub concurrency: u16,
    /// Image of the guards that come with Golden: its own.
    #[arg(long, env = "GOLDEN_IMAGE", default_value = "golden:dev")]
    pub golden_image: String,
}

/// Works until the process is told to stop.
pub async fn run(args: Args) -> anyhow::Result<()> {
    golden_platform::init_crypto();
    telemetry::init("sandbox");
    let stop = shutdown::on_signals()?;
    let registry = telemetry::Metrics::new("sandbox")?;
    let pool = db::connect(&args.stores.database_url, db::POOL_SIZE)?;
    let nats = nats::connect(&args.stores.nats_url).await?;
    let js = nats::jetstream(&nats);
    let client = kube::Client::try_default().await?;
    let team = args.team.team_uid;
    let metrics = Metrics::new(&registry)?;
    let broker = Broker {
        pool: pool.clone(),
        client: client.clone(),
        artifacts: artifacts::Store::new(js.clone(), pool.clone()).listed(registry.breakers()),
        metrics: metrics.clone(),
        team: args.team,
        golden_image: args.golden_image,
    };
    let routes = router(broker.clone(), Authenticator::kubernetes(client));
    let health = Health::new(registry).postgres(pool.clone()).nats(nats);
    let measuring = measure(js.clone(), team, metrics, stop.clone());
    let consumer = Consumer::new(js, pool, team, subjects::prc_stream(team), subjects::SANDBOX)
        .concurrency(args.concurrency.into());
    let working = consumer.run(stop.clone(), move |delivery| {
        let broker = broker.clone();
        async move { broker.handle(delivery).await }
    });
    let (served, (), ()) = tokio::join!(serve(args.common.listen, routes, health, stop), working, measuring);
    Ok(served?)
}

/// Keeps the queue's depth in the metrics: what waits and what is under way, over all replicas.
async fn measure(js: async_nats::jetstream::Context, team: Uuid, metrics: Metrics, stop: CancellationToken) {
    let stream = subjects::prc_stream(team);
    while !stop.is_cancelled() {
        let reading = js.get_consumer_from_stream::<async_nats::jetstream::consumer::pull::Config, _, _>(
            subjects::SANDBOX,
            &stream,
        );
        // Away: the last figure stays; readiness says why.
        if let Ok(consumer) = reading.await {
            let info = consumer.cached_info();
            metrics.queue(info.num_pending + info.num_ack_pending as u64);
        }
        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(MEASURE) => {} }
    }
}
