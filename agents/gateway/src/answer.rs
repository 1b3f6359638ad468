//! A provider's answer on its way to the client. Its settlement begins with its last byte.

use crate::call::{Call, Outcome};
use crate::client::Client;
use crate::headers;
use crate::protocol::{End, stated};
use crate::relay::{Charge, Relay};
use crate::tries::Try;
use crate::upstream::{self, Failed, chain};
use axum::http::{HeaderMap, HeaderValue};

/// Bytes of one stream; far above any output cap.
const MAX_STREAM: usize = 64 * 1024 * 1024;
/// Names the tools that were taken out of the request.
const WITHHELD: &str = "x-golden-withheld-tools";

impl Call {
    /// Relays an answer that comes in one piece. One that breaks off, or is none, is settled by whoever is told of it.
    pub(crate) async fn whole(
        &self,
        tried: Try<'_>,
        response: reqwest::Response,
        client: &mut Client,
    ) -> Result<Outcome, Failed> {
        let Try { target, plan, .. } = tried;
        let (status, headers) = (response.status(), shown(response.headers(), tried));
        let usage = |body: &[u8]| stated(target.request.protocol, body);
        let answer = tokio::select! {
            answer = upstream::answer(response, &target.endpoint, usage) => Some(answer?),
            () = client.gone() => None,
        };
        let Some((body, usage)) = answer else {
            self.settle(tried, Charge::Unknown);
            return Ok(Outcome::HungUp);
        };
        target.endpoint.health.ended(true);
        let charge = Charge::of(usage, plan);
        target.learn(charge);
        self.settle(tried, charge);
        client.begin(status, headers).await;
        client.send(body).await;
        self.gateway.metrics.answered(target);
        Ok(Outcome::Answered)
    }

    /// Relays a stream. Its closing event is sent once nothing can be wrong with it any more.
    pub(crate) async fn stream(
        &self,
        tried: Try<'_>,
        mut response: reqwest::Response,
        client: &mut Client,
    ) -> Outcome {
        let Try { target, plan, .. } = tried;
        client.begin(response.status(), shown(response.headers(), tried)).await;
        let mut relay = Relay::new(target.request.protocol.reader(plan.forward_usage));
        let ended = self.relay(tried, &mut response, &mut relay, client).await;
        // Closing the connection is what stops the provider.
        drop(response);
        // A client that left says nothing about the provider, which may have been silent.
        if ended.is_ok() || !client.is_gone() {
            target.endpoint.health.ended(ended == Ok(End::Answered));
        }
        let charge = Charge::of(relay.usage(), plan);
        target.learn(charge);
        self.settle(tried, charge);
        match ended {
            Ok(end) => {
                client.send(relay.closing()).await;
                match end {
                    End::Answered => {
                        self.gateway.metrics.answered(target);
                        Outcome::Answered
                    }
                    End::Failed => Outcome::Refused,
                }
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
        tried: Try<'_>,
        response: &mut reqwest::Response,
        relay: &mut Relay,
        client: &mut Client,
    ) -> Result<End, String> {
        let mut received = 0;
        let first = upstream::first_byte(&tried.target.endpoint).saturating_sub(tried.begun.elapsed());
        let idle = upstream::idle(&tried.target.endpoint);
        loop {
            if let Some(end) = relay.end() {
                return Ok(end);
            }
            let next = tokio::select! {
                next = upstream::within(if received == 0 { first } else { idle }, response.chunk()) => next,
                () = client.gone() => return Err("the client hung up".to_owned()),
            };
            let next = next.ok_or_else(|| {
                let (cause, seconds) =
                    if received == 0 { ("first_byte_timeout", first) } else { ("idle_timeout", idle) };
                self.gateway.metrics.failed(cause);
                format!("{cause}: the provider's stream was silent for {} s", seconds.as_secs())
            })?;
            let Some(bytes) = next.map_err(|e| chain(&e))? else {
                return Err("the provider's stream ended before its answer did".to_owned());
            };
            received += bytes.len();
            if received > MAX_STREAM {
                return Err(format!("the provider's stream is longer than {MAX_STREAM} bytes"));
            }
            let passed = relay.feed(&bytes).map_err(|e| e.to_string())?;
            client.send(passed).await;
        }
    }
}

/// The provider's headers, as the client gets them.
fn shown(headers: &HeaderMap, Try { target, plan, .. }: Try<'_>) -> HeaderMap {
    let mut headers = headers::to_client(headers);
    headers::name_provider(&mut headers, &target.endpoint.provider);
    headers::name_model(&mut headers, &target.endpoint.model);
    if !plan.withheld.is_empty()
        && let Ok(names) = HeaderValue::try_from(plan.withheld.join(", "))
    {
        headers.insert(WITHHELD, names);
    }
    headers
}
