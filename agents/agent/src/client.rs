//! Calls of the model: one request, streamed, with retries.

use crate::args::Args;
use crate::chat::{AssistantTurn, ErrorBody, Fault};
use crate::errors::ModelError;
use crate::{limits, retry};
use golden_platform::sse::Splitter;
use serde_json::Value;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Without a byte for so long, a call counts as broken. Longer than a provider may be given by its ModelProvider: the gateway
/// ends such a call, and knows whose fault it was. Calls that wait for money are kept alive by pings.
const SILENCE: Duration = Duration::from_mins(61);

pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Client {
    pub(crate) fn new(args: &Args) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        let url = format!("{}/chat/completions", args.base_url.trim_end_matches('/'));
        Ok(Self { http, url, key: args.api_key.clone() })
    }

    /// Asks until there is an answer, or an error that will not pass.
    pub(crate) async fn ask(&self, body: &Value) -> Result<AssistantTurn, ModelError> {
        // The same bytes each time: the gateway recognises a repeated call by them.
        let body = body.to_string();
        let mut made = retry::Made::default();
        loop {
            let error = match self.once(body.clone()).await {
                Ok(turn) => return Ok(turn),
                Err(error) => error,
            };
            made.count(&error);
            let Some(wait) = retry::wait(&error, made, jitter()) else {
                return Err(error);
            };
            tracing::warn!(%error, ?wait, "the model will be asked again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&self, body: String) -> Result<AssistantTurn, ModelError> {
        let sent =
            self.http.post(&self.url).bearer_auth(&self.key).header("content-type", "application/json");
        let response = sent.body(body).send().await.map_err(|e| self.unreachable(&e))?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        read(response).await
    }

    /// A request that was sent and never answered may have been worked on.
    fn unreachable(&self, error: &reqwest::Error) -> ModelError {
        if error.is_timeout() && !error.is_connect() {
            return ModelError::BrokenOff(format!("nothing came for {} s", SILENCE.as_secs()));
        }
        ModelError::Unreachable { url: self.url.clone(), why: chain(error) }
    }
}

/// An error with its causes: reqwest's own text leaves them out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

async fn read(mut response: reqwest::Response) -> Result<AssistantTurn, ModelError> {
    let mut splitter = Splitter::new(limits::ANSWER);
    let mut turn = AssistantTurn::default();
    let mut received = 0;
    while let Some(bytes) = response.chunk().await.map_err(|e| ModelError::BrokenOff(chain(&e)))? {
        received += bytes.len();
        if received > limits::ANSWER {
            return Err(ModelError::Malformed(format!("longer than {} bytes", limits::ANSWER)));
        }
        for event in splitter.feed(&bytes).map_err(|e| ModelError::Malformed(e.to_string()))? {
            match event.data.as_str() {
                "[DONE]" => return Ok(turn),
                "" => {}
                data => turn.take(data).map_err(|fault| match fault {
                    Fault::Malformed(why) => ModelError::Malformed(why),
                    Fault::Reported { message, transient: true } => ModelError::BrokenOff(message),
                    Fault::Reported { message, .. } => ModelError::Refused { status: 200, message },
                })?,
            }
        }
    }
    if turn.finish.is_empty() {
        return Err(ModelError::BrokenOff("the stream ended before the answer did".to_owned()));
    }
    Ok(turn)
}

async fn refusal(response: reqwest::Response) -> ModelError {
    #[derive(serde::Deserialize)]
    struct Body {
        error: ErrorBody,
    }
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
    let text = response.text().await.unwrap_or_default();
    let message = serde_json::from_str::<Body>(&text).map_or(text, |b| b.error.message);
    let message = limits::head(&message, 1000).to_owned();
    match status {
        408 | 425 | 429 | 500..=599 => {
            ModelError::Busy { status, message, retry_after: retry_after.map(Duration::from_secs) }
        }
        _ => ModelError::Refused { status, message },
    }
}

/// A number from 0 to 1; the standard library's hash seeds are random enough for spreading retries.
fn jitter() -> f64 {
    let random = u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or_default();
    f64::from(random) / f64::from(u32::MAX)
}
