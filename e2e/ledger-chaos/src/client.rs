//! Asking the ledger over HTTP, as the gateway does.

use crate::amount::Both;
use crate::history::{Answer, Ask, Call, Clock, Event, NEVER, State};
use crate::serve::TOKEN;
use crate::service::Address;
use crate::wire;
use anyhow::Result;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// Longer than any recovery of Postgres takes here; then nobody knows what became of the question.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    /// One for each replica, asked in turn: who asks twice asks two of them.
    replicas: Arc<[Address]>,
    turn: Arc<AtomicUsize>,
    clock: Clock,
    team: Uuid,
}

impl Client {
    pub(crate) fn new(replicas: Vec<Address>, clock: Clock, team: Uuid) -> Result<Self> {
        anyhow::ensure!(!replicas.is_empty(), "there is no ledger to ask");
        golden_platform::init_crypto();
        let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?;
        Ok(Self { http, replicas: replicas.into(), turn: Arc::default(), clock, team })
    }

    /// None if the question cannot have arrived.
    pub(crate) async fn ask(&self, call: &Call, task: Uuid, ask: Ask) -> Option<Event> {
        let (operation, body) = self.request(call, task, ask);
        let replica = &self.replicas[self.turn.fetch_add(1, Ordering::Relaxed) % self.replicas.len()];
        let start = self.clock.now();
        let request = self.http.post(replica.url(wire::PATH)).bearer_auth(TOKEN);
        let sent = request.json(&wire::request(operation, &body)).send().await;
        let answer = match sent {
            Err(error) if error.is_connect() => return None,
            Err(_) => Answer::None,
            Ok(response) => {
                let status = response.status().as_u16();
                response.json().await.map_or(Answer::None, |body| {
                    let (status, answer) = wire::answer(status, &body);
                    understood(status, &answer)
                })
            }
        };
        let end = if answer == Answer::None { NEVER } else { self.clock.now() };
        Some(Event { ask, answer, start, end })
    }

    fn request(&self, call: &Call, task: Uuid, ask: Ask) -> (&'static str, Value) {
        let key = json!({"opKey": call.key});
        match ask {
            Ask::Reserve { dispatch } => ("reserve", self.reserve(call, task, "sha256:request", dispatch)),
            Ask::ReserveOther => ("reserve", self.reserve(call, task, "sha256:another", false)),
            Ask::Dispatch => ("dispatch", key),
            Ask::Release => ("release", key),
            Ask::Abandon => ("abandon", key),
            Ask::Settle { used } => {
                let output = used.tokens / 4;
                let body = json!({"opKey": call.key, "costMicroUsd": used.cost, "inputTokens": used.tokens - output,
                                  "outputTokens": output, "latencyMs": 1});
                ("settle", body)
            }
        }
    }

    fn reserve(&self, call: &Call, task: Uuid, hash: &str, dispatch: bool) -> Value {
        let mut body = json!({"opKey": call.key, "requestHash": hash, "teamUid": self.team, "taskUid": task,
            "tryUid": null, "attempt": 1, "role": "developer", "provider": "chaos/models", "model": "m",
            "promptDigest": "sha256:p", "costMicroUsd": call.whole.cost, "tokens": call.whole.tokens,
            "dispatch": dispatch});
        if let Some(least) = call.least {
            body["least"] = json!({"costMicroUsd": least.cost, "tokens": least.tokens});
        }
        body
    }
}

/// What an answer means. A 5xx says that something is away, not what became of the question.
fn understood(status: u16, body: &Value) -> Answer {
    let strange = || Answer::Strange(format!("{status} {body}"));
    match (status, body["outcome"].as_str(), body["error"]["reason"].as_str()) {
        (200, None, _) => state(body).map_or_else(strange, Answer::State),
        (200, Some("Granted"), _) => granted(body).unwrap_or_else(strange),
        (200, Some("Exhausted"), _) => Answer::Exhausted,
        (200, Some("OtherRequest"), _) => Answer::OtherRequest,
        (404, _, Some("NotFound")) => Answer::NotFound,
        (400, _, Some("BadRequest")) => Answer::Invalid,
        (409, _, Some("IllegalTransition")) => Answer::Conflict,
        (503, ..) => Answer::None,
        _ => strange(),
    }
}

fn state(body: &Value) -> Option<State> {
    body["state"].as_str().and_then(State::parse)
}

fn granted(body: &Value) -> Option<Answer> {
    let bound = match body.get("bound") {
        None => None,
        Some(told) => Some(Both { cost: told["costMicroUsd"].as_i64()?, tokens: told["tokens"].as_i64()? }),
    };
    Some(Answer::Granted { state: state(body)?, bound })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_says_what_happened_counts_as_one() {
        let error = |reason: &str| json!({"error": {"reason": reason, "message": "m"}});
        assert_eq!(
            understood(200, &json!({"outcome": "Granted", "state": "Reserved"})),
            Answer::Granted { state: State::Reserved, bound: None }
        );
        let lowered = json!({"outcome": "Granted", "state": "Dispatched",
            "bound": {"costMicroUsd": 7, "tokens": 30}});
        let bound = Some(Both { cost: 7, tokens: 30 });
        assert_eq!(understood(200, &lowered), Answer::Granted { state: State::Dispatched, bound });
        assert_eq!(understood(200, &json!({"state": "Settled"})), Answer::State(State::Settled));
        assert_eq!(understood(503, &error("Unavailable")), Answer::None);
        assert_eq!(understood(409, &error("IllegalTransition")), Answer::Conflict);
        assert_eq!(understood(400, &error("BadRequest")), Answer::Invalid);
        for (status, body) in [
            (500, error("Internal")),
            (400, error("Other")),
            (409, error("StaleTry")),
            (200, json!({"outcome": "NoAccount"})),
            (200, json!({"state": "Half"})),
            (200, json!({"outcome": "Granted", "state": "Reserved", "bound": {"costMicroUsd": 7}})),
            (200, json!({"outcome": "Granted", "state": "Reserved", "bound": null})),
        ] {
            assert!(matches!(understood(status, &body), Answer::Strange(_)), "{status} {body}");
        }
    }
}
