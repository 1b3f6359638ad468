//! Metrics of the operator: names in one place.

use golden_crds::Budget;
use golden_ledger::forecast::{Forecast, Miss};
use golden_platform::ledger_accounts::Balance;
use golden_platform::telemetry;
use kube::ResourceExt as _;
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
    budget_micro_usd: IntGaugeVec,
    budget_tokens: IntGaugeVec,
    budget_alert: IntGaugeVec,
}

/// Of a budget, the values of the label `amount`.
const AMOUNTS: [&str; 5] = ["limit", "granted", "spent", "reserved", "overage"];

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
            budget_micro_usd: metrics.gauge(
                "golden_budget_micro_usd",
                "What a budget stands at in its present period, in micro-USD; no limit where it has none.",
                &["namespace", "budget", "amount"],
            )?,
            budget_tokens: metrics.gauge(
                "golden_budget_tokens",
                "What a budget stands at in its present period, in tokens; no limit where it has none.",
                &["namespace", "budget", "amount"],
            )?,
            budget_alert: metrics.gauge(
                "golden_budget_alert_percent",
                "The highest of a budget's alertPercents that was reached in its present period; 0 before the first.",
                &["namespace", "budget"],
            )?,
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

    /// What a budget stands at in its present period, and which of its `alertPercents` that has reached.
    pub(crate) fn budget(&self, budget: &Budget, balance: &Balance, alerts_reached: &[i64]) {
        let (namespace, name) = (budget.namespace().unwrap_or_default(), budget.name_any());
        let cost = [
            balance.limit_cost,
            Some(balance.granted_cost),
            Some(balance.spent_cost),
            Some(balance.reserved_cost),
            Some(balance.overage_cost),
        ];
        let tokens = [
            balance.limit_tokens,
            Some(balance.granted_tokens),
            Some(balance.spent_tokens),
            Some(balance.reserved_tokens),
            Some(balance.overage_tokens),
        ];
        for (gauge, values) in [(&self.budget_micro_usd, cost), (&self.budget_tokens, tokens)] {
            for (amount, value) in AMOUNTS.into_iter().zip(values) {
                let labels = [namespace.as_str(), name.as_str(), amount];
                match value {
                    Some(value) => gauge.with_label_values(&labels).set(value),
                    None => drop(gauge.remove_label_values(&labels)),
                }
            }
        }
        let reached = alerts_reached.iter().max().copied().unwrap_or(0);
        self.budget_alert.with_label_values(&[namespace.as_str(), name.as_str()]).set(reached);
    }

    /// It is gone.
    pub(crate) fn no_budget(&self, namespace: &str, name: &str) {
        for gauge in [&self.budget_micro_usd, &self.budget_tokens] {
            for amount in AMOUNTS {
                drop(gauge.remove_label_values(&[namespace, name, amount]));
            }
        }
        drop(self.budget_alert.remove_label_values(&[namespace, name]));
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
