//! `golden-model`: serves the recorded model.

use clap::Parser;
use golden_model::{Options, Server};
use std::path::PathBuf;
use std::time::Duration;

/// A recorded language model that speaks OpenAI's Chat Completions and Responses, and Anthropic's Messages.
#[derive(Parser)]
struct Args {
    #[arg(long, env = "GOLDEN_LISTEN", default_value = "0.0.0.0:8080")]
    listen: String,
    /// Folder of further recordings, tried before the built-in ones; may be repeated.
    #[arg(long)]
    recordings: Vec<PathBuf>,
    /// File that keeps the tally across restarts.
    #[arg(long)]
    tally: Option<PathBuf>,
    /// The key that callers must present; any when absent.
    #[arg(long, env = "GOLDEN_MODEL_API_KEY")]
    api_key: Option<String>,
    /// Wait so long before each answer.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let server = Server::new(Options {
        recordings: args.recordings,
        tally: args.tally,
        api_key: args.api_key,
        latency: Duration::from_millis(args.latency_ms),
    })?;
    let listener = tokio::net::TcpListener::bind(&args.listen).await?;
    println!("recorded model listens on {}", listener.local_addr()?);
    tokio::select! {
        ended = golden_model::serve(listener, &server) => ended?,
        () = stop() => {}
    }
    Ok(())
}

/// Pid 1 of a container ignores SIGTERM unless it asks for it.
async fn stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! { _ = terminate.recv() => {}, _ = tokio::signal::ctrl_c() => {} }
        }
        Err(_) => std::future::pending().await,
    }
}
