//! The recorded model with somebody who listens: what it was asked, when, and, if told to, an answer of its own.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use golden_model::Server;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// One question.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) system: String,
    pub(crate) user: String,
}

#[derive(Default)]
pub(crate) struct Calls(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    asked: Vec<Asked>,
    /// How many had begun when the first ended.
    first_end: Option<usize>,
    parrots: bool,
    /// Headers of the gateway on answers to questions of which the instructions contain a text.
    tells: Option<(String, HeaderMap)>,
}

impl Calls {
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.0.lock().unwrap().asked.clone()
    }

    pub(crate) fn begun_before_the_first_end(&self) -> usize {
        self.0.lock().unwrap().first_end.unwrap()
    }

    /// From now on the gateway says of answers to instructions with `about` in them who gave them.
    pub(crate) fn tell(&self, about: &str, headers: HeaderMap) {
        self.0.lock().unwrap().tells = Some((about.to_owned(), headers));
    }

    /// From now on the model approves and repeats its instructions.
    pub(crate) fn parrot(&self) {
        self.0.lock().unwrap().parrots = true;
    }
}

pub(crate) fn router(model: &Arc<Server>, calls: &Arc<Calls>) -> axum::Router {
    model.router().layer(from_fn_with_state(Arc::clone(calls), watch))
}

async fn watch(State(calls): State<Arc<Calls>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 16 << 20).await.unwrap();
    let question: Value = serde_json::from_slice(&body).unwrap();
    let text = |n: usize| question["messages"][n]["content"].as_str().unwrap().to_owned();
    let asked = Asked { system: text(0), user: text(1) };
    let parrots = {
        let mut seen = calls.0.lock().unwrap();
        seen.asked.push(asked.clone());
        seen.parrots
    };
    let mut response =
        if parrots { parrot(&asked.system) } else { next.run(Request::from_parts(parts, body.into())).await };
    let mut seen = calls.0.lock().unwrap();
    let begun = seen.asked.len();
    seen.first_end.get_or_insert(begun);
    if let Some((_, headers)) = seen.tells.as_ref().filter(|(about, _)| asked.system.contains(about)) {
        response.headers_mut().extend(headers.clone());
    }
    response
}

fn parrot(system: &str) -> Response {
    let ballot = json!({
        "verdict": "Approve", "severity": "Info", "confidence": 100, "evidence": [], "rationale": system,
    });
    let message = json!({"role": "assistant", "content": ballot.to_string()});
    Json(json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})).into_response()
}
