//! Metrics of the broker. `golden_sandbox_queue_depth` is what the team's sandboxes are scaled by.

use golden_platform::telemetry;
use prometheus::{HistogramVec, IntCounterVec, IntGauge, IntGaugeVec};

/// The broker's metrics.
#[derive(Clone)]
pub struct Metrics {
    queue_depth: IntGaugeVec,
    running: IntGaugeVec,
    runs: IntCounterVec,
    seconds: HistogramVec,
}

impl Metrics {
    /// Registers them.
    pub fn new(registry: &telemetry::Metrics) -> Result<Self, prometheus::Error> {
        Ok(Self {
            queue_depth: registry.gauge(
                "golden_sandbox_queue_depth",
                "Guard requests that are waiting or under way.",
                &[],
            )?,
            running: registry.gauge("golden_sandbox_running", "Runs this replica waits for.", &[])?,
            runs: registry.counter(
                "golden_sandbox_runs_total",
                "Ended guard runs, by verdict and reason.",
                &["verdict", "reason"],
            )?,
            seconds: registry.seconds(
                "golden_sandbox_run_duration_seconds",
                "From a request being taken to its fact.",
                &["verdict"],
            )?,
        })
    }

    pub(super) fn queue(&self, depth: u64) {
        self.queue_depth.with_label_values::<&str>(&[]).set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    pub(super) fn running(&self) -> Running {
        let gauge = self.running.with_label_values::<&str>(&[]);
        gauge.inc();
        Running(gauge)
    }

    /// Reasons are documented constants, so they make few series.
    pub(super) fn ended(&self, verdict: &str, reason: &str, seconds: f64) {
        self.runs.with_label_values(&[verdict, reason]).inc();
        self.seconds.with_label_values(&[verdict]).observe(seconds);
    }
}

/// Counts as running until it is dropped.
pub(super) struct Running(IntGauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}
