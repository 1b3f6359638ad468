//! One try of a provider.

use crate::endpoint::Endpoint;
use crate::retry::{Failure, retry_after};
use bytes::Bytes;
use golden_crds::model_provider::Protocol;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::time::Duration;

/// Largest answer of a provider that is not a stream, and of its errors.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
const MAX_ERROR: usize = 64 * 1024;
/// Silence after which a provider counts as gone. Reasoning models think for minutes before the first byte.
const SILENCE: Duration = Duration::from_mins(10);

/// A try without an answer.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    /// The provider's own words: status, headers, body.
    pub(crate) said: Option<(StatusCode, HeaderMap, Bytes)>,
    pub(crate) why: String,
}

/// A client for providers: no redirects, since a key would follow them; no proxy of the environment.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    golden_platform::init_crypto();
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(SILENCE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}

/// What Anthropic's protocol is spoken in where the client does not say.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// What is sent.
pub(crate) struct Sent<'a> {
    pub(crate) url: &'a str,
    /// The client's, as far as they pass.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Names this try to the provider.
    pub(crate) id: &'a str,
}

/// Sends a call; the answer is of status 2xx and not read yet.
pub(crate) async fn send(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    sent: Sent<'_>,
) -> Result<reqwest::Response, Failed> {
    let Sent { url, mut headers, body, id } = sent;
    if endpoint.protocol == Protocol::Anthropic && !headers.contains_key("anthropic-version") {
        headers.insert("anthropic-version", HeaderValue::from_static(ANTHROPIC_VERSION));
    }
    let mut request = http.post(url).headers(headers).body(body);
    request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request = request.header("x-client-request-id", id);
    if let Some(secret) = &endpoint.key {
        request = match endpoint.protocol {
            Protocol::OpenAI => request.bearer_auth(secret),
            Protocol::Anthropic => request.header("x-api-key", secret),
        };
    }
    let response = request.send().await.map_err(|e| {
        let failure = if e.is_connect() || e.is_builder() { Failure::NotSent } else { Failure::Broken };
        Failed { failure, said: None, why: chain(&e) }
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let headers = response.headers().clone();
    let wait = retry_after(headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()));
    let said = read(response, MAX_ERROR).await.unwrap_or_default();
    Err(Failed {
        failure: Failure::Status { code: status.as_u16(), retry_after: wait },
        said: Some((status, headers, said)),
        why: format!("it answered {status}"),
    })
}

/// The whole body of an answer, bounded.
pub(crate) async fn answer(response: reqwest::Response) -> Result<Bytes, String> {
    read(response, MAX_ANSWER).await
}

async fn read(mut response: reqwest::Response, limit: usize) -> Result<Bytes, String> {
    let mut whole = Vec::new();
    while let Some(bytes) = response.chunk().await.map_err(|e| chain(&e))? {
        if whole.len() + bytes.len() > limit {
            return Err(format!("the answer is longer than {limit} bytes"));
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(whole.into())
}

/// An error with its causes; reqwest's own text leaves them out. URLs hold no keys here.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
