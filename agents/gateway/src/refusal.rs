//! What a client is told where a provider did not answer. Pure.

use crate::error::CallError;
use crate::headers;
use crate::retry::Failure;
use crate::upstream::Failed;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;

/// What a provider that did not answer means for the client: its own words, where they are the client's business.
pub(crate) fn refusal(provider: &str, failed: Failed) -> Result<(StatusCode, HeaderMap, Bytes), CallError> {
    match failed.said {
        Some((StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, ..)) => Err(CallError::Upstream {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "provider_key_refused",
            message: format!(
                "ModelProvider {provider} refuses its key; correct the Secret it names, or outside a cluster the variable"
            ),
            retry_after: Some(15),
        }),
        Some((status, headers, body)) if status.is_client_error() || status.is_server_error() => {
            let mut headers = headers::to_client(&headers);
            headers.remove(http::header::WWW_AUTHENTICATE);
            Ok((status, headers, body))
        }
        Some((status, ..)) => {
            Err(broken(provider, &format!("it answered {status}; redirects are not followed")))
        }
        None => Err(silent(provider, failed.failure, &failed.why)),
    }
}

/// A try in which the provider said nothing.
fn silent(provider: &str, failure: Failure, why: &str) -> CallError {
    let (status, code) = match failure {
        // Nothing was sent, so that it may be sent again without a thought.
        Failure::NotSent => (StatusCode::SERVICE_UNAVAILABLE, "provider_unreachable"),
        Failure::NotConnected => (StatusCode::SERVICE_UNAVAILABLE, "provider_connect_timeout"),
        Failure::Silent => (StatusCode::GATEWAY_TIMEOUT, "provider_first_byte_timeout"),
        Failure::Broken | Failure::Malformed | Failure::Status { .. } => return broken(provider, why),
    };
    let message = format!("ModelProvider {provider}: {why}");
    CallError::Upstream { status, code, message, retry_after: Some(1) }
}

fn broken(provider: &str, why: &str) -> CallError {
    CallError::Upstream {
        status: StatusCode::BAD_GATEWAY,
        code: "provider_failed",
        message: format!("ModelProvider {provider}: {why}"),
        retry_after: Some(1),
    }
}
