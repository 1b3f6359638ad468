//! Logs and metrics.

use std::io::IsTerminal as _;
use std::time::Duration;

use http::StatusCode;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use tracing_subscriber::EnvFilter;

use crate::breaker::{Breakers, Collector};

/// Starts logging to stderr: JSON for programs, text on a terminal; `RUST_LOG` chooses, `info` without it.
/// A second call changes nothing.
pub fn init(service: &str) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,async_nats=warn,sqlx=warn,kube=warn,hyper=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    };
    if started.is_ok() {
        tracing::info!(service, version = env!("CARGO_PKG_VERSION"), "starting");
    }
}

/// The metrics of one service, in a registry of its own; every series carries the label `service`.
/// Names are `golden_<what>_<unit>`, counters end in `_total`.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    http_seconds: HistogramVec,
    resident: IntGauge,
    breakers: Breakers,
}

impl Metrics {
    pub fn new(service: &str) -> Result<Self, prometheus::Error> {
        let labels = [("service".to_owned(), service.to_owned())].into();
        let registry = Registry::new_custom(None, Some(labels))?;
        let http_seconds = HistogramVec::new(
            HistogramOpts::new("golden_http_request_duration_seconds", "Time to answer requests, by route.")
                .buckets(LATENCY.to_vec()),
            &["method", "route", "status"],
        )?;
        let resident = IntGauge::new("process_resident_memory_bytes", "Resident memory of the process.")?;
        registry.register(Box::new(http_seconds.clone()))?;
        registry.register(Box::new(resident.clone()))?;
        let breakers = Breakers::default();
        registry.register(Box::new(Collector::new(breakers.clone())?))?;
        Ok(Self { registry, http_seconds, resident, breakers })
    }

    /// The circuit breakers of the service, seen in its metrics and at /v1/breakers.
    pub fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    pub fn counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        let made = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.registry.register(Box::new(made.clone()))?;
        Ok(made)
    }

    pub fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        let made = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.registry.register(Box::new(made.clone()))?;
        Ok(made)
    }

    /// A histogram of seconds.
    pub fn seconds(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<HistogramVec, prometheus::Error> {
        let made = HistogramVec::new(HistogramOpts::new(name, help).buckets(LATENCY.to_vec()), labels)?;
        self.registry.register(Box::new(made.clone()))?;
        Ok(made)
    }

    /// One answered request. Call it by hand for answers that stream.
    pub fn http(&self, method: &str, route: &str, status: StatusCode, took: Duration) {
        self.http_seconds.with_label_values(&[method, route, status.as_str()]).observe(took.as_secs_f64());
    }

    /// All series in Prometheus' text format.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        if let Some(bytes) = resident_bytes() {
            self.resident.set(bytes);
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// From 1 ms to the length of a review.
const LATENCY: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 300.0];

/// Resident memory by /proc/self/status, which counts in KiB.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<i64>().ok()? * 1024)
}
