//! Metrics of the operator: names in one place.

use golden_platform::telemetry;
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};
use std::time::Instant;

/// What is measured.
#[derive(Clone)]
pub(crate) struct Metrics {
    reconciles: IntCounterVec,
    seconds: HistogramVec,
    leader: IntGaugeVec,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn new(metrics: &telemetry::Metrics) -> Result<Self, prometheus::Error> {
        Ok(Self {
            reconciles: metrics.counter(
                "golden_operator_reconciles_total",
                "Reconciles by controller and result.",
                &["controller", "result"],
            )?,
            seconds: metrics.seconds(
                "golden_operator_reconcile_duration_seconds",
                "Time of one reconcile, by controller.",
                &["controller"],
            )?,
            leader: metrics.gauge("golden_operator_leader", "1 while this replica leads.", &[])?,
        })
    }

    /// Starts to measure one reconcile.
    pub(crate) fn reconcile(&self, controller: &'static str) -> Timer<'_> {
        Timer { metrics: self, controller, start: Instant::now() }
    }

    /// Whether this replica leads.
    pub(crate) fn leads(&self, leads: bool) {
        let none: &[&str] = &[];
        self.leader.with_label_values(none).set(i64::from(leads));
    }
}

/// One reconcile under way.
pub(crate) struct Timer<'a> {
    metrics: &'a Metrics,
    controller: &'static str,
    start: Instant,
}

impl Timer<'_> {
    /// It ended.
    pub(crate) fn done(self, ok: bool) {
        let result = if ok { "ok" } else { "error" };
        self.metrics.reconciles.with_label_values(&[self.controller, result]).inc();
        self.metrics
            .seconds
            .with_label_values(&[self.controller])
            .observe(self.start.elapsed().as_secs_f64());
    }
}
