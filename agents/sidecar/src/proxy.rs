//! The agent's way to models: its requests go on to the gateway with the pod's token, answers stream back unchanged.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use futures::TryStreamExt as _;
use golden_platform::http::{Error, ServiceClient, model_error};
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderName, StatusCode};

/// Largest request of an agent, in bytes: what the gateway takes.
const MAX_BODY: usize = 8 << 20;
/// Of one hop, or saying who the agent pretends to be: not passed on.
const OURS: [HeaderName; 5] = [AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];

/// Passes a request on to the gateway. What goes wrong on the way is told as the client expects it.
pub(crate) async fn forward(State(gateway): State<ServiceClient>, request: Request) -> Response {
    let anthropic = request.uri().path().starts_with("/v1/messages");
    passed(gateway, request).await.unwrap_or_else(|error| told(error, anthropic))
}

/// Status and headers are those of every service; the words are in the shape of the protocol that was spoken.
fn told(error: Error, anthropic: bool) -> Response {
    let (kind, code) = match error.status {
        StatusCode::PAYLOAD_TOO_LARGE => ("invalid_request_error", "too_large"),
        _ => ("server_error", "unavailable"),
    };
    let body = if anthropic {
        model_error::anthropic(error.status, &error.message, code)
    } else {
        model_error::openai(&error.message, kind, code)
    };
    error.into_response().map(|_| Body::from(body.to_string()))
}

async fn passed(gateway: ServiceClient, request: Request) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| Error::too_large(format!("a request may have {MAX_BODY} bytes at most")))?;
    let path = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let mut outgoing = gateway
        .request(parts.method, path)
        .await
        .map_err(|e| Error::unavailable(e.to_string()))?
        // A call may be held for money, or think for long: the pod's deadline bounds it.
        .timeout(std::time::Duration::from_hours(24))
        .body(body);
    for (name, value) in &parts.headers {
        if !OURS.contains(name) && name != "x-api-key" && !name.as_str().starts_with("x-golden-") {
            outgoing = outgoing.header(name, value);
        }
    }
    let answer =
        outgoing.send().await.map_err(|e| Error::unavailable(format!("the gateway does not answer: {e}")))?;
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if !OURS.contains(name) {
            response = response.header(name, value);
        }
    }
    let stream = answer.bytes_stream().map_err(std::io::Error::other);
    Ok(response.body(Body::from_stream(stream)).map_err(|e| Error::internal(e.to_string()))?.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::RETRY_AFTER;
    use serde_json::{Value, json};

    async fn body(response: Response) -> Value {
        let bytes = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn what_goes_wrong_here_is_told_in_the_clients_own_shape() {
        let away = Error::unavailable("the gateway does not answer");
        let response = told(away, true);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let said = body(response).await;
        assert_eq!((&said["type"], &said["error"]["type"]), (&json!("error"), &json!("overloaded_error")));
        let said = body(told(Error::too_large("too much"), false)).await["error"].clone();
        assert_eq!((&said["code"], &said["message"]), (&json!("too_large"), &json!("too much")));
    }
}
