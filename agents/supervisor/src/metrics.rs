//! The supervisor's own metrics.

use golden_platform::telemetry::Metrics as Registry;
use prometheus::{IntCounterVec, IntGaugeVec};

#[derive(Clone)]
pub struct Metrics {
    pub raised: IntCounterVec,
    pub defaulted: IntCounterVec,
    /// Escalations that wait for a person now.
    pub open: IntGaugeVec,
    /// Dead letters that are held now.
    pub held: IntGaugeVec,
}

impl Metrics {
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            raised: registry.counter("golden_escalations_raised_total", "Escalations taken in.", &[])?,
            defaulted: registry.counter(
                "golden_escalations_defaulted_total",
                "Escalations that nobody answered in time.",
                &[],
            )?,
            open: registry.gauge("golden_escalations_open", "Escalations that wait for a person.", &[])?,
            held: registry.gauge("golden_dead_letters_held", "Dead letters that are held.", &[])?,
        })
    }
}
