//! One try of a provider.

use crate::endpoint::Endpoint;
use crate::form::{Form, form};
use crate::retry::{Failure, retry_after};
use bytes::Bytes;
use golden_crds::model_provider::{Protocol, ProviderTimeouts};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Largest answer of a provider that is not a stream, and of its errors.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
const MAX_ERROR: usize = 64 * 1024;
/// A try without an answer.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    /// The provider's own words: status, headers, body.
    pub(crate) said: Option<(StatusCode, HeaderMap, Bytes)>,
    pub(crate) why: String,
}

impl Failed {
    fn unsaid(failure: Failure, why: String) -> Self {
        Self { failure, said: None, why }
    }
}

/// Clients for providers, one for each time to connect: it belongs to a client, not to a call. There are at most as many
/// as a ModelProvider's bound has seconds.
pub struct Clients {
    usual: reqwest::Client,
    others: Mutex<BTreeMap<i64, reqwest::Client>>,
}

impl Clients {
    fn of(&self, timeouts: &ProviderTimeouts) -> reqwest::Client {
        let seconds = timeouts.connect_seconds;
        if seconds == ProviderTimeouts::default().connect_seconds {
            return self.usual.clone();
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = others.get(&seconds) {
            return known.clone();
        }
        match made(seconds) {
            Ok(client) => others.entry(seconds).or_insert(client).clone(),
            Err(error) => {
                tracing::error!(%error, "no client with a time of its own to connect");
                self.usual.clone()
            }
        }
    }
}

/// Clients for providers.
pub fn client() -> Result<Clients, reqwest::Error> {
    golden_platform::init_crypto();
    let usual = made(ProviderTimeouts::default().connect_seconds)?;
    Ok(Clients { usual, others: Mutex::default() })
}

/// No redirects, since a key would follow them; no proxy of the environment.
fn made(connect_seconds: i64) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .connect_timeout(seconds(connect_seconds))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0).max(1))
}

/// How long the provider may be silent before its answer, and within one that comes in one piece.
pub(crate) fn first_byte(endpoint: &Endpoint) -> Duration {
    seconds(endpoint.timeouts.first_byte_seconds)
}

/// How long a stream may be silent.
pub(crate) fn idle(endpoint: &Endpoint) -> Duration {
    seconds(endpoint.timeouts.idle_seconds)
}

/// The work's outcome; nothing if it takes longer.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
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
    /// Whether a stream is asked for.
    pub(crate) stream: bool,
}

/// Sends a call; the answer is of status 2xx, comes in the form that is told, and is not read yet.
pub(crate) async fn send(
    clients: &Clients,
    endpoint: &Endpoint,
    sent: Sent<'_>,
) -> Result<(reqwest::Response, Form), Failed> {
    let Sent { url, mut headers, body, id, stream } = sent;
    if endpoint.protocol == Protocol::Anthropic && !headers.contains_key("anthropic-version") {
        headers.insert("anthropic-version", HeaderValue::from_static(ANTHROPIC_VERSION));
    }
    let mut request = clients.of(&endpoint.timeouts).post(url).headers(headers).body(body);
    request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request = request.header("x-client-request-id", id);
    if let Some(secret) = &endpoint.key {
        request = match endpoint.protocol {
            Protocol::OpenAI => request.bearer_auth(secret),
            Protocol::Anthropic => request.header("x-api-key", secret),
        };
    }
    // Connecting has a time of its own.
    let limit = first_byte(endpoint) + seconds(endpoint.timeouts.connect_seconds);
    let response = within(limit, request.send())
        .await
        .ok_or_else(|| {
            let seconds = endpoint.timeouts.first_byte_seconds;
            Failed::unsaid(
                Failure::Silent,
                format!("no byte of an answer within {seconds} s (timeouts.firstByteSeconds)"),
            )
        })?
        .map_err(|e| Failed::unsaid(unsent(&e), chain(&e)))?;
    let status = response.status();
    if status.is_success() {
        let form = form(response.headers(), stream).map_err(|why| Failed::unsaid(Failure::Malformed, why))?;
        return Ok((response, form));
    }
    let headers = response.headers().clone();
    let wait = retry_after(&headers, SystemTime::now());
    let said = read(response, MAX_ERROR, idle(endpoint)).await.unwrap_or_default();
    Err(Failed {
        failure: Failure::Status { code: status.as_u16(), retry_after: wait },
        said: Some((status, headers, said)),
        why: format!("it answered {status}"),
    })
}

fn unsent(error: &reqwest::Error) -> Failure {
    match error {
        e if e.is_connect() && e.is_timeout() => Failure::NotConnected,
        e if e.is_connect() || e.is_builder() => Failure::NotSent,
        _ => Failure::Broken,
    }
}

/// The whole body of an answer, bounded, and what `read_as` finds in it.
pub(crate) async fn answer<T>(
    response: reqwest::Response,
    endpoint: &Endpoint,
    read_as: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<(Bytes, T), Failed> {
    let body = read(response, MAX_ANSWER, first_byte(endpoint)).await;
    let body = body.map_err(|why| Failed::unsaid(Failure::Broken, why))?;
    let found = read_as(&body).map_err(|why| Failed::unsaid(Failure::Malformed, why))?;
    Ok((body, found))
}

async fn read(mut response: reqwest::Response, limit: usize, silence: Duration) -> Result<Bytes, String> {
    let mut whole = Vec::new();
    loop {
        let next = within(silence, response.chunk())
            .await
            .ok_or_else(|| format!("the answer stopped for {} s", silence.as_secs()))?;
        let Some(bytes) = next.map_err(|e| chain(&e))? else { return Ok(whole.into()) };
        if whole.len() + bytes.len() > limit {
            return Err(format!("the answer is longer than {limit} bytes"));
        }
        whole.extend_from_slice(&bytes);
    }
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
