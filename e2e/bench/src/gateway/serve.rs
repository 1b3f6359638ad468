//! The servers of this benchmark, each as a process: it prints where it listens and serves until its standard input
//! ends, so that it never outlives who started it.

use super::{proxy, services, upstream};
use anyhow::Result;
use axum::Router;
use golden_platform::CancellationToken;
use golden_platform::http::{Health, at_once, serve_on};
use std::io::Read as _;
use tokio::net::TcpListener;
use uuid::Uuid;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Role {
    /// What the recorded model answers, said again and again
    Upstream {
        /// Wait so long before each answer.
        #[arg(long, default_value_t = 0)]
        latency_ms: u64,
    },
    /// What the recorded model answers clients of agents, with the usage that the benchmark drew
    Clients,
    /// A proxy that only passes on
    Proxy {
        #[arg(long)]
        upstream: String,
    },
    /// Golden's ledger
    Ledger {
        #[command(flatten)]
        stores: Stores,
    },
    /// Golden's gateway
    Gateway {
        #[command(flatten)]
        stores: Stores,
        #[arg(long)]
        ledger_url: String,
        #[arg(long)]
        upstream: String,
        /// A pod that may call; its token follows from its uid.
        #[arg(long = "pod")]
        pods: Vec<Uuid>,
    },
}

/// Where a service of Golden's keeps what it must not lose, and what it may.
#[derive(Debug, clap::Args)]
pub(crate) struct Stores {
    #[arg(long)]
    pub(crate) database_url: String,
    #[arg(long)]
    pub(crate) redis_url: Option<String>,
}

pub(crate) async fn serve(role: Role) -> Result<()> {
    golden_platform::init_crypto();
    let stop = CancellationToken::new();
    let ended = stop.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut vec![]);
        ended.cancel();
    });
    match role {
        Role::Upstream { latency_ms } => alone(upstream::router(latency_ms).await?, stop).await,
        Role::Clients => alone(crate::reservations::upstream().await?, stop).await,
        Role::Proxy { upstream } => alone(proxy::router(&upstream)?, stop).await,
        Role::Ledger { stores } => services::ledger(&stores, stop).await,
        Role::Gateway { stores, ledger_url, upstream, pods } => {
            services::gateway(&stores, &ledger_url, &upstream, &pods, stop).await
        }
    }
}

/// On a free port of this machine.
async fn listener() -> Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(listener)
}

/// Without what Golden's services have beside their routes.
async fn alone(router: Router, stop: CancellationToken) -> Result<()> {
    let serving = axum::serve(at_once(listener().await?), router);
    tokio::select! {
        done = serving.into_future() => done?,
        () = stop.cancelled() => {}
    }
    Ok(())
}

/// As Golden's services are served.
pub(crate) async fn as_service(router: Router, health: Health, stop: CancellationToken) -> Result<()> {
    serve_on(listener().await?, router, health, stop).await?;
    Ok(())
}
