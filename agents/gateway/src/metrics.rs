//! The gateway's own metrics. Labels are kinds and outcomes, and names of ModelProviders, of which there are few: so many
//! at most as there are breakers.

use crate::relay::Charge;
use crate::target::Target;
use golden_platform::breaker::MAX_NAMES;
use golden_platform::telemetry::Metrics as Registry;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// All series.
#[derive(Clone)]
pub struct Metrics {
    /// Calls by how they ended.
    pub calls: IntCounterVec,
    /// Answers, by the provider that gave them and its place: `bound` or `fallback`.
    answers: IntCounterVec,
    named: Arc<Mutex<BTreeSet<String>>>,
    /// Tokens settled, by direction.
    pub tokens: IntCounterVec,
    /// Time to reserve.
    pub reserve_seconds: Histogram,
    /// Time to settle, for which no caller waits.
    pub settle_seconds: Histogram,
    /// Time from dispatch to the end of the answer.
    pub upstream_seconds: Histogram,
    /// Calls that wait for money now.
    pub held: IntGauge,
    /// Calls that wait in line before a provider now.
    pub waiting: IntGauge,
    /// Calls that a provider was not asked for, by why: `circuit_open` or `provider_busy`.
    pub not_asked: IntCounterVec,
    /// Tries of providers that failed, by cause.
    pub upstream_failures: IntCounterVec,
    /// Calls charged at their upper bound, since the usage is not known.
    pub unknown: IntCounter,
    /// Settlements that were given up; the ledger charges them in full.
    pub unsettled: IntCounter,
}

impl Metrics {
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let none: &[&str] = &[];
        let counter =
            |name: &str, help: &str| registry.counter(name, help, none).map(|c| c.with_label_values(none));
        let seconds =
            |name: &str, help: &str| registry.seconds(name, help, none).map(|h| h.with_label_values(none));
        Ok(Self {
            calls: registry.counter(
                "golden_gateway_calls_total",
                "Calls, by how they ended.",
                &["outcome"],
            )?,
            named: Arc::default(),
            answers: registry.counter(
                "golden_gateway_answers_total",
                "Answers, by the ModelProvider that gave them, and whether it is the one that the role is bound to.",
                &["provider", "place"],
            )?,
            tokens: registry.counter("golden_gateway_tokens_total", "Tokens settled.", &["direction"])?,
            reserve_seconds: seconds("golden_gateway_reserve_duration_seconds", "Time of one reservation.")?,
            settle_seconds: seconds("golden_gateway_settle_duration_seconds", "Time of one settlement.")?,
            upstream_seconds: seconds(
                "golden_gateway_upstream_duration_seconds",
                "Time from dispatch to the end of the answer.",
            )?,
            held: registry
                .gauge("golden_gateway_held_calls", "Calls that wait for money now.", none)?
                .with_label_values(none),
            waiting: registry
                .gauge("golden_gateway_waiting_calls", "Calls that wait in line before a provider now.", none)?
                .with_label_values(none),
            not_asked: registry.counter(
                "golden_gateway_not_asked_total",
                "Calls that a provider was not asked for, by why.",
                &["why"],
            )?,
            upstream_failures: registry.counter(
                "golden_gateway_upstream_failures_total",
                "Failed tries of providers, by cause.",
                &["cause"],
            )?,
            unknown: counter(
                "golden_gateway_unknown_total",
                "Calls charged at their upper bound, for want of a usage.",
            )?,
            unsettled: counter(
                "golden_gateway_unsettled_total",
                "Settlements given up; the ledger charges them in full.",
            )?,
        })
    }

    /// A call was answered there.
    pub(crate) fn answered(&self, target: &Target) {
        let place = if target.place == 0 { "bound" } else { "fallback" };
        self.answers.with_label_values(&[self.name(&target.endpoint.provider), place]).inc();
    }

    /// A try of a provider failed.
    pub(crate) fn failed(&self, cause: &str) {
        self.upstream_failures.with_label_values(&[cause]).inc();
    }

    /// Names come from people: beyond so many, `other`.
    fn name<'a>(&self, provider: &'a str) -> &'a str {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.contains(provider) {
            return provider;
        }
        if named.len() >= MAX_NAMES {
            return "other";
        }
        named.insert(provider.to_owned());
        provider
    }

    /// One try of a provider has ended.
    pub(crate) fn charged(&self, charge: Charge, latency: Duration) {
        self.upstream_seconds.observe(latency.as_secs_f64());
        match charge {
            Charge::Unknown => self.unknown.inc(),
            Charge::Known { input_tokens, output_tokens, .. } => {
                let add = |direction: &str, tokens: i64| {
                    self.tokens.with_label_values(&[direction]).inc_by(u64::try_from(tokens).unwrap_or(0));
                };
                add("input", input_tokens);
                add("output", output_tokens);
            }
        }
    }
}

/// Counts a call that waits for as long as it lives.
pub(crate) struct Counted(IntGauge);

impl Counted {
    pub(crate) fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
