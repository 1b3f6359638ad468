//! One call from beginning to end. It runs by itself: a client that hangs up stops the provider, and what was
//! begun is settled all the same.

use crate::app::Gateway;
use crate::client::Client;
use crate::error::CallError;
use crate::headers;
use crate::hold::{Funds, Keys, Slot, reserve, unavailable};
use crate::identity::{Identity, Troubles, earlier};
use crate::plan::{Plan, Request};
use crate::providers::Endpoint;
use crate::relay::Charge;
use crate::retry::{Cost, Failure};
use crate::stuck;
use crate::upstream::{self, Failed, Sent};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use golden_ledger::operation_key;
use golden_platform::wire::SettleRequest;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

/// How long a client waits for its answer to be settled before it gets it; the settlement then goes on.
const SETTLE_WAIT: Duration = Duration::from_secs(3);

/// A call, planned and authorised.
pub(crate) struct Call {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) identity: Identity,
    pub(crate) endpoint: Endpoint,
    pub(crate) request: Request,
    /// With all the output that its model gives; what is paid for may have less.
    pub(crate) plan: Arc<Plan>,
    /// Where it goes.
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
}

/// How a call ended, for the metrics.
#[derive(Clone, Copy)]
pub(crate) enum Outcome {
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
            self.endpoint.admit()?;
            let keys = Keys::new(&operation, made, &nonce);
            let provider = &self.endpoint.provider;
            let paying = (&keys, self.endpoint.free_slot());
            let funds =
                reserve(&self.gateway, &self.identity, &self.request, &self.plan, paying, client).await?;
            let (plan, keys, slot) = match funds {
                Funds::Granted(plan, keys, slot) => (plan, keys, slot),
                Funds::Gone => return Ok(Outcome::HungUp),
            };
            let Some(slot) = self.dispatched(&keys, slot, client).await? else {
                return Ok(Outcome::HungUp);
            };
            let tried = self.sent(&keys, &plan, client).await;
            drop(slot);
            let failed = match tried {
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

    /// A slot at the provider, and the call durably dispatched: with the grant, or now. `None`: the client hung up.
    async fn dispatched(
        &self,
        keys: &Keys,
        slot: Slot,
        client: &Client,
    ) -> Result<Option<OwnedSemaphorePermit>, CallError> {
        if slot.is_some() {
            return Ok(slot);
        }
        let slot = match self.slot(client).await {
            Ok(slot) => slot,
            Err(error) => {
                self.release(keys).await;
                return error.map_or(Ok(None), Err);
            }
        };
        if let Err(error) = self.gateway.ledger.dispatch(&keys.upstream).await {
            // If it was dispatched after all, the ledger refuses the release and charges it when its lease ends.
            self.release(keys).await;
            return Err(unavailable(&error));
        }
        Ok(Some(slot))
    }

    /// One paid try of the provider: sent, relayed, settled.
    async fn sent(&self, keys: &Keys, plan: &Plan, client: &mut Client) -> Tried {
        let begun = Instant::now();
        let headers = headers::to_provider(&self.headers);
        let sent = Sent { url: &self.url, headers, body: plan.body.clone(), id: &keys.upstream };
        let sent = tokio::select! {
            sent = upstream::send(&self.gateway.upstream, &self.endpoint, sent) => sent,
            () = client.gone() => {
                self.settle(keys, Charge::Unknown, begun).await;
                return Tried::Ended(Outcome::HungUp);
            }
        };
        let response = match sent {
            Ok(response) => response,
            Err(failed) => {
                self.failed(keys, &failed, begun).await;
                return Tried::Failed(failed);
            }
        };
        let try_ = Try { keys, plan, begun };
        let outcome = if plan.stream && is_events(&response) {
            self.stream(try_, response, client).await
        } else {
            self.whole(try_, response, client).await
        };
        Tried::Ended(outcome)
    }

    /// A free slot at the provider. `None` as error: the client hung up.
    async fn slot(&self, client: &Client) -> Result<OwnedSemaphorePermit, Option<CallError>> {
        tokio::select! {
            slot = self.endpoint.slot() => slot.map_err(Some),
            () = client.gone() => Err(None),
        }
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

    /// Tells the client what the provider said.
    async fn pass_on(&self, failed: Failed, client: &mut Client) -> Result<Outcome, CallError> {
        let (status, headers, body) = refusal(&self.endpoint.provider, failed)?;
        if client.has_begun() {
            let said = String::from_utf8_lossy(&body);
            return Err(CallError::Upstream {
                status,
                code: "provider_failed",
                message: format!("ModelProvider {} answered {status}: {said}", self.endpoint.provider),
                retry_after: None,
            });
        }
        client.begin(status, headers).await;
        client.send(body).await;
        Ok(Outcome::Refused)
    }

    /// Settles. The client waits for it a moment, so that an answer's cost is kept before the answer is read;
    /// while the ledger is away the settlement goes on by itself.
    pub(crate) async fn settle(&self, keys: &Keys, charge: Charge, begun: Instant) {
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

/// One paid try of the provider.
#[derive(Clone, Copy)]
pub(crate) struct Try<'a> {
    pub(crate) keys: &'a Keys,
    /// What it was paid for.
    pub(crate) plan: &'a Plan,
    pub(crate) begun: Instant,
}

/// How a try went.
enum Tried {
    Ended(Outcome),
    Failed(Failed),
}

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

fn is_events(response: &reqwest::Response) -> bool {
    let kind = response.headers().get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}

fn jitter() -> f64 {
    f64::from(u16::try_from(Uuid::new_v4().as_u128() & 0xffff).unwrap_or(0)) / f64::from(u16::MAX)
}
