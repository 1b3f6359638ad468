//! Errors in the shapes that the protocols' own clients read.

use crate::error::CallError;
use http::StatusCode;
use serde_json::{Value, json};

/// OpenAI: `{"error": {message, type, param, code}}`.
pub(crate) fn openai(error: &CallError) -> Value {
    let (_, kind, code) = error.classify();
    json!({"error": {"message": error.to_string(), "type": kind, "param": null, "code": code}})
}

/// Anthropic: `{"type": "error", "error": {type, message}}`; the cause where their clients look for it.
pub(crate) fn anthropic(error: &CallError) -> Value {
    let (status, _, code) = error.classify();
    let kind = match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::PAYMENT_REQUIRED => "billing_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        StatusCode::GATEWAY_TIMEOUT => "timeout_error",
        StatusCode::SERVICE_UNAVAILABLE => "overloaded_error",
        status if status.is_server_error() => "api_error",
        _ => "invalid_request_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": error.to_string(), "details": {"error_code": code}}})
}
