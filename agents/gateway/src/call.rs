//! One call from beginning to end. It runs by itself: a client that hangs up stops the provider, and what was
//! begun is settled all the same.

use crate::app::Gateway;
use crate::client::Client;
use crate::error::CallError;
use crate::fallback::Unanswered;
use crate::headers::name_provider;
use crate::identity::Known;
use crate::refusal::refusal;
use crate::relay::Charge;
use crate::settling::settle_aside;
use crate::stuck;
use crate::target::Target;
use crate::tries::{Tried, Tries, Try};
use crate::upstream::Failed;
use axum::http::HeaderMap;
use golden_ledger::operation_key;
use golden_platform::wire::SettleRequest;
use std::sync::Arc;
use std::time::Instant;

/// A call, planned and authorised.
pub(crate) struct Call {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) caller: Known,
    /// The model that the caller's role is bound to.
    pub(crate) first: Target,
    /// As the client sent them.
    pub(crate) query: Option<String>,
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
                tracing::info!(task = %self.caller.identity.task_uid, role = self.caller.identity.role, %error, "call refused");
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
        let ended = self.funded(client).await;
        match &ended {
            Ok(Outcome::Answered) => stuck::end(&self.gateway, &self.caller).await,
            Ok(_) => {}
            Err(error) => {
                if let Some(trouble) = stuck::of_refusal(error) {
                    stuck::begin(&self.gateway, &self.caller, trouble).await;
                }
            }
        }
        ended
    }

    /// One call at a time of an operation, at its provider and then, where that cannot answer, at its fallbacks.
    async fn funded(&self, client: &mut Client) -> Result<Outcome, CallError> {
        let operation = operation_key(&self.caller.identity.scope, &self.first.plan.request_hash);
        let turn = tokio::select! {
            turn = self.gateway.memory.inflight.enter(&operation) => turn,
            () = client.gone() => return Ok(Outcome::HungUp),
        };
        let mut tries = Tries::new(operation);
        let (provider, unanswered) = match self.answered(&mut tries, client).await? {
            Answered::Ended(outcome) => return Ok(outcome),
            Answered::Not { provider, unanswered } => (provider, unanswered),
        };
        drop(turn);
        let failed = match unanswered {
            Unanswered::NotAsked(error) => return Err(error),
            Unanswered::Failed(failed) => failed,
        };
        match stuck::of_try(&provider, &failed) {
            Some(trouble) => stuck::begin(&self.gateway, &self.caller, trouble).await,
            // It answers again, if only with a refusal of this request.
            None => stuck::end(&self.gateway, &self.caller).await,
        }
        self.pass_on(&provider, *failed, client).await
    }

    /// Asks the provider, then its fallbacks in their order. Where none answers, the first one's words count: a
    /// fallback that cannot take this request says nothing about it. A try that may have cost money ends the search.
    async fn answered(&self, tries: &mut Tries, client: &mut Client) -> Result<Answered, CallError> {
        let first = match self.tried(&self.first, tries, client).await? {
            Tried::Ended(outcome) => return Ok(Answered::Ended(outcome)),
            Tried::Unanswered(unanswered) => unanswered,
        };
        let provider = Arc::clone(&self.first.endpoint.provider);
        if !first.is_outage() || !self.first.is_portable() {
            return Ok(Answered::Not { provider, unanswered: first });
        }
        for place in 1..=self.first.endpoint.fallbacks.len() {
            // Rare and large, each step of it: boxed, or each call would have room for it.
            let Some(target) = Box::pin(self.fallback(place)).await else { continue };
            let name = Arc::clone(&target.endpoint.provider);
            tracing::info!(provider = &*provider, fallback = &*name, why = %first, "a fallback is asked");
            match Box::pin(self.tried(&target, tries, client)).await? {
                Tried::Ended(outcome) => return Ok(Answered::Ended(outcome)),
                Tried::Unanswered(unanswered) if unanswered.may_have_cost() => {
                    return Ok(Answered::Not { provider: name, unanswered });
                }
                Tried::Unanswered(why) => {
                    tracing::warn!(provider = &*name, %why, "a fallback did not answer");
                }
            }
        }
        Ok(Answered::Not { provider, unanswered: first })
    }

    /// The call as it is made at a fallback; nothing where that cannot be used, which its ModelProvider says too.
    async fn fallback(&self, place: usize) -> Option<Target> {
        let wanted = self.first.endpoint.fallbacks.get(place.checked_sub(1)?)?;
        let made = async {
            let endpoint =
                self.gateway.providers.fallback(&self.caller.identity.binding.namespace, wanted).await?;
            let protocol = self.first.request.protocol;
            endpoint.speaks(protocol, &self.caller.identity.role)?;
            let variant = (self.query.as_deref(), &self.headers);
            Target::new(endpoint, protocol, self.first.request.raw.clone(), variant, place)
        };
        let provider = &*self.first.endpoint.provider;
        match made.await {
            Ok(target) if *target.endpoint.provider == *provider => None,
            Ok(target) => Some(target),
            Err(error) => {
                tracing::warn!(provider, %error, "a fallback cannot be used");
                None
            }
        }
    }

    /// Tells the client what the provider said.
    async fn pass_on(
        &self,
        provider: &str,
        failed: Failed,
        client: &mut Client,
    ) -> Result<Outcome, CallError> {
        let (status, mut headers, body) = refusal(provider, failed)?;
        if client.has_begun() {
            let said = String::from_utf8_lossy(&body);
            return Err(CallError::Upstream {
                status,
                code: "provider_failed",
                message: format!("ModelProvider {provider} answered {status}: {said}"),
                retry_after: None,
            });
        }
        name_provider(&mut headers, provider);
        client.begin(status, headers).await;
        client.send(body).await;
        Ok(Outcome::Refused)
    }

    /// Settles by itself: neither the answer nor the next try waits for it, and it goes on while the ledger is away.
    pub(crate) fn settle(&self, tried: Try<'_>, charge: Charge) {
        let latency = tried.begun.elapsed();
        if let Charge::Known { input_tokens, output_tokens, .. } = charge {
            tried.pass.used(u64::try_from(input_tokens.saturating_add(output_tokens)).unwrap_or(0));
        }
        self.gateway.metrics.charged(charge, latency);
        let (gateway, op_key) = (Arc::clone(&self.gateway), tried.keys.upstream.clone());
        settle_aside(&self.gateway, async move {
            let begun = Instant::now();
            let done = match charge {
                Charge::Unknown => gateway.ledger.abandon(&op_key).await,
                Charge::Known { cost, input_tokens, output_tokens } => {
                    let latency_ms = i64::try_from(latency.as_millis()).unwrap_or(i64::MAX);
                    let (op_key, cost_micro_usd) = (op_key.clone(), cost);
                    let request =
                        SettleRequest { op_key, cost_micro_usd, input_tokens, output_tokens, latency_ms };
                    gateway.ledger.settle(request).await
                }
            };
            gateway.metrics.settle_seconds.observe(begun.elapsed().as_secs_f64());
            if let Err(error) = done {
                tracing::error!(%error, op_key, "not settled; the ledger charges it in full when its lease ends");
                gateway.metrics.unsettled.inc();
            }
        });
    }
}

/// How it went with all providers.
enum Answered {
    Ended(Outcome),
    /// None answered; whose words count.
    Not {
        provider: Arc<str>,
        unanswered: Unanswered,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each call under way has room for its largest step. What is rare and large must be boxed where it is begun.
    const MOST_BYTES: usize = 8 * 1024;

    fn size<F>(_: impl Fn(Call, Client) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_call_takes_no_room_for_what_hardly_any_call_does() {
        let bytes = size(Call::run);
        assert!(bytes <= MOST_BYTES, "{bytes}");
    }
}
