//! The ledger's own metrics.

use std::time::Duration;

use golden_platform::telemetry::Metrics as Registry;
use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts};

/// How a batch was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    /// From memory, in one statement.
    Remembered,
    /// With its rows read and locked.
    Locked,
    /// From memory that was wrong: nothing was written, its requests were decided again.
    Vain,
}

impl Decided {
    fn as_str(self) -> &'static str {
        match self {
            Self::Remembered => "remembered",
            Self::Locked => "locked",
            Self::Vain => "vain",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Figures {
    batches: IntCounterVec,
    requests: Histogram,
    seconds: Histogram,
    overage: IntCounter,
}

impl Figures {
    /// Exposed with the others of the process.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let sizes = prometheus::exponential_buckets(1.0, 2.0, 11)?;
        let times = prometheus::exponential_buckets(0.000_5, 2.0, 15)?;
        let (batch, time) = ("golden_ledger_batch_requests", "golden_ledger_batch_seconds");
        let requests = HistogramOpts::new(batch, "Requests that were decided and written together.");
        let seconds = HistogramOpts::new(time, "Time to decide and write a batch, until it is on the disk.");
        let figures = Self {
            batches: IntCounterVec::new(
                Opts::new("golden_ledger_batches_total", "Batches, by how they were decided."),
                &["decided"],
            )?,
            requests: Histogram::with_opts(requests.buckets(sizes))?,
            seconds: Histogram::with_opts(seconds.buckets(times))?,
            overage: IntCounter::new(
                "golden_ledger_overage_micro_usd_total",
                "What providers charged beyond what was reserved for the call.",
            )?,
        };
        let collectors: [Box<dyn Collector>; 4] = [
            Box::new(figures.batches.clone()),
            Box::new(figures.requests.clone()),
            Box::new(figures.seconds.clone()),
            Box::new(figures.overage.clone()),
        ];
        for collector in collectors {
            registry.registry().register(collector)?;
        }
        Ok(figures)
    }

    pub(crate) fn batch(&self, decided: Decided, requests: usize, took: Duration) {
        self.batches.with_label_values(&[decided.as_str()]).inc();
        if decided != Decided::Vain {
            self.requests.observe(f64::from(u32::try_from(requests).unwrap_or(u32::MAX)));
            self.seconds.observe(took.as_secs_f64());
        }
    }

    pub(crate) fn overage(&self, micro_usd: i64) {
        self.overage.inc_by(micro_usd.max(0).unsigned_abs());
    }
}
