//! The HTTP edge: `/v1/chat/completions`, `/v1/responses`, `/v1/messages` (and its `count_tokens`), `/v1/embeddings`,
//! `/v1/models`, `/tally`, `/faults`, `/healthz`.

use crate::answer::{Answer, tokens};
use crate::embeddings;
use crate::faults::{Fault, Faults};
use crate::protocol::Protocol;
use crate::recording::{Library, LoadError, Unmatched};
use crate::request::{ChatRequest, Situation};
use crate::tally::{Book, Entry, Tally};
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Largest request.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// How the model behaves.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Further recordings, tried before the built-in ones.
    pub recordings: Vec<PathBuf>,
    /// Where the tally is kept; in memory when absent.
    pub tally: Option<PathBuf>,
    /// The key that callers must present; any when absent.
    pub api_key: Option<String>,
    /// Wait so long before each answer.
    pub latency: Duration,
}

/// Why the model cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Recordings(#[from] LoadError),
    #[error("tally: {0}")]
    Tally(#[from] std::io::Error),
}

/// The running model.
#[derive(Debug)]
pub struct Server {
    library: Library,
    book: Book,
    faults: Faults,
    options: Options,
}

impl Server {
    pub fn new(options: Options) -> Result<Arc<Self>, StartError> {
        let mut library = Library::default();
        for folder in &options.recordings {
            library.add_folder(folder)?;
        }
        library.extend(Library::built_in()?);
        let book = Book::open(options.tally.as_deref())?;
        Ok(Arc::new(Self { library, book, faults: Faults::default(), options }))
    }

    /// What was served so far.
    pub fn tally(&self) -> Tally {
        self.book.tally()
    }

    /// Orders a fault.
    pub fn order(&self, fault: Fault) {
        self.faults.order(fault);
    }

    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/v1/responses", post(responses))
            .route("/v1/messages", post(messages))
            .route("/v1/messages/count_tokens", post(count_tokens))
            .route("/v1/embeddings", post(embed))
            .route("/v1/models", get(models))
            .route("/tally", get(async |State(s): State<Arc<Server>>| Json(s.tally())))
            .route(
                "/faults",
                post(async |State(s): State<Arc<Server>>, Json(fault): Json<Fault>| s.order(fault)),
            )
            .route("/healthz", get(async || "ok"))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(Arc::clone(self))
    }

    fn authorized(&self, protocol: Protocol, headers: &HeaderMap) -> bool {
        let given = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let bearer = |key: &String| given("authorization") == Some(&format!("Bearer {key}"));
        self.options.api_key.as_ref().is_none_or(|key| match protocol {
            Protocol::Messages => given("x-api-key") == Some(key),
            Protocol::ChatCompletions | Protocol::Responses => bearer(key),
        })
    }

    /// The answer, written down, and how long it is thought over.
    pub(crate) fn answer(
        &self,
        request: &ChatRequest,
        body: &str,
        op: &str,
    ) -> Result<(Answer, Duration), Failure> {
        let situation = Situation::of(request);
        let mut entry = Entry {
            op: op.to_owned(),
            model: request.model.clone(),
            role: situation.role.clone(),
            story: None,
            prompt_tokens: 0,
            completion_tokens: 0,
        };
        match self.library.reply(&situation) {
            Ok(found) => {
                let answer = Answer::of(found.reply, request, body);
                entry.story = Some(found.story.to_owned());
                entry.prompt_tokens = answer.usage.prompt;
                entry.completion_tokens = answer.usage.completion;
                self.book.add(&entry).map_err(Failure::Tally)?;
                Ok((answer, found.thinks))
            }
            Err(unmatched) => {
                self.book.add(&entry).map_err(Failure::Tally)?;
                eprintln!("{unmatched}");
                Err(Failure::Unmatched(unmatched))
            }
        }
    }
}

/// Serves until the future is dropped or fails.
pub async fn serve(listener: tokio::net::TcpListener, server: &Arc<Server>) -> std::io::Result<()> {
    axum::serve(listener, server.router()).await
}

pub(crate) enum Failure {
    Key,
    Malformed(String),
    Unmatched(Box<Unmatched>),
    Ordered(StatusCode, Option<u32>),
    Tally(std::io::Error),
}

