//! What the engine shows of itself. The one place of these names.

use golden_platform::breaker::Breakers;
use golden_platform::telemetry::Metrics;
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};

/// The engine's metrics.
#[derive(Clone)]
pub struct EngineMetrics {
    active: IntGaugeVec,
    transitions: IntCounterVec,
    steps: HistogramVec,
    outbox: IntGaugeVec,
    pub(super) breakers: Breakers,
}

impl EngineMetrics {
    pub fn new(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        Ok(Self {
            active: metrics.gauge("golden_active_tasks", "Tasks that have not ended.", &[])?,
            transitions: metrics.counter(
                "golden_task_transitions_total",
                "Stages entered by tasks.",
                &["stage"],
            )?,
            steps: metrics.seconds(
                "golden_task_step_duration_seconds",
                "Time of one transaction that moves a task.",
                &["result"],
            )?,
            outbox: metrics.gauge("golden_outbox_messages", "Messages that wait to be sent.", &[])?,
            breakers: metrics.breakers().clone(),
        })
    }

    pub(super) fn active(&self, tasks: i64) {
        self.active.with_label_values::<&str>(&[]).set(tasks);
    }

    pub(super) fn entered(&self, stage: &str) {
        self.transitions.with_label_values(&[stage]).inc();
    }

    pub(super) fn step(&self, result: &str, seconds: f64) {
        self.steps.with_label_values(&[result]).observe(seconds);
    }

    pub(super) fn outbox(&self, waiting: i64) {
        self.outbox.with_label_values::<&str>(&[]).set(waiting);
    }
}
