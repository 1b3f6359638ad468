//! One HTTP server that is called: connections are kept and used again, and each answer is read to its end. hyper
//! alone, without a client's comforts: the load shares its cores with what it measures.

use super::calls::Call;
use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Calls under way at once; the others wait, and are measured from when they were due.
const CONNECTIONS: usize = 512;
/// What OpenAI's clients send to, and what names a session to LiteLLM.
const PATH: &str = "/v1/chat/completions";
const SESSION: &str = "x-litellm-session-id";

type Sender = SendRequest<Full<Bytes>>;

pub(crate) struct Target {
    /// `host:port`.
    address: String,
    idle: Mutex<Vec<Sender>>,
    slots: Semaphore,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// When the first piece of the body came.
    pub(crate) first: Instant,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Whether it is a whole answer of a model, as the recorded one ends them.
    pub(crate) fn complete(&self, stream: bool) -> Result<()> {
        let end: &[u8] = if stream { b"data: [DONE]\n\n" } else { b"}" };
        if self.status == 200 && self.body.trim_ascii_end().ends_with(end.trim_ascii_end()) {
            return Ok(());
        }
        let said: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        bail!("{}: {said}", self.status)
    }
}

impl Target {
    /// `url` has no path.
    pub(crate) fn new(url: &str) -> Self {
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self { address, idle: Mutex::default(), slots: Semaphore::new(CONNECTIONS) }
    }

    pub(crate) async fn ask(&self, call: Call) -> Result<Answer> {
        self.ask_at(PATH, call).await
    }

    /// In the protocol that is served at `path`.
    pub(crate) async fn ask_at(&self, path: &str, call: Call) -> Result<Answer> {
        let _slot = self.slots.acquire().await?;
        let mut sender = self.connected().await?;
        let mut request = Request::post(path)
            .header(HOST, &self.address)
            .header(AUTHORIZATION, call.bearer)
            .header(CONTENT_TYPE, "application/json");
        if let Some(session) = call.session {
            request = request.header(SESSION, session);
        }
        let response = sender.send_request(request.body(Full::new(call.body))?).await?;
        let (status, mut frames) = (response.status().as_u16(), response.into_body());
        let (mut first, mut body) = (None, vec![]);
        while let Some(frame) = frames.frame().await {
            if let Ok(data) = frame?.into_data() {
                first.get_or_insert_with(Instant::now);
                body.extend_from_slice(&data);
            }
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        Ok(Answer { status, first: first.unwrap_or_else(Instant::now), body })
    }

    /// A page that is no call: metrics, or whether it is up.
    pub(crate) async fn page(&self, path: &str) -> Result<String> {
        let mut sender = self.connected().await?;
        let request = Request::get(path).header(HOST, &self.address).body(Full::new(Bytes::new()))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{path} answers {status}");
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// A connection that can take a request now.
    async fn connected(&self) -> Result<Sender> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut sender) = idle else { break };
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let stream = TcpStream::connect(&self.address)
            .await
            .with_context(|| format!("no connection to {}", self.address))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}
