//! The HTTP interface: OpenAI's and Anthropic's, as far as they are served. Errors are in the shape of the protocol
//! that was spoken.

use crate::app::Gateway;
use crate::call::Call;
use crate::client;
use crate::count::count;
use crate::endpoint::Endpoint;
use crate::error::CallError;
use crate::identity::{self, Identity, Known};
use crate::listing;
use crate::plan::MAX_BODY;
use crate::protocol::{ChatCompletions, Embeddings, Fields, Messages, Protocol, Responses};
use crate::standalone;
use crate::stuck;
use crate::target::Target;
use crate::underway::Underway;
use axum::Router;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use golden_platform::auth;
use std::sync::Arc;

/// Longest query that is passed on, in bytes.
const MAX_QUERY: usize = 1024;

type Body = Result<Bytes, BytesRejection>;

pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        // Clients look whether anybody is there before their first call.
        .route("/", get(async || "golden gateway\n"))
        .route("/v1/chat/completions", post(chat))
        .route("/v1/responses", post(responses))
        .route("/v1/embeddings", post(embeddings))
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .route("/v1/models", get(models))
        .route("/v1/models/{*id}", get(model))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(gateway)
}

async fn chat(gateway: State<Arc<Gateway>>, uri: Uri, headers: HeaderMap, body: Body) -> Response {
    call(gateway.0, &ChatCompletions, &uri, headers, body).await
}

async fn responses(gateway: State<Arc<Gateway>>, uri: Uri, headers: HeaderMap, body: Body) -> Response {
    call(gateway.0, &Responses, &uri, headers, body).await
}

async fn embeddings(gateway: State<Arc<Gateway>>, uri: Uri, headers: HeaderMap, body: Body) -> Response {
    call(gateway.0, &Embeddings, &uri, headers, body).await
}

async fn messages(gateway: State<Arc<Gateway>>, uri: Uri, headers: HeaderMap, body: Body) -> Response {
    call(gateway.0, &Messages, &uri, headers, body).await
}

async fn call(
    gateway: Arc<Gateway>,
    protocol: Protocol,
    uri: &Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let begun = begin(&gateway, protocol, uri, headers, body).await;
    match begun {
        Ok(call) => {
            let (client, answer) = client::channel(protocol);
            answer.response(Underway::new(call.run(client), &gateway.calls)).await
        }
        Err(error) => error.response(protocol),
    }
}

/// Everything before money.
async fn begin(
    gateway: &Arc<Gateway>,
    protocol: Protocol,
    uri: &Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Call, CallError> {
    let caller = caller(gateway, &headers).await?;
    let raw = whole(body)?;
    let query = query(uri)?;
    let planned = async {
        let endpoint = endpoint(gateway, &caller.identity, protocol, &raw).await?;
        Target::new(endpoint, protocol, raw, (query, &headers), 0)
    };
    let first = match planned.await {
        Ok(planned) => planned,
        Err(error) => {
            // A provider that cannot be used is the task's business, not only this call's.
            if let Some(trouble) = stuck::of_refusal(&error) {
                stuck::begin(gateway, &caller, trouble).await;
            }
            return Err(error);
        }
    };
    let query = query.map(ToOwned::to_owned);
    Ok(Call { gateway: Arc::clone(gateway), caller, first, query, headers })
}

/// The provider of the caller's role, if it speaks what the caller does.
async fn endpoint(
    gateway: &Gateway,
    identity: &Identity,
    protocol: Protocol,
    raw: &[u8],
) -> Result<Arc<Endpoint>, CallError> {
    let asked = || Fields::parse(raw)?.text("model");
    let voter = identity.role.starts_with("voter:");
    let (binding, named) = match &gateway.standalone {
        Some(models) => (models.binding(protocol, asked()?.as_deref())?, None),
        None if protocol.client_names_model() => (&identity.binding, asked()?),
        None => (&identity.binding, None),
    };
    let endpoint = gateway.providers.endpoint(binding, &identity.namespace, voter, named.as_deref()).await?;
    endpoint.speaks(protocol, &identity.role)?;
    Ok(endpoint)
}

async fn count_tokens(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let counted = async {
        let Known { identity, .. } = caller(&gateway, &headers).await?;
        let raw = whole(body)?;
        let endpoint = endpoint(&gateway, &identity, &Messages, &raw).await?;
        count(&gateway, &endpoint, query(&uri)?, &headers, &raw).await
    };
    counted.await.unwrap_or_else(|error: CallError| error.response(&Messages))
}

async fn models(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response {
    match caller(&gateway, &headers).await {
        Ok(caller) => listing::list(gateway.standalone.as_ref(), &caller.identity.binding, &headers),
        Err(error) => error.response(listing::protocol(&headers)),
    }
}

async fn model(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let found = caller(&gateway, &headers).await.and_then(|caller| {
        listing::one(gateway.standalone.as_ref(), &caller.identity.binding, &id, &headers)
    });
    found.unwrap_or_else(|error| error.response(listing::protocol(&headers)))
}

async fn unknown(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let protocol: Protocol =
        if uri.path().starts_with("/v1/messages") { &Messages } else { listing::protocol(&headers) };
    let path: String = uri.path().chars().take(128).collect();
    CallError::NotFound(format!(
        "{method} {path} is not served here; POST /v1/chat/completions, /v1/responses, /v1/embeddings, /v1/messages and \
         /v1/messages/count_tokens are, and GET /v1/models"
    ))
    .response(protocol)
}

fn whole(body: Body) -> Result<Bytes, CallError> {
    body.map_err(|rejection| match rejection.status() {
        axum::http::StatusCode::PAYLOAD_TOO_LARGE => {
            CallError::TooLarge(format!("it may have {MAX_BODY} bytes at most"))
        }
        _ => CallError::Malformed(rejection.body_text()),
    })
}

fn query(uri: &Uri) -> Result<Option<&str>, CallError> {
    match uri.query() {
        Some(query) if query.len() > MAX_QUERY => {
            Err(CallError::TooLarge(format!("its query may have {MAX_QUERY} bytes at most")))
        }
        query => Ok(query),
    }
}

/// Who calls, by the bearer of a token or, as Anthropic's clients send theirs, by `x-api-key`.
async fn caller(gateway: &Gateway, headers: &HeaderMap) -> Result<Known, CallError> {
    let key = headers.get("x-api-key").and_then(|v| v.to_str().ok());
    let checked = match key {
        Some(key) if !headers.contains_key(header::AUTHORIZATION) => {
            gateway.authenticator.check(key.trim()).await
        }
        _ => gateway.authenticator.check_headers(headers).await,
    };
    let caller = checked.map_err(|e| match e {
        auth::Error::Unavailable(why) => CallError::Unavailable(why),
        auth::Error::NotAServiceAccount(_) => CallError::Forbidden(e.to_string()),
        // There are no service accounts there.
        auth::Error::Missing | auth::Error::Refused(_) if gateway.standalone.is_some() => {
            CallError::Unauthorized(standalone::WRONG_TOKEN.to_owned())
        }
        auth::Error::Missing | auth::Error::Refused(_) => CallError::Unauthorized(e.to_string()),
    })?;
    match identity::pod(&gateway.namespace, &caller)? {
        Some(pod) => gateway.memory.callers.pod(&gateway.pool, pod).await,
        None => identity::service(&gateway.pool, headers).await,
    }
}
