//! The gateway's own metrics. Labels are roles' kinds and outcomes: bounded, and never a name of an object.

use golden_platform::telemetry::Metrics as Registry;
use prometheus::{HistogramVec, IntCounterVec, IntGauge};

/// All series.
#[derive(Clone)]
pub struct Metrics {
    /// Calls by how they ended.
    pub calls: IntCounterVec,
    /// Tokens settled, by direction.
    pub tokens: IntCounterVec,
    /// Time to reserve.
    pub reserve_seconds: HistogramVec,
    /// Time from dispatch to the end of the answer.
    pub upstream_seconds: HistogramVec,
    /// Calls that wait for money now.
    pub held: IntGauge,
    /// Tries of providers that failed, by cause.
    pub upstream_failures: IntCounterVec,
    /// Settlements at the upper bound, since the usage is not known.
    pub estimated: IntCounterVec,
    /// Settlements that were given up; the ledger charges them in full.
    pub unsettled: IntCounterVec,
}

impl Metrics {
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let held = registry.gauge("golden_gateway_held_calls", "Calls that wait for money now.", &[])?;
        Ok(Self {
            calls: registry.counter(
                "golden_gateway_calls_total",
                "Calls, by how they ended.",
                &["outcome"],
            )?,
            tokens: registry.counter("golden_gateway_tokens_total", "Tokens settled.", &["direction"])?,
            reserve_seconds: registry.seconds(
                "golden_gateway_reserve_duration_seconds",
                "Time of one reservation.",
                &[],
            )?,
            upstream_seconds: registry.seconds(
                "golden_gateway_upstream_duration_seconds",
                "Time from dispatch to the end of the answer.",
                &[],
            )?,
            held: held.with_label_values(&[] as &[&str]),
            upstream_failures: registry.counter(
                "golden_gateway_upstream_failures_total",
                "Failed tries of providers, by cause.",
                &["cause"],
            )?,
            estimated: registry.counter(
                "golden_gateway_estimated_settlements_total",
                "Settlements at the upper bound, for want of a usage.",
                &[],
            )?,
            unsettled: registry.counter(
                "golden_gateway_unsettled_total",
                "Settlements given up; the ledger charges them in full.",
                &[],
            )?,
        })
    }
}
