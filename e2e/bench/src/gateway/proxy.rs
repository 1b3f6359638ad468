//! What a proxy costs that does nothing but pass on: axum before, the gateway's own HTTP client behind, both bodies
//! streamed.

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

#[derive(Clone)]
struct Proxy {
    http: reqwest::Client,
    upstream: String,
}

pub(crate) fn router(upstream: &str) -> Result<Router> {
    golden_platform::init_crypto();
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
    let proxy = Proxy { http, upstream: upstream.to_owned() };
    Ok(Router::new().fallback(pass).with_state(proxy))
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    of_the_connection(&mut parts.headers);
    let sent = proxy
        .http
        .request(parts.method, format!("{}{path}", proxy.upstream))
        .headers(parts.headers)
        .body(reqwest::Body::wrap_stream(body.into_data_stream()));
    match sent.send().await {
        Ok(answer) => {
            let (status, mut headers) = (answer.status(), answer.headers().clone());
            of_the_connection(&mut headers);
            (status, headers, Body::from_stream(answer.bytes_stream())).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// Removes what is said to one connection and not to the next.
fn of_the_connection(headers: &mut HeaderMap) {
    for name in [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
}
