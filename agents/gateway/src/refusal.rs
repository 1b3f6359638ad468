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
            message: format!("ModelProvider {provider} refuses its key; correct the Secret it names"),
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
        // Nothing was sent, so that it may be sent again without a thought.
        None if failed.failure == Failure::NotSent => Err(CallError::Upstream {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "provider_unreachable",
            message: format!("ModelProvider {provider}: {}", failed.why),
            retry_after: Some(1),
        }),
        None => Err(broken(provider, &failed.why)),
    }
}

pub(crate) fn broken(provider: &str, why: &str) -> CallError {
    CallError::Upstream {
        status: StatusCode::BAD_GATEWAY,
        code: "provider_failed",
        message: format!("ModelProvider {provider}: {why}"),
        retry_after: Some(1),
    }
}
