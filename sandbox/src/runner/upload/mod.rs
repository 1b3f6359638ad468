//! `golden runner upload`: the one container of a running sandbox that holds a token.
//!
//! Takes bytes from the runner on the pod's own loopback and hands them to the team's broker. The command cannot
//! reach it: it lives in another network namespace. Where a policy allows the pod's network, all it could do here is
//! to keep bytes under their own digest, and not many.

pub(super) mod client;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::{Json, Router, routing};
use golden_platform::http::{CallError, Error, ServiceClient, TokenFile};
use golden_platform::wire::ArtifactStored;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Largest artifact: the store's own bound.
pub(super) const MAX_BYTES: usize = golden_platform::artifacts::MAX_BYTES;
/// Bytes one run may keep in all.
const MAX_TOTAL: u64 = 256 << 20;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The team's broker.
    #[arg(long, env = "GOLDEN_SANDBOX_URL")]
    pub sandbox_url: String,
    #[arg(long, env = "GOLDEN_TOKEN_FILE", default_value = "/var/run/golden/token")]
    pub token_file: PathBuf,
    #[arg(long, default_value = "127.0.0.1:8322")]
    pub listen: SocketAddr,
}

struct Uploader {
    broker: ServiceClient,
    taken: AtomicU64,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    super::runtime()?.block_on(serve(args))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: &Args) -> anyhow::Result<()> {
    let http = golden_platform::http::client()?;
    let broker = ServiceClient::new(http, &args.sandbox_url, TokenFile::new(&args.token_file));
    let state = Arc::new(Uploader { broker, taken: AtomicU64::new(0) });
    let router = Router::new()
        .route("/v1/artifacts", routing::put(put))
        .layer(DefaultBodyLimit::max(MAX_BYTES))
        .with_state(state);
    let listener = tokio::net::TcpListener::bind(args.listen).await?;
    let stop = golden_platform::shutdown::on_signals()?;
    axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await }).await?;
    Ok(())
}

async fn put(State(uploader): State<Arc<Uploader>>, body: Bytes) -> Result<Json<ArtifactStored>, Error> {
    let size = body.len() as u64;
    if uploader.taken.fetch_add(size, Ordering::Relaxed) + size > MAX_TOTAL {
        return Err(Error::too_large(format!("one run keeps at most {MAX_TOTAL} bytes")));
    }
    match uploader.broker.put_bytes("/v1/artifacts", body).await {
        Ok(stored) => Ok(Json(stored)),
        Err(error) => {
            uploader.taken.fetch_sub(size, Ordering::Relaxed);
            Err(passed_on(error))
        }
    }
}

/// A refusal is passed on as one, so that the runner knows not to repeat it.
fn passed_on(error: CallError) -> Error {
    match error {
        CallError::Refused { status: 413, message, .. } => Error::too_large(message),
        CallError::Refused { status, message, .. }
            if (400..500).contains(&status) && ![401, 408, 429].contains(&status) =>
        {
            Error::forbidden(message)
        }
        other => Error::unavailable(other.to_string()),
    }
}
