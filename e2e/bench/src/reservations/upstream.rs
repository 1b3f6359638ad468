//! The upstream: what the recorded model answered each client once, said again with the usage of the call that was
//! drawn. It takes as long as a model would, in a thousandth of the time, so that calls overlap.

use super::body::body;
use super::sizes::{BYTES_PER_TOKEN, CLIENTS, Client, Size};
use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Until the first token, and for each: 1.5 s and 12.5 ms, in a thousandth of the time.
const FIRST: Duration = Duration::from_micros(1500);
const EACH: Duration = Duration::from_nanos(12_500);
const MAX_BODY: usize = 1024 * 1024;

/// The part of a request that an answer depends on.
#[derive(Deserialize)]
struct Asked {
    metadata: Metadata,
    #[serde(alias = "max_output_tokens")]
    max_tokens: u64,
}

#[derive(Deserialize)]
struct Metadata {
    /// The tokens that the model would answer.
    user_id: String,
}

pub(crate) async fn router() -> Result<Router> {
    let mut router = Router::new();
    for client in CLIENTS {
        let recorded = Arc::new(record(client).await?);
        let answering = move |body: Bytes| {
            let recorded = Arc::clone(&recorded);
            async move { answer(client, &recorded, &body).await }
        };
        router = router.route(client.path(), post(answering));
    }
    Ok(router.layer(DefaultBodyLimit::max(MAX_BODY)))
}

/// Asks the recorded model.
async fn record(client: Client) -> Result<Value> {
    let model = golden_model::Server::new(golden_model::Options::default())?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}{}", listener.local_addr()?, client.path());
    let serving = tokio::spawn(async move { golden_model::serve(listener, &model).await });
    let asked = body("the recording", Size { client, session: 0, turn: 0, output: 1 });
    let sent = reqwest::Client::builder().no_proxy().build()?.post(url).body(asked);
    let answer = sent.send().await?;
    let (status, said) = (answer.status(), answer.text().await?);
    serving.abort();
    ensure!(status.is_success(), "the recorded model answers {}: {status} {said}", client.provider());
    let answer: Value = serde_json::from_str(&said)?;
    answer.get("usage").context("the recorded answer has no usage")?;
    Ok(answer)
}

async fn answer(client: Client, recorded: &Value, body: &[u8]) -> Response {
    let asked: Option<(u64, u64)> = serde_json::from_slice::<Asked>(body)
        .ok()
        .and_then(|asked| Some((asked.metadata.user_id.parse().ok()?, asked.max_tokens)));
    let Some((wanted, cap)) = asked else {
        return (StatusCode::BAD_REQUEST, "no call of this benchmark, or without a cap").into_response();
    };
    let (input, output) = (body.len() as u64 / BYTES_PER_TOKEN, wanted.min(cap));
    tokio::time::sleep(FIRST + EACH * u32::try_from(output).unwrap_or(u32::MAX)).await;
    axum::Json(said(client, recorded.clone(), (input, output), wanted > cap)).into_response()
}

impl Client {
    /// Whether an answer of its protocol says that it ended at the cap.
    pub(crate) fn was_cut_off(self, answer: &Value) -> bool {
        match self {
            Self::ClaudeCode => answer["stop_reason"] == "max_tokens",
            Self::Codex => answer["incomplete_details"]["reason"] == "max_output_tokens",
        }
    }
}

/// The recorded answer with this usage, ended as the protocol ends one that is cut off.
fn said(client: Client, mut answer: Value, (input, output): (u64, u64), cut: bool) -> Value {
    match client {
        Client::ClaudeCode => {
            answer["usage"] = json!({"input_tokens": input, "output_tokens": output});
            if cut {
                answer["stop_reason"] = "max_tokens".into();
            }
        }
        Client::Codex => {
            answer["usage"] =
                json!({"input_tokens": input, "output_tokens": output, "total_tokens": input + output});
            if cut {
                answer["status"] = "incomplete".into();
                answer["incomplete_details"] = json!({"reason": "max_output_tokens"});
            }
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each client gets for a call that would answer 411 tokens and may have so many.
    async fn usage(client: Client, cap: u64) -> (Value, bool) {
        let recorded = record(client).await.unwrap();
        let field = if client == Client::ClaudeCode { "max_tokens" } else { "max_output_tokens" };
        let asked = json!({"metadata": {"user_id": "411"}, field: cap}).to_string();
        let answered = answer(client, &recorded, asked.as_bytes()).await;
        assert_eq!(answered.status(), StatusCode::OK);
        let body = axum::body::to_bytes(answered.into_body(), MAX_BODY).await.unwrap();
        let said: Value = serde_json::from_slice(&body).unwrap();
        (said["usage"]["output_tokens"].clone(), client.was_cut_off(&said))
    }

    #[tokio::test]
    async fn an_answer_is_as_long_as_was_drawn_or_ends_at_the_cap_and_says_so() {
        golden_platform::init_crypto();
        for client in CLIENTS {
            assert_eq!(usage(client, 411).await, (411.into(), false));
            assert_eq!(usage(client, 410).await, (410.into(), true));
        }
    }

    #[tokio::test]
    async fn a_call_without_a_cap_is_refused() {
        for client in CLIENTS {
            let asked = json!({"metadata": {"user_id": "411"}}).to_string();
            let answered = answer(client, &Value::Null, asked.as_bytes()).await;
            assert_eq!(answered.status(), StatusCode::BAD_REQUEST);
        }
    }
}
