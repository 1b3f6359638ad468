//! The agent's way to models: its requests go on to the gateway with the pod's token, answers stream back unchanged.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use futures::TryStreamExt as _;
use golden_platform::http::{Error, ServiceClient};
use http::HeaderName;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};

/// Largest request of an agent, in bytes: what the gateway takes.
const MAX_BODY: usize = 8 << 20;
/// Of one hop, or saying who the agent pretends to be: not passed on.
const OURS: [HeaderName; 5] = [AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];

/// Passes a request on to the gateway.
pub(crate) async fn forward(
    State(gateway): State<ServiceClient>,
    request: Request,
) -> Result<Response, Error> {
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
