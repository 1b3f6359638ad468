//! One call from beginning to end. It runs by itself: a client that hangs up stops the provider, and what was
//! begun is settled all the same.

use crate::app::Gateway;
use crate::client::Client;
use crate::error::CallError;
use crate::headers;
use crate::hold::{Funds, Keys, reserve, unavailable};
use crate::identity::{Identity, Troubles, earlier};
use crate::plan::Plan;
use crate::providers::Endpoint;
use crate::relay::{Charge, Relay, usage};
use crate::retry::{Cost, Failure};
use crate::stuck;
use crate::upstream::{self, Failed, chain};
use axum::http::{HeaderMap, StatusCode};
use golden_ledger::operation_key;
use golden_platform::wire::SettleRequest;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

/// How long a call waits for a free slot at its provider.
/// Well within the lease of its reservation.
const SLOT: Duration = Duration::from_secs(30);
/// How long a client waits for its answer to be settled before it gets it; the settlement then goes on.
const SETTLE_WAIT: Duration = Duration::from_secs(3);
/// Bytes of one stream; far above any output cap.
const MAX_STREAM: usize = 64 * 1024 * 1024;

/// A call, planned and authorised.
pub(crate) struct Call {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) identity: Identity,
    pub(crate) endpoint: Endpoint,
    pub(crate) plan: Plan,
    pub(crate) headers: HeaderMap,
}

/// How a call ended, for the metrics.
#[derive(Clone, Copy)]
enum Outcome {
    Answered,
    HungUp,
    Refused,
}

