//! The tries of one provider, each paid for by itself.

use crate::call::{Call, Outcome};
use crate::client::Client;
use crate::error::CallError;
use crate::fallback::Unanswered;
use crate::form::Form;
use crate::headers;
use crate::hold::{Funds, Lack, MaybePass, reserve, unavailable};
use crate::keys::{Keys, nonce};
use crate::line::Pass;
use crate::metrics::Counted;
use crate::plan::Plan;
use crate::relay::Charge;
use crate::retry::Cost;
use crate::target::Target;
use crate::undo::give_back;
use crate::upstream::{self, Failed, Sent};
use std::time::Instant;
use uuid::Uuid;

/// Names a call's tries, at all its providers.
pub(crate) struct Tries {
    operation: String,
    nonce: String,
    made: u32,
}

impl Tries {
    pub(crate) fn new(operation: String) -> Self {
        Self { operation, nonce: nonce(), made: 0 }
    }

    /// The keys of the next one.
    fn next(&mut self) -> Keys {
        self.made += 1;
        Keys::new(&self.operation, self.made, &self.nonce)
    }
}

/// One paid try of a provider.
#[derive(Clone, Copy)]
pub(crate) struct Try<'a> {
    pub(crate) target: &'a Target,
    pub(crate) keys: &'a Keys,
    /// What it was paid for.
    pub(crate) plan: &'a Plan,
    pub(crate) pass: &'a Pass,
    pub(crate) begun: Instant,
}

/// How it went with one provider.
pub(crate) enum Tried {
    Ended(Outcome),
    Unanswered(Unanswered),
}

/// How a try got to the provider.
enum Dispatch {
    Done(Pass),
    /// It did not: nothing is reserved any more.
    Not(Tried),
}

impl Call {
    /// Pays and tries one provider, as often as makes sense.
    pub(crate) async fn tried(
        &self,
        target: &Target,
        tries: &mut Tries,
        client: &mut Client,
    ) -> Result<Tried, CallError> {
        let lack = if target.place == 0 { Lack::Holds } else { Lack::Skips };
        let mut made = 0;
        loop {
            made += 1;
            if let Err(error) = target.endpoint.admit() {
                return Ok(self.not_asked(error));
            }
            let mut keys = tries.next();
            let paying = (&mut keys, target.endpoint.pass_now(&target.plan).await);
            let funds = reserve(
                &self.gateway,
                &self.caller.identity,
                &target.request,
                &target.plan,
                paying,
                (client, lack),
            )
            .await?;
            let (plan, pass) = match funds {
                Funds::Short(error) => return Ok(self.not_asked(error)),
                Funds::Granted(plan, pass) => (plan, pass),
                Funds::Gone => return Ok(Tried::Ended(Outcome::HungUp)),
            };
            let pass = match self.dispatched(target, (&keys, &plan), pass, client).await? {
                Dispatch::Done(pass) => pass,
                Dispatch::Not(ended) => return Ok(ended),
            };
            if client.is_gone() {
                give_back(&self.gateway, &keys);
                return Ok(Tried::Ended(Outcome::HungUp));
            }
            let pass = pass.sent();
            let begun = Instant::now();
            let sent = self.sent(Try { target, keys: &keys, plan: &plan, pass: &pass, begun }, client).await;
            drop(pass);
            let failed = match sent {
                Ok(outcome) => return Ok(Tried::Ended(outcome)),
                Err(failed) => failed,
            };
            let Some(wait) = failed.failure.wait(made, jitter()) else {
                return Ok(Tried::Unanswered(Unanswered::Failed(Box::new(failed))));
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = client.gone() => return Ok(Tried::Ended(Outcome::HungUp)),
            }
        }
    }

    /// The provider's pass, and the call durably dispatched: with the grant, or now.
    async fn dispatched(
        &self,
        target: &Target,
        (keys, plan): (&Keys, &Plan),
        pass: MaybePass,
        client: &Client,
    ) -> Result<Dispatch, CallError> {
        if let Some(pass) = pass {
            return Ok(Dispatch::Done(pass));
        }
        let waits = Counted::new(&self.gateway.metrics.waiting);
        let waited = tokio::select! {
            biased;
            () = client.gone() => Err(Tried::Ended(Outcome::HungUp)),
            pass = target.endpoint.pass(plan) => pass.map_err(|error| self.not_asked(error)),
        };
        drop(waits);
        let pass = match waited {
            Ok(pass) => pass,
            Err(ended) => {
                give_back(&self.gateway, keys);
                return Ok(Dispatch::Not(ended));
            }
        };
        if let Err(error) = self.gateway.ledger.dispatch(&keys.upstream).await {
            give_back(&self.gateway, keys);
            return Err(unavailable(&error));
        }
        Ok(Dispatch::Done(pass))
    }

    fn not_asked(&self, error: CallError) -> Tried {
        self.gateway.metrics.not_asked.with_label_values(&[error.classify().2]).inc();
        Tried::Unanswered(Unanswered::NotAsked(error))
    }

    /// One paid try of the provider: sent, relayed, settled.
    async fn sent(&self, tried: Try<'_>, client: &mut Client) -> Result<Outcome, Failed> {
        let Try { target, keys, plan, .. } = tried;
        let headers = headers::to_provider(&self.headers);
        let (body, id) = (plan.body.clone(), keys.upstream.as_str());
        let sent = Sent { url: &target.url, headers, body, id, stream: plan.stream };
        let sent = tokio::select! {
            sent = upstream::send(&self.gateway.upstream, &target.endpoint, sent) => sent,
            () = client.gone() => {
                self.settle(tried, Charge::Unknown);
                return Ok(Outcome::HungUp);
            }
        };
        let ended = match sent {
            Ok((response, Form::Events)) => Ok(self.stream(tried, response, client).await),
            Ok((response, Form::Whole)) => self.whole(tried, response, client).await,
            Err(failed) => Err(failed),
        };
        ended.inspect_err(|failed| self.failed(tried, failed))
    }

    fn failed(&self, tried: Try<'_>, failed: &Failed) {
        let endpoint = &tried.target.endpoint;
        let charge = match failed.failure.cost() {
            Cost::Nothing => Charge::NOTHING,
            Cost::Unknown => Charge::Unknown,
        };
        self.gateway.metrics.failed(failed.failure.cause());
        endpoint.health.failed(failed);
        tracing::warn!(provider = &*endpoint.provider, why = failed.why, "a try of the provider failed");
        self.settle(tried, charge);
    }
}

fn jitter() -> f64 {
    f64::from(u16::try_from(Uuid::new_v4().as_u128() & 0xffff).unwrap_or(0)) / f64::from(u16::MAX)
}
