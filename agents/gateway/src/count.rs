//! Anthropic's count of a prompt's tokens: costs nothing, so that nothing is reserved or settled.

use crate::app::Gateway;
use crate::endpoint::Endpoint;
use crate::error::CallError;
use crate::headers;
use crate::protocol::{Fields, object};
use crate::refusal::refusal;
use crate::upstream::{self, Failed, Sent};
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::de::IgnoredAny;
use uuid::Uuid;

/// Below the provider's `…/v1`.
const PATH: &str = "messages/count_tokens";

/// Passes the question on and the answer back. Dropping it stops the provider.
pub(crate) async fn count(
    gateway: &Gateway,
    endpoint: &Endpoint,
    query: Option<&str>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, CallError> {
    let mut fields = Fields::parse(body)?;
    let model = endpoint.model.upstream_name.as_ref().unwrap_or(&endpoint.model.name);
    fields.set("model", &model.as_str().into())?;
    endpoint.admit()?;
    let pass = endpoint.pass_free().await?.sent();
    let id = format!("count/{}", Uuid::new_v4().simple());
    let sent = Sent {
        url: &endpoint.url(PATH, query),
        headers: headers::to_provider(headers),
        body: fields.render().into(),
        id: &id,
        stream: false,
    };
    let answered = answered(gateway, endpoint, sent).await;
    drop(pass);
    let (status, headers, body) = match answered {
        Ok(answer) => {
            endpoint.health.ended(true);
            answer
        }
        Err(failed) => {
            endpoint.health.failed(&failed);
            refusal(&endpoint.provider, failed)?
        }
    };
    Ok((status, headers, Body::from(body)).into_response())
}

/// The provider's whole answer.
async fn answered(
    gateway: &Gateway,
    endpoint: &Endpoint,
    sent: Sent<'_>,
) -> Result<(StatusCode, HeaderMap, Bytes), Failed> {
    let (response, _) = upstream::send(&gateway.upstream, endpoint, sent).await?;
    let (status, headers) = (response.status(), headers::to_client(response.headers()));
    let (body, IgnoredAny) = upstream::answer(response, endpoint, object).await?;
    Ok((status, headers, body))
}
