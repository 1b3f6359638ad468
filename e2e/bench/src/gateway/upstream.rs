//! The upstream of all arms: what the recorded model answered once, replayed byte for byte, so that it costs next to
//! nothing. A stream begins at once and says the rest a little later, as a model does.

use super::calls::{REFUSED, body};
use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// From the first event of a stream to the others.
const THINKS: Duration = Duration::from_millis(20);

struct Recorded {
    whole: Bytes,
    first: Bytes,
    /// Without the usage, and with it.
    rest: [Bytes; 2],
    latency: Duration,
    /// Calls answered; what was refused costs nothing.
    answered: AtomicU64,
}

/// The part of a request that an answer depends on.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    stream: bool,
    stream_options: Options,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Options {
    include_usage: bool,
}

pub(crate) async fn router(latency_ms: u64) -> Result<Router> {
    let (whole, streamed) = (record(false).await?, record(true).await?);
    let text = std::str::from_utf8(&streamed)?;
    let (first, rest) = text.split_once("\n\n").context("the model streamed nothing")?;
    let rest_without: String =
        rest.split_inclusive("\n\n").filter(|event| !event.contains("\"usage\"")).collect();
    ensure!(rest_without.len() < rest.len(), "the recorded stream has no usage");
    let recorded = Recorded {
        whole,
        first: format!("{first}\n\n").into(),
        rest: [rest_without.into(), rest.to_owned().into()],
        latency: Duration::from_millis(latency_ms),
        answered: AtomicU64::new(0),
    };
    Ok(Router::new()
        .route("/v1/chat/completions", post(answer))
        .route(
            "/answered",
            get(async |State(r): State<Arc<Recorded>>| r.answered.load(Ordering::Relaxed).to_string()),
        )
        .with_state(Arc::new(recorded)))
}

/// Asks the recorded model.
async fn record(stream: bool) -> Result<Bytes> {
    let model = golden_model::Server::new(golden_model::Options::default())?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/v1/chat/completions", listener.local_addr()?);
    let serving = tokio::spawn(async move { golden_model::serve(listener, &model).await });
    let asked = reqwest::Client::builder().no_proxy().build()?.post(url).body(body(0, stream, "", ""));
    let answer = asked.send().await?.error_for_status()?.bytes().await?;
    serving.abort();
    Ok(answer)
}

async fn answer(State(recorded): State<Arc<Recorded>>, body: Bytes) -> Response {
    let Ok(asked) = serde_json::from_slice::<Asked>(&body) else {
        return (StatusCode::BAD_REQUEST, "the body is no JSON").into_response();
    };
    if !recorded.latency.is_zero() {
        tokio::time::sleep(recorded.latency).await;
    }
    if std::str::from_utf8(&body).is_ok_and(|text| text.contains(REFUSED)) {
        let said = r#"{"error":{"message":"the request is at fault","type":"invalid_request_error","code":"invalid"}}"#;
        return (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/json")], said).into_response();
    }
    recorded.answered.fetch_add(1, Ordering::Relaxed);
    if !asked.stream {
        return ([(header::CONTENT_TYPE, "application/json")], recorded.whole.clone()).into_response();
    }
    let [without, with] = &recorded.rest;
    let rest = if asked.stream_options.include_usage { with.clone() } else { without.clone() };
    let later = stream::once(async move {
        tokio::time::sleep(THINKS).await;
        rest
    });
    let pieces = stream::iter([recorded.first.clone()]).chain(later).map(Ok::<_, std::io::Error>);
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(pieces)).into_response()
}
