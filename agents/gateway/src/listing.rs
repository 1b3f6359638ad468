//! The models that a caller has: in a cluster the one that its role is bound to, whatever a client may ask for;
//! outside, those that the configuration names. Pure.

use crate::error::CallError;
use crate::protocol::{ChatCompletions, Messages, Protocol};
use crate::standalone::Models;
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
pub(crate) fn list(standalone: Option<&Models>, binding: &ModelBinding, headers: &HeaderMap) -> Response {
    let models = match standalone {
        Some(models) => models.listed(protocol(headers).provider()),
        None => vec![(binding.model.as_str(), binding)],
    };
    let data: Vec<Value> = models.iter().map(|(name, binding)| shown(name, binding, headers)).collect();
    let list = if is_anthropic(headers) {
        let (first, last) = (models.first().map(|(name, _)| name), models.last().map(|(name, _)| name));
        json!({"data": data, "has_more": false, "first_id": first, "last_id": last})
    } else {
        json!({"object": "list", "data": data})
    };
    Json(list).into_response()
}

/// One of them.
pub(crate) fn one(
    standalone: Option<&Models>,
    binding: &ModelBinding,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, CallError> {
    if let Some(models) = standalone {
        let found = models.binding(protocol(headers), Some(id))?;
        return Ok(Json(shown(id, found, headers)).into_response());
    }
    if id != binding.model {
        return Err(CallError::UnknownModel {
            provider: format!("{}/{}", binding.namespace, binding.provider),
            model: id.chars().take(128).collect(),
            known: format!("{} for this role", binding.model),
        });
    }
    Ok(Json(shown(id, binding, headers)).into_response())
}

fn shown(name: &str, binding: &ModelBinding, headers: &HeaderMap) -> Value {
    if is_anthropic(headers) {
        json!({"type": "model", "id": name, "display_name": binding.model, "created_at": "1970-01-01T00:00:00Z"})
    } else {
        json!({"id": name, "object": "model", "created": 0, "owned_by": binding.provider})
    }
}

fn is_anthropic(headers: &HeaderMap) -> bool {
    headers.contains_key("anthropic-version")
}
