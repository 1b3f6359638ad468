//! Calling other services of Golden: bounded, never redirected, with this service's token.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::{Class, Classify};

const CONNECT: Duration = Duration::from_secs(3);
const WHOLE: Duration = Duration::from_secs(30);
/// Tokens are renewed long before they end; a file is read again after this.
const TOKEN: Duration = Duration::from_mins(1);
/// Most bytes of a refused call's answer that are shown.
const SHOWN: usize = 1024;

/// An HTTP client for calls within the cluster: 3 s to connect, 30 s in all (a request may set its own bound),
/// no redirects (a token must not be sent on), no proxy of the environment.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    crate::init_crypto();
    reqwest::Client::builder()
        .user_agent(concat!("golden/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        // As many as one service has calls of another under way: making a connection costs more than keeping one.
        .pool_max_idle_per_host(64)
        .build()
}

/// A projected token: read again at most once a minute.
#[derive(Clone)]
pub struct TokenFile {
    path: PathBuf,
    kept: Arc<Mutex<Option<(Instant, String)>>>,
}

impl TokenFile {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), kept: Arc::default() }
    }

    /// The token now. A file that cannot be read leaves the last token in use: it is valid for long after.
    pub async fn get(&self) -> Result<String, CallError> {
        let mut kept = self.kept.lock().await;
        if let Some((at, token)) = kept.as_ref()
            && at.elapsed() < TOKEN
        {
            return Ok(token.clone());
        }
        match tokio::fs::read_to_string(&self.path).await {
            Ok(text) => {
                let token = text.trim().to_owned();
                *kept = Some((Instant::now(), token.clone()));
                Ok(token)
            }
            Err(e) => match kept.as_ref() {
                Some((_, token)) => {
                    tracing::warn!(path = %self.path.display(), error = %e, "cannot read the token again");
                    Ok(token.clone())
                }
                None => Err(CallError::Token { path: self.path.clone(), message: e.to_string() }),
            },
        }
    }
}

/// Why a call to another service failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    #[error("cannot read this service's token {}: {message}", path.display())]
    Token { path: PathBuf, message: String },
    #[error("{url} does not answer: {message}")]
    Unreachable { url: String, message: String },
    /// `reason` is the other side's word if it sent one.
    #[error("{url} refused ({status} {reason}): {message}")]
    Refused { url: String, status: u16, reason: String, message: String },
    #[error("{url} sent an answer that cannot be read: {message}")]
    Malformed { url: String, message: String },
}

impl Classify for CallError {
    fn class(&self) -> Class {
        match self {
            Self::Token { .. } | Self::Unreachable { .. } => Class::Dependency,
            Self::Refused { status: 409, .. } => Class::Conflict,
            Self::Refused { status: 401 | 408 | 429, .. } => Class::Transient,
            Self::Refused { status, .. } if *status >= 500 => Class::Dependency,
            Self::Refused { .. } => Class::Invalid,
            Self::Malformed { .. } => Class::Bug,
        }
    }
}

/// Another service of Golden, called with this service's token.
#[derive(Clone)]
pub struct ServiceClient {
    http: reqwest::Client,
    base: String,
    token: TokenFile,
}

impl ServiceClient {
    /// `base` is the URL without a path, such as `http://golden-ledger:8080`.
    pub fn new(http: reqwest::Client, base: &str, token: TokenFile) -> Self {
        Self { http, base: base.trim_end_matches('/').to_owned(), token }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A request with the token, to be filled and given to [`ServiceClient::send`].
    pub async fn request(
        &self,
        method: reqwest::Method,
        path: &str,
    ) -> Result<reqwest::RequestBuilder, CallError> {
        Ok(self.http.request(method, self.url(path)).bearer_auth(self.token.get().await?))
    }

    /// Sends; anything but success is an error in the other side's words.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, CallError> {
        let response = request.send().await.map_err(|e| unreachable(&self.base, &e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (url, status) = (response.url().to_string(), response.status().as_u16());
        let body = response.bytes().await.unwrap_or_default();
        let (reason, message) = told(&body);
        Err(CallError::Refused { url, status, reason, message })
    }

    pub async fn get<R: DeserializeOwned>(&self, path: &str) -> Result<R, CallError> {
        let request = self.request(reqwest::Method::GET, path).await?;
        self.json(self.send(request).await?).await
    }

    pub async fn get_bytes(&self, path: &str) -> Result<bytes::Bytes, CallError> {
        let request = self.request(reqwest::Method::GET, path).await?;
        self.send(request).await?.bytes().await.map_err(|e| unreachable(&self.url(path), &e))
    }

    pub async fn post<B: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<R, CallError> {
        let request = self.request(reqwest::Method::POST, path).await?.json(body);
        self.json(self.send(request).await?).await
    }

    pub async fn put_bytes<R: DeserializeOwned>(
        &self,
        path: &str,
        body: bytes::Bytes,
    ) -> Result<R, CallError> {
        let request = self.request(reqwest::Method::PUT, path).await?.body(body);
        self.json(self.send(request).await?).await
    }

    async fn json<R: DeserializeOwned>(&self, response: reqwest::Response) -> Result<R, CallError> {
        let url = response.url().to_string();
        let body = response.bytes().await.map_err(|e| unreachable(&url, &e))?;
        serde_json::from_slice(&body).map_err(|e| CallError::Malformed { url, message: e.to_string() })
    }
}

/// reqwest's own text hides the cause ("error sending request"); the innermost source says it.
fn unreachable(url: &str, error: &reqwest::Error) -> CallError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    CallError::Unreachable { url: url.to_owned(), message: cause.to_string() }
}

fn told(body: &[u8]) -> (String, String) {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| json.pointer(&format!("/error/{key}")).and_then(|v| v.as_str()).map(str::to_owned);
    let raw = || String::from_utf8_lossy(body.get(..body.len().min(SHOWN)).unwrap_or_default()).into_owned();
    (text("reason").unwrap_or_else(|| "Unknown".to_owned()), text("message").unwrap_or_else(raw))
}
