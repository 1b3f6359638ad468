//! Errors in the shapes that clients of models read, whoever on the way has to say them.

use http::StatusCode;
use serde_json::{Value, json};

/// OpenAI's: `{"error": {message, type, param, code}}`.
pub fn openai(message: &str, kind: &str, code: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

/// Anthropic's: `{"type": "error", "error": {type, message}}`; the cause where their clients look for it.
pub fn anthropic(status: StatusCode, message: &str, code: &str) -> Value {
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
    json!({"type": "error", "error": {"type": kind, "message": message, "details": {"error_code": code}}})
}
