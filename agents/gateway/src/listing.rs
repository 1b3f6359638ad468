//! The models that a caller has: the one that its role is bound to. What a client may ask for changes nothing. Pure.

use crate::error::CallError;
use crate::protocol::{ChatCompletions, Messages, Protocol};
use axum::Json;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use golden_platform::wire::ModelBinding;
use serde_json::{Value, json};

/// Which protocol's shape a question without a body is answered in.
pub(crate) fn protocol(headers: &HeaderMap) -> Protocol {
    if is_anthropic(headers) { &Messages } else { &ChatCompletions }
}

/// All of them.
pub(crate) fn list(binding: &ModelBinding, headers: &HeaderMap) -> Response {
    let model = shown(binding, headers);
    let list = if is_anthropic(headers) {
        json!({"data": [model], "has_more": false, "first_id": binding.model, "last_id": binding.model})
    } else {
        json!({"object": "list", "data": [model]})
    };
    Json(list).into_response()
}

/// One of them.
pub(crate) fn one(binding: &ModelBinding, id: &str, headers: &HeaderMap) -> Result<Response, CallError> {
    if id != binding.model {
        return Err(CallError::UnknownModel {
            provider: format!("{}/{}", binding.namespace, binding.provider),
            model: id.chars().take(128).collect(),
            known: format!("{} for this role", binding.model),
        });
    }
    Ok(Json(shown(binding, headers)).into_response())
}

fn shown(binding: &ModelBinding, headers: &HeaderMap) -> Value {
    if is_anthropic(headers) {
        json!({"type": "model", "id": binding.model, "display_name": binding.model,
               "created_at": "1970-01-01T00:00:00Z"})
    } else {
        json!({"id": binding.model, "object": "model", "created": 0, "owned_by": binding.provider})
    }
}

fn is_anthropic(headers: &HeaderMap) -> bool {
    headers.contains_key("anthropic-version")
}
