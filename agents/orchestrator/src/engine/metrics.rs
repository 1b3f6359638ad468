//! What the engine shows of itself. The one place of these names.

use crate::machine::State;
use golden_platform::breaker::Breakers;
use golden_platform::telemetry::Metrics;
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};

/// How often a batch of steps freed a task's pod for want of money, and let the task go on afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pauses {
    freed: u64,
    continued: u64,
}

impl Pauses {
    /// Counts one step. A task that ends while its pod is freed does not go on.
    pub(super) fn step(&mut self, before: &State, after: &State) {
        self.freed += u64::from(before.freed.is_none() && after.freed.is_some());
        let goes_on = before.freed.is_some() && after.freed.is_none() && after.outcome.is_none();
        self.continued += u64::from(goes_on);
    }
}

/// The engine's metrics.
#[derive(Clone)]
pub struct EngineMetrics {
    active: IntGaugeVec,
    transitions: IntCounterVec,
    steps: HistogramVec,
    outbox: IntGaugeVec,
    pauses: IntCounterVec,
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
            pauses: metrics.counter(
                "golden_task_pauses_total",
                "Pods that were saved and freed since a call of theirs waited for money (freed), and tasks that went on \
                 from what was saved (continued).",
                &["what"],
            )?,
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

    pub(super) fn pauses(&self, Pauses { freed, continued }: Pauses) {
        for (what, count) in [("freed", freed), ("continued", continued)] {
            self.pauses.with_label_values(&[what]).inc_by(count);
        }
    }

    pub(super) fn outbox(&self, waiting: i64) {
        self.outbox.with_label_values::<&str>(&[]).set(waiting);
    }
}
