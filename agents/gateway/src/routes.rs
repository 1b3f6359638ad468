//! The HTTP interface: OpenAI's, as far as it is served.

use crate::app::Gateway;
use crate::call::Call;
use crate::client;
use crate::error::CallError;
use crate::identity::{Identity, identify, troubles};
use crate::plan::{MAX_BODY, plan};
use crate::stuck;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use golden_platform::auth;
use serde_json::{Value, json};
use std::sync::Arc;

pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/v1/models", get(models))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(gateway)
}

async fn complete(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, CallError> {
    let identity = caller(&gateway, &headers).await?;
    let voter = identity.role.starts_with("voter:");
    let planned = async {
        let endpoint = gateway.providers.endpoint(&identity.binding, &identity.namespace, voter).await?;
        let plan = plan(&body, &endpoint.provider, &endpoint.model, endpoint.modern_cap)?;
        Ok((endpoint, plan))
    };
    let (endpoint, plan) = match planned.await {
        Ok(planned) => planned,
        Err(error) => {
            refused(&gateway, &identity, &error).await;
            return Err(error);
        }
    };
    let (client, answer) = client::channel();
    let call = Call { gateway: Arc::clone(&gateway), identity, endpoint, plan, headers };
    gateway.calls.spawn(call.run(client));
    Ok(answer.response().await)
}

/// A provider that cannot be used is the task's business, not only this call's.
async fn refused(gateway: &Gateway, identity: &Identity, error: &CallError) {
    if let Some(trouble) = stuck::of_refusal(error)
        && let Some(troubles) = troubles(&gateway.pool, identity).await
    {
        stuck::begin(gateway, identity, troubles, trouble).await;
    }
}

/// The one model that the caller's role has: what a client may ask for changes nothing.
async fn models(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Result<Json<Value>, CallError> {
    let identity = caller(&gateway, &headers).await?;
    let model = identity.binding.model;
    Ok(Json(json!({"object": "list", "data": [
        {"id": model, "object": "model", "created": 0, "owned_by": identity.binding.provider}
    ]})))
}

async fn caller(gateway: &Gateway, headers: &HeaderMap) -> Result<Identity, CallError> {
    let caller = gateway.authenticator.check_headers(headers).await.map_err(|e| match e {
        auth::Error::Unavailable(why) => CallError::Unavailable(why),
        auth::Error::NotAServiceAccount(_) => CallError::Forbidden(e.to_string()),
        auth::Error::Missing | auth::Error::Refused(_) => CallError::Unauthorized(e.to_string()),
    })?;
    identify(&gateway.pool, &gateway.namespace, &caller, headers).await
}
