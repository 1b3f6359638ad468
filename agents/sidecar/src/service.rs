//! `golden sidecar`: start-up and wiring.

use crate::layout::{self, Folders};
use crate::transcript::{self, Desk};
use crate::{LISTEN, proxy, result, saved};
use anyhow::Context as _;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use golden_platform::http::{ServiceClient, TokenFile, at_once, client};
use golden_platform::{artifacts, shutdown, telemetry};
use http::StatusCode;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the work is laid out, and whom the sidecar speaks to.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The team's orchestrator.
    #[arg(long, env = "GOLDEN_ORCHESTRATOR_URL")]
    orchestrator_url: String,
    /// The gateway.
    #[arg(long, env = "GOLDEN_GATEWAY_URL")]
    gateway_url: String,
    /// The pod's token.
    #[arg(long, env = "GOLDEN_TOKEN_FILE", default_value = "/var/run/golden/token")]
    token_file: PathBuf,
    /// Where the agent works.
    #[arg(long, env = "GOLDEN_WORKSPACE", default_value = "/workspace")]
    workspace: PathBuf,
    /// Where prompt and feedback are laid.
    #[arg(long, env = "GOLDEN_DIR", default_value = "/golden")]
    golden: PathBuf,
    /// Where it answers: within the pod only.
    #[arg(long, default_value = LISTEN)]
    listen: SocketAddr,
}

/// Serves until the pod ends.
pub async fn run(args: Args) -> anyhow::Result<()> {
    telemetry::init("sidecar");
    let stop = shutdown::on_signals()?;
    let token = TokenFile::new(&args.token_file);
    let orchestrator = ServiceClient::new(client()?, &args.orchestrator_url, token.clone());
    let gateway = ServiceClient::new(client()?, &args.gateway_url, token);
    let ready = Arc::new(AtomicBool::new(false));
    let router = router(orchestrator.clone(), gateway, ready.clone());
    let listener = tokio::net::TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let stopping = stop.clone();
    let serving = axum::serve(at_once(listener), router)
        .with_graceful_shutdown(async move { stopping.cancelled().await });
    let folders = Folders { workspace: args.workspace, golden: args.golden };
    let work = async {
        layout::lay_out(&orchestrator, &folders).await?;
        ready.store(true, Ordering::Release);
        stop.cancelled().await;
        anyhow::Ok(())
    };
    tokio::select! {
        served = serving.into_future() => served.map_err(Into::into),
        // A pod whose work cannot be laid out ends with the reason, and is tried again.
        worked = work => worked,
    }
}

fn router(orchestrator: ServiceClient, gateway: ServiceClient, ready: Arc<AtomicBool>) -> Router {
    let state = move || {
        let ready = ready.clone();
        async move { if ready.load(Ordering::Acquire) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE } }
    };
    let desk = Desk::new(orchestrator.clone());
    Router::new()
        // Anthropic's clients look whether anybody is there before their first call.
        .route("/", get(async || "golden sidecar\n"))
        .route("/readyz", get(state))
        .route(
            "/golden/transcript",
            post(transcript::take)
                .with_state(desk.clone())
                .layer(DefaultBodyLimit::max(transcript::MAX_BYTES)),
        )
        .route(
            "/golden/result",
            post(result::take).with_state(desk.clone()).layer(DefaultBodyLimit::max(artifacts::MAX_BYTES)),
        )
        .route("/golden/pause", get(saved::wish).with_state(orchestrator.clone()))
        .route(
            "/golden/saved",
            post(saved::take).with_state(desk).layer(DefaultBodyLimit::max(artifacts::MAX_BYTES)),
        )
        .route("/golden/not-saved", post(saved::refuse).with_state(orchestrator))
        .route("/v1/{*rest}", any(proxy::forward).with_state(gateway))
}
