//! The breakers of a process as Prometheus series, read when they are asked for.
//!
//! Their label is the breaker's name: the registry bounds how many there are.

use std::time::Instant;

use prometheus::core::Desc;
use prometheus::proto::MetricFamily;
use prometheus::{IntCounterVec, IntGaugeVec, Opts};

use super::registry::Breakers;

/// Collects from a registry.
pub struct Collector {
    breakers: Breakers,
    /// Only for their descriptions: values are made anew each time, so that a breaker that went leaves no series.
    shape: Series,
}

struct Series {
    state: IntGaugeVec,
    calls: IntCounterVec,
    opened: IntCounterVec,
}

impl Series {
    fn new() -> Result<Self, prometheus::Error> {
        let state = "State of a circuit breaker: 0 closed, 1 half-open, 2 open.";
        let calls = "Calls behind a circuit breaker, by outcome: succeeded, failed, refused.";
        let opened = "Times a circuit breaker has opened.";
        Ok(Self {
            state: IntGaugeVec::new(Opts::new("golden_breaker_state", state), &["name"])?,
            calls: IntCounterVec::new(Opts::new("golden_breaker_calls_total", calls), &["name", "outcome"])?,
            opened: IntCounterVec::new(Opts::new("golden_breaker_opened_total", opened), &["name"])?,
        })
    }
}

impl Collector {
    pub fn new(breakers: Breakers) -> Result<Self, prometheus::Error> {
        Ok(Self { breakers, shape: Series::new()? })
    }
}

impl prometheus::core::Collector for Collector {
    fn desc(&self) -> Vec<&Desc> {
        let Series { state, calls, opened } = &self.shape;
        [state.desc(), calls.desc(), opened.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // The same names made a collector before: they are valid.
        let Ok(series) = Series::new() else { return Vec::new() };
        for view in self.breakers.views(Instant::now()) {
            let name = view.name.as_str();
            let state = match view.state.as_str() {
                "CLOSED" => 0,
                "HALF_OPEN" => 1,
                _ => 2,
            };
            series.state.with_label_values(&[name]).set(state);
            let counts = view.statistics;
            for (outcome, count) in
                [("succeeded", counts.succeeded), ("failed", counts.failed), ("refused", counts.refused)]
            {
                series.calls.with_label_values(&[name, outcome]).inc_by(count);
            }
            series.opened.with_label_values(&[name]).inc_by(counts.opened);
        }
        [series.state.collect(), series.calls.collect(), series.opened.collect()].concat()
    }
}