impl Call {
    /// Runs the call and tells its client.
    pub(crate) async fn run(self, mut client: Client) {
        let outcome = match self.attempt(&mut client).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::info!(task = %self.identity.task_uid, role = self.identity.role, %error, "call refused");
                client.fail(&error).await;
                Outcome::Refused
            }
        };
        let label = match outcome {
            Outcome::Answered => "answered",
            Outcome::HungUp => "hung_up",
            Outcome::Refused => "refused",
        };
        self.gateway.metrics.calls.with_label_values(&[label]).inc();
    }

    async fn attempt(&self, client: &mut Client) -> Result<Outcome, CallError> {
        let earlier = earlier(&self.gateway.pool, &self.identity, &self.plan.request_hash).await?;
        let ended = self.funded(client, earlier.answered, earlier.troubles).await;
        match &ended {
            Ok(Outcome::Answered) => stuck::end(&self.gateway, &self.identity, earlier.troubles).await,
            Ok(_) => {}
            Err(error) => self.stuck(stuck::of_refusal(error), earlier.troubles).await,
        }
        ended
    }

    async fn stuck(&self, trouble: Option<stuck::Trouble>, troubles: Troubles) {
        if let Some(trouble) = trouble {
            stuck::begin(&self.gateway, &self.identity, troubles, trouble).await;
        }
    }

    /// Pays and tries, as often as makes sense.
    async fn funded(
        &self,
        client: &mut Client,
        ordinal: u64,
        troubles: Troubles,
    ) -> Result<Outcome, CallError> {
        let operation = operation_key(&self.identity.scope, &self.plan.request_hash, ordinal);
        let turn = tokio::select! {
            turn = self.gateway.inflight.enter(&operation) => turn,
            () = client.gone() => return Ok(Outcome::HungUp),
        };
        // Every upstream try has a key of its own, also against this operation's earlier calls and against
        // other processes: each call is paid for, and none is called twice for one payment.
        let nonce: String = Uuid::new_v4().simple().to_string().chars().take(12).collect();
        let mut made = 0;
        loop {
            made += 1;
            self.admit()?;
            let keys =
                Keys { operation: operation.clone(), upstream: format!("{operation}/u{made}.{nonce}") };
            let provider = &self.endpoint.provider;
            match reserve(&self.gateway, &self.identity, provider, &self.plan, &keys, client).await? {
                Funds::Granted => {}
                Funds::Gone => return Ok(Outcome::HungUp),
            }
            let failed = match self.dispatched(&keys, client).await? {
                Tried::Ended(outcome) => return Ok(outcome),
                Tried::Failed(failed) => failed,
            };
            let Some(wait) = failed.failure.wait(made, jitter()) else {
                drop(turn);
                match stuck::of_try(provider, &failed) {
                    Some(trouble) => self.stuck(Some(trouble), troubles).await,
                    // It answers again, if only with a refusal of this request.
                    None => stuck::end(&self.gateway, &self.identity, troubles).await,
                }
                return self.pass_on(failed, client).await;
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = client.gone() => return Ok(Outcome::HungUp),
            }
        }
    }

    fn admit(&self) -> Result<(), CallError> {
        self.endpoint.health.admit().map_err(|refused| CallError::Upstream {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "circuit_open",
            message: format!("ModelProvider {}: {refused}", self.endpoint.provider),
            retry_after: Some(u32::try_from(refused.retry_after.as_secs() + 1).unwrap_or(u32::MAX)),
        })
    }

    /// One paid try of the provider: dispatched, sent, relayed, settled.
    async fn dispatched(&self, keys: &Keys, client: &mut Client) -> Result<Tried, CallError> {
        let _slot = match self.slot(client).await {
            Ok(slot) => slot,
            Err(error) => {
                self.release(keys).await;
                return match error {
                    None => Ok(Tried::Ended(Outcome::HungUp)),
                    Some(error) => Err(error),
                };
            }
        };
        if let Err(error) = self.gateway.ledger.dispatch(&keys.upstream).await {
            // If it was dispatched after all, the ledger refuses the release and charges it when its lease ends.
            self.release(keys).await;
            return Err(unavailable(&error));
        }
        let begun = Instant::now();
        let headers = headers::to_provider(&self.headers);
        let body = self.plan.body.clone();
        let sent = tokio::select! {
            sent = upstream::send(&self.gateway.upstream, &self.endpoint, headers, body, &keys.upstream) => sent,
            () = client.gone() => {
                self.settle(keys, Charge::Unknown, begun).await;
                return Ok(Tried::Ended(Outcome::HungUp));
            }
        };
        let response = match sent {
            Ok(response) => response,
            Err(failed) => {
                self.failed(keys, &failed, begun).await;
                return Ok(Tried::Failed(failed));
            }
        };
        let is_stream = self.plan.stream && is_events(&response);
        let outcome = if is_stream {
            self.stream(keys, response, begun, client).await
        } else {
            self.whole(keys, response, begun, client).await
        };
        Ok(Tried::Ended(outcome))
    }

    /// A free slot at the provider. `None` as error: the client hung up.
    async fn slot(&self, client: &Client) -> Result<OwnedSemaphorePermit, Option<CallError>> {
        let slots = Arc::clone(&self.endpoint.health.slots);
        tokio::select! {
            slot = tokio::time::timeout(SLOT, slots.acquire_owned()) => match slot {
                Ok(Ok(slot)) => Ok(slot),
                _ => Err(Some(CallError::Unavailable(format!(
                    "too many calls of ModelProvider {} are under way", self.endpoint.provider
                )))),
            },
            () = client.gone() => Err(None),
        }
    }

    /// Relays an answer that comes in one piece: settled first, so that whoever has it knows its cost is kept.
    async fn whole(
        &self,
        keys: &Keys,
        response: reqwest::Response,
        begun: Instant,
        client: &mut Client,
    ) -> Outcome {
        let (status, headers) = (response.status(), headers::to_client(response.headers()));
        let body = tokio::select! {
            body = upstream::answer(response) => body,
            () = client.gone() => Err("the client hung up".to_owned()),
        };
        self.endpoint.health.report(body.is_ok() || client.is_gone());
        let answer = body.as_ref().ok().and_then(|b| serde_json::from_slice(b).ok());
        let charge = Charge::of(answer.as_ref().and_then(usage), &self.plan);
        self.settle(keys, charge, begun).await;
        match body {
            Ok(body) => {
                client.begin(status, headers).await;
                client.send(body).await;
                Outcome::Answered
            }
            Err(_) if client.is_gone() => Outcome::HungUp,
            Err(why) => {
                client.fail(&broken(&self.endpoint.provider, &why)).await;
                Outcome::Refused
            }
        }
    }

    /// Relays a stream. Its closing event follows the settlement.
    async fn stream(
        &self,
        keys: &Keys,
        mut response: reqwest::Response,
        begun: Instant,
        client: &mut Client,
    ) -> Outcome {
        client.begin(response.status(), headers::to_client(response.headers())).await;
        let mut relay = Relay::new(self.plan.forward_usage);
        let ended = self.relay(&mut response, &mut relay, client).await;
        // Closing the connection is what stops the provider.
        drop(response);
        self.endpoint.health.report(ended.is_ok() || client.is_gone());
        self.settle(keys, Charge::of(relay.usage(), &self.plan), begun).await;
        match ended {
            Ok(()) => {
                client.send("data: [DONE]\n\n").await;
                Outcome::Answered
            }
            Err(_) if client.is_gone() => Outcome::HungUp,
            Err(why) => {
                client.break_off(&why).await;
                Outcome::Refused
            }
        }
    }

    async fn relay(
        &self,
        response: &mut reqwest::Response,
        relay: &mut Relay,
        client: &mut Client,
    ) -> Result<(), String> {
        let mut received = 0;
        while !relay.is_done() {
            let next = tokio::select! {
                next = response.chunk() => next.map_err(|e| chain(&e))?,
                () = client.gone() => return Err("the client hung up".to_owned()),
            };
            let Some(bytes) = next else {
                return Err("the provider's stream ended before its answer did".to_owned());
            };
            received += bytes.len();
            if received > MAX_STREAM {
                return Err(format!("the provider's stream is longer than {MAX_STREAM} bytes"));
            }
            let passed = relay.feed(&bytes).map_err(|e| e.to_string())?;
            client.send(passed).await;
        }
        Ok(())
    }

    async fn failed(&self, keys: &Keys, failed: &Failed, begun: Instant) {
        let charge = match failed.failure.cost() {
            Cost::Nothing => Charge::NOTHING,
            Cost::Unknown => Charge::Unknown,
        };
        let cause = match failed.failure {
            Failure::NotSent => "not_sent",
            Failure::Broken => "broken",
            Failure::Status { code: 429, .. } => "status_429",
            Failure::Status { code: 500.., .. } => "status_5xx",
            Failure::Status { .. } => "status_4xx",
        };
        self.gateway.metrics.upstream_failures.with_label_values(&[cause]).inc();
        self.endpoint.health.report(!failed.failure.is_the_providers());
        tracing::warn!(provider = self.endpoint.provider, why = failed.why, "a try of the provider failed");
        self.settle(keys, charge, begun).await;
    }

    /// Tells the client what the provider said, in its own words where they are the client's business.
    async fn pass_on(&self, failed: Failed, client: &mut Client) -> Result<Outcome, CallError> {
        let provider = &self.endpoint.provider;
        match failed.said {
            Some((StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, ..)) => Err(CallError::Upstream {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: "provider_key_refused",
                message: format!("ModelProvider {provider} refuses its key; correct the Secret it names"),
                retry_after: Some(15),
            }),
            Some((status, _, body)) if client.has_begun() => Err(CallError::Upstream {
                status,
                code: "provider_failed",
                message: format!(
                    "ModelProvider {provider} answered {status}: {}",
                    String::from_utf8_lossy(&body)
                ),
                retry_after: None,
            }),
            Some((status, headers, body)) if status.is_client_error() || status.is_server_error() => {
                let mut headers = headers::to_client(&headers);
                headers.remove(http::header::WWW_AUTHENTICATE);
                client.begin(status, headers).await;
                client.send(body).await;
                Ok(Outcome::Refused)
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

    /// Settles. The client waits for it a moment, so that an answer's cost is kept before the answer is read;
    /// while the ledger is away the settlement goes on by itself.
    async fn settle(&self, keys: &Keys, charge: Charge, begun: Instant) {
        let latency = begun.elapsed();
        self.gateway.metrics.charged(charge, latency);
        let (gateway, key) = (Arc::clone(&self.gateway), keys.upstream.clone());
        let settling = self.gateway.calls.spawn(async move {
            let done = match charge {
                Charge::Unknown => gateway.ledger.abandon(&key).await,
                Charge::Known { cost, input_tokens, output_tokens } => {
                    let latency_ms = i64::try_from(latency.as_millis()).unwrap_or(i64::MAX);
                    let op_key = key.clone();
                    let cost_micro_usd = cost;
                    let request =
                        SettleRequest { op_key, cost_micro_usd, input_tokens, output_tokens, latency_ms };
                    gateway.ledger.settle(&request).await
                }
            };
            if let Err(error) = done {
                tracing::error!(%error, key, "not settled; the ledger charges it in full when its lease ends");
                gateway.metrics.unsettled.inc();
            }
        });
        let _ = tokio::time::timeout(SETTLE_WAIT, settling).await;
    }

    async fn release(&self, keys: &Keys) {
        if let Err(error) = self.gateway.ledger.release(&keys.upstream).await {
            tracing::warn!(%error, key = keys.upstream, "not released; its lease will end");
        }
    }
}

/// A try of the provider.
enum Tried {
    Ended(Outcome),
    Failed(Failed),
}

fn broken(provider: &str, why: &str) -> CallError {
    CallError::Upstream {
        status: StatusCode::BAD_GATEWAY,
        code: "provider_failed",
        message: format!("ModelProvider {provider}: {why}"),
        retry_after: Some(1),
    }
}

fn is_events(response: &reqwest::Response) -> bool {
    let kind = response.headers().get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}

fn jitter() -> f64 {
    f64::from(u16::try_from(Uuid::new_v4().as_u128() & 0xffff).unwrap_or(0)) / f64::from(u16::MAX)
}
