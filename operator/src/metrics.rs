//! Metrics of the operator: names in one place.

use golden_ledger::forecast::{Forecast, Miss};
use golden_platform::telemetry;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec};
use std::time::Instant;

/// What is measured.
#[derive(Clone)]
pub(crate) struct Metrics {
    reconciles: IntCounterVec,
    seconds: HistogramVec,
    leader: IntGaugeVec,
    forecasts: IntCounterVec,
    forecast_error: HistogramVec,
}

/// Shares of the actual cost.
const ERRORS: [f64; 10] = [0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0];

impl Metrics {
    /// Registers them.
    pub(crate) fn new(metrics: &telemetry::Metrics) -> Result<Self, prometheus::Error> {
        let options = HistogramOpts::new(
            "golden_forecast_error_ratio",
            "Distance of a forecast's p50 from what the task cost, as a share of that, by what it rested on.",
        );
        let forecast_error = HistogramVec::new(options.buckets(ERRORS.to_vec()), &["basis"])?;
        metrics.registry().register(Box::new(forecast_error.clone()))?;
        Ok(Self {
            forecast_error,
            forecasts: metrics.counter(
                "golden_forecasts_total",
                "Forecasts of ended tasks, by what they rested on and whether the cost was at most their p90.",
                &["basis", "covered"],
            )?,
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

    /// A task ended that had been forecast.
    pub(crate) fn forecast(&self, forecast: &Forecast, miss: &Miss) {
        let basis = if forecast.basis == 0 { "bound" } else { "runs" };
        let covered = if miss.covered { "true" } else { "false" };
        self.forecasts.with_label_values(&[basis, covered]).inc();
        // Whole percents fit a float far beyond any error worth telling apart.
        let percent = u32::try_from(miss.percent).unwrap_or(u32::MAX);
        self.forecast_error.with_label_values(&[basis]).observe(f64::from(percent) / 100.0);
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
