//! Peer-hub's own metrics.

use golden_platform::telemetry::Metrics as Registry;
use prometheus::{HistogramVec, IntCounterVec};

#[derive(Clone)]
pub struct Metrics {
    /// Reviews decided, by outcome.
    pub reviews: IntCounterVec,
    /// Ballots kept, by verdict.
    pub ballots: IntCounterVec,
    /// Questions that no vote came of, by the fault's name.
    pub faults: IntCounterVec,
    /// Voters without a ballot when their review closed.
    pub absent: IntCounterVec,
    /// Time from a request's delivery to its decision.
    pub consensus_seconds: HistogramVec,
}

impl Metrics {
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            reviews: registry.counter(
                "golden_reviews_total",
                "Reviews decided, by outcome.",
                &["outcome"],
            )?,
            ballots: registry.counter("golden_ballots_total", "Ballots kept, by verdict.", &["verdict"])?,
            faults: registry.counter(
                "golden_ballot_faults_total",
                "Questions to voters that no vote came of, by fault.",
                &["fault"],
            )?,
            absent: registry.counter("golden_absent_voters_total", "Voters without a ballot.", &[])?,
            consensus_seconds: registry.seconds(
                "golden_consensus_duration_seconds",
                "Time from a request's delivery to its decision.",
                &[],
            )?,
        })
    }
}
