//! Anthropic's count of a prompt's tokens: costs nothing, so that nothing is reserved or settled.

use crate::app::Gateway;
use crate::endpoint::Endpoint;
use crate::error::CallError;
use crate::headers;
use crate::protocol::Fields;
use crate::refusal::{broken, refusal};
use crate::upstream::{self, Sent};
use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
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
    };
    let response = match upstream::send(&gateway.upstream, endpoint, sent).await {
        Ok(response) => response,
        Err(failed) => {
            endpoint.health.failed(&failed);
            let (status, headers, body) = refusal(&endpoint.provider, failed)?;
            return Ok((status, headers, Body::from(body)).into_response());
        }
    };
    let (status, headers) = (response.status(), headers::to_client(response.headers()));
    let body = upstream::answer(response, endpoint).await;
    drop(pass);
    endpoint.health.ended(body.is_ok());
    let body = body.map_err(|why| broken(&endpoint.provider, &why))?;
    Ok((status, headers, Body::from(body)).into_response())
}