impl Failure {
    fn response(self, protocol: Protocol) -> Response {
        let (status, kind, message) = match &self {
            Self::Key => (StatusCode::UNAUTHORIZED, "invalid_api_key", "wrong API key".to_owned()),
            Self::Malformed(why) => (StatusCode::BAD_REQUEST, "invalid_request", why.clone()),
            Self::Unmatched(u) => (StatusCode::UNPROCESSABLE_ENTITY, "no_recording", u.to_string()),
            Self::Ordered(status, _) => (*status, "ordered_fault", "this fault was ordered".to_owned()),
            Self::Tally(e) => (StatusCode::INTERNAL_SERVER_ERROR, "tally", format!("tally: {e}")),
        };
        let mut response = (status, Json(protocol.error(status, kind, &message))).into_response();
        if let Self::Ordered(_, Some(seconds)) = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

async fn chat(State(server): State<Arc<Server>>, headers: HeaderMap, body: String) -> Response {
    complete(&server, Protocol::ChatCompletions, &headers, &body).await
}

async fn responses(State(server): State<Arc<Server>>, headers: HeaderMap, body: String) -> Response {
    complete(&server, Protocol::Responses, &headers, &body).await
}

async fn messages(State(server): State<Arc<Server>>, headers: HeaderMap, body: String) -> Response {
    complete(&server, Protocol::Messages, &headers, &body).await
}

async fn complete(server: &Server, protocol: Protocol, headers: &HeaderMap, body: &str) -> Response {
    answered(server, protocol, headers, body).await.unwrap_or_else(|failure| failure.response(protocol))
}

async fn answered(
    server: &Server,
    protocol: Protocol,
    headers: &HeaderMap,
    body: &str,
) -> Result<Response, Failure> {
    if !server.authorized(protocol, headers) {
        return Err(Failure::Key);
    }
    let request = protocol.read(body).map_err(Failure::Malformed)?;
    let fault = server.faults.take().unwrap_or_default();
    tokio::time::sleep(server.options.latency + Duration::from_millis(fault.latency_ms)).await;
    if let Some(status) = fault.status.and_then(|s| StatusCode::from_u16(s).ok()) {
        return Err(Failure::Ordered(status, fault.retry_after_seconds));
    }
    let (mut answer, thinks) = server.answer(&request, body, op(headers))?;
    answer.usage.cached = fault.cached_tokens.min(answer.usage.prompt);
    tokio::time::sleep(thinks).await;
    if request.stream {
        return Ok(streamed(protocol.events(&answer, &request, &fault), &fault));
    }
    Ok(Json(protocol.whole(&answer, &fault)).into_response())
}

/// The caller's own key.
fn op(headers: &HeaderMap) -> &str {
    headers.get("x-client-request-id").and_then(|v| v.to_str().ok()).unwrap_or("")
}

async fn count_tokens(State(server): State<Arc<Server>>, headers: HeaderMap, body: String) -> Response {
    if !server.authorized(Protocol::Messages, &headers) {
        return Failure::Key.response(Protocol::Messages);
    }
    Json(json!({"input_tokens": tokens(body.len())})).into_response()
}

async fn embed(State(server): State<Arc<Server>>, headers: HeaderMap, body: String) -> Response {
    let embedded = || {
        if !server.authorized(Protocol::ChatCompletions, &headers) {
            return Err(Failure::Key);
        }
        let request: embeddings::Request =
            serde_json::from_str(&body).map_err(|e| Failure::Malformed(e.to_string()))?;
        let entry = Entry {
            op: op(&headers).to_owned(),
            model: request.model.clone(),
            role: "embeddings".to_owned(),
            story: Some("embeddings".to_owned()),
            prompt_tokens: tokens(body.len()),
            completion_tokens: 0,
        };
        server.book.add(&entry).map_err(Failure::Tally)?;
        Ok(Json(embeddings::answer(&request, entry.prompt_tokens)).into_response())
    };
    embedded().unwrap_or_else(|failure| failure.response(Protocol::ChatCompletions))
}

fn streamed(events: Vec<String>, fault: &Fault) -> Response {
    let mut events: Vec<Result<String, std::io::Error>> = events.into_iter().map(Ok).collect();
    if let Some(count) = fault.cut_after_events {
        events.truncate(count);
        events.push(Err(std::io::Error::other("the connection was ordered to break")));
    }
    let pause = Duration::from_millis(fault.event_ms);
    let paced = stream::iter(events).then(move |event| async move {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        event
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(paced)).into_response()
}

async fn models() -> Json<Value> {
    Json(json!({"object": "list", "data": [
        {"id": "standard", "object": "model", "created": 0, "owned_by": "recorded"}
    ]}))
}
