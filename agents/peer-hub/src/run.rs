//! Starting and stopping the service.

use crate::ask::Gateway;
use crate::handler::Hub;
use crate::metrics::Metrics;
use golden_platform::config::{CommonArgs, StoreArgs, TeamArgs};
use golden_platform::consumer::Consumer;
use golden_platform::http::{Health, ServiceClient, TokenFile, client, serve};
use golden_platform::{artifacts, db, nats, shutdown, subjects, telemetry};

/// Reviews at once.
const CONCURRENCY: usize = 4;

/// Asks a team's reviewers and decides.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub stores: StoreArgs,
    #[command(flatten)]
    pub team: TeamArgs,
    #[arg(long, env = "GOLDEN_GATEWAY_URL", default_value = "http://golden-gateway:8080")]
    pub gateway_url: String,
}

/// Works until the process is told to stop.
pub async fn run(args: Args) -> anyhow::Result<()> {
    golden_platform::init_crypto();
    telemetry::init("peer-hub");
    let stop = shutdown::on_signals()?;
    let registry = telemetry::Metrics::new("peer-hub")?;
    let pool = db::connect(&args.stores.database_url, db::POOL_SIZE)?;
    let nats = nats::connect(&args.stores.nats_url).await?;
    let js = nats::jetstream(&nats);
    let token = TokenFile::new(&args.common.token_file);
    let hub = Hub {
        pool: pool.clone(),
        artifacts: artifacts::Store::new(js.clone(), pool.clone()).listed(registry.breakers()),
        gateway: Gateway::new(ServiceClient::new(client()?, &args.gateway_url, token)),
        metrics: Metrics::new(&registry)?,
    };
    let team = args.team.team_uid;
    let consumer = Consumer::new(js, pool.clone(), team, subjects::prc_stream(team), subjects::PEER_HUB)
        .concurrency(CONCURRENCY);
    let health = Health::new(registry).postgres(pool).nats(nats);
    let working = consumer.run(stop.clone(), move |delivery| {
        let hub = hub.clone();
        async move { hub.handle(delivery).await }
    });
    let (served, ()) = tokio::join!(serve(args.common.listen, axum::Router::new(), health, stop), working);
    Ok(served?)
}
