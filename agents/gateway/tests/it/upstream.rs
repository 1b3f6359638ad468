//! What the provider gets, and the answers it is giving.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use futures::StreamExt;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A request as the provider got it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub uri: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Looks at what passes before the recorded model.
#[derive(Clone, Default)]
pub(crate) struct Upstream {
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Arc<AtomicUsize>,
}

impl Upstream {
    /// The same routes, looked at.
    pub(crate) fn before(&self, routes: Router) -> Router {
        routes.layer(axum::middleware::from_fn_with_state(self.clone(), look))
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Answers that are being given now.
    pub(crate) fn answers(&self) -> usize {
        self.answers.load(Ordering::SeqCst)
    }
}

/// Counts one answer for as long as it is given.
struct Giving(Arc<AtomicUsize>);

impl Giving {
    fn new(answers: &Arc<AtomicUsize>) -> Self {
        answers.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(answers))
    }
}

impl Drop for Giving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn look(State(upstream): State<Upstream>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    upstream.seen.lock().unwrap().push(Seen {
        uri: parts.uri.to_string(),
        headers: parts.headers.clone(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let giving = Giving::new(&upstream.answers);
    let answer = next.run(Request::from_parts(parts, body.into())).await;
    answer.map(|body| {
        let pieces = body.into_data_stream().inspect(move |_| {
            let _ = &giving;
        });
        axum::body::Body::from_stream(pieces)
    })
}
