//! Redis, as something that may help and never decides.
//!
//! Whoever asks gets an answer soon, or none: while Redis is away, slow, or answers what was not asked for, it counts
//! as empty, and what it would have said is found out in another way. No caller connects, retries or waits longer than
//! [`PATIENCE`]; while Redis is known to be bad no caller waits at all. One task per process connects, looks once a
//! second whether it answers, and behind the circuit breaker `store/redis` says so to everybody else; a Redis that is
//! back is used again within two seconds.

mod commands;
mod keeper;
mod link;

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::{IntCounterVec, IntGauge};
use redis::aio::MultiplexedConnection;
use redis::{Client, RedisResult};

use crate::breaker::{Circuit, Settings};
use crate::telemetry::Metrics;
pub use commands::Script;
use link::Link;

/// Longest wait of one caller. An answer takes a fraction of a millisecond; one that takes longer than asking Postgres
/// would is of no use.
pub const PATIENCE: Duration = Duration::from_millis(20);
/// The reason in readiness and conditions while Redis does not answer.
pub const UNREACHABLE: &str = "CacheUnreachable";
/// Its circuit breaker.
const BREAKER: &str = "store/redis";
/// A look once a second is the probe of an open breaker.
const BREAKER_SETTINGS: Settings = Settings { failure_threshold: 5, recovery: Duration::from_secs(1) };
/// Longest URL, in bytes.
const MAX_URL: usize = 2048;

/// Why a URL is of no use. Never shows what stands in it: that may be a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "must be a URL such as redis://:password@127.0.0.1:6379/ (rediss:// with TLS), of at most {MAX_URL} bytes"
    )]
    Url,
    #[error("its metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Nothing was sent.
    NotAsked,
    /// It may have been done all the same.
    Unanswered,
}

/// A Redis. Cheap to clone; its task ends with the last clone.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    client: Client,
    circuit: Arc<Circuit>,
    patience: Duration,
    link: Link,
    figures: Figures,
}

#[derive(Clone)]
struct Figures {
    requests: IntCounterVec,
    up: IntGauge,
}

impl Figures {
    fn new(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let up = metrics.gauge("golden_cache_up", "1 while Redis answers in time, else 0.", &[])?;
        let requests = metrics.counter(
            "golden_cache_requests_total",
            "Requests to Redis, by how they ended: answered, unanswered (slow, or wrong), not_asked (known to be away).",
            &["outcome"],
        )?;
        let none: &[&str] = &[];
        Ok(Self { requests, up: up.with_label_values(none) })
    }

    fn count(&self, outcome: &str) {
        self.requests.with_label_values(&[outcome]).inc();
    }
}

/// Whether a URL can be used at all; nothing is connected.
pub fn check_url(url: &str) -> Result<(), OpenError> {
    client(url).map(drop)
}

fn client(url: &str) -> Result<Client, OpenError> {
    let known = url.starts_with("redis://") || url.starts_with("rediss://");
    if !known || url.len() > MAX_URL {
        return Err(OpenError::Url);
    }
    Client::open(url).map_err(|_| OpenError::Url)
}

impl Cache {
    /// Of a URL (`redis://` or `rediss://`), seen in the metrics and among the breakers of a process. It connects by
    /// itself, also later; fails only if the URL cannot be read.
    pub fn open(url: &str, metrics: &Metrics) -> Result<Self, OpenError> {
        Self::patient(url, metrics, PATIENCE)
    }

    /// Of what a service was given: none, or an empty text, is no Redis.
    pub fn of_service(url: Option<&str>, metrics: &Metrics) -> Result<Option<Self>, OpenError> {
        url.map(str::trim).filter(|url| !url.is_empty()).map(|url| Self::open(url, metrics)).transpose()
    }

    /// The same with another patience of its callers.
    pub fn patient(url: &str, metrics: &Metrics, patience: Duration) -> Result<Self, OpenError> {
        let inner = Arc::new(Inner {
            client: client(url)?,
            circuit: metrics.breakers().with(BREAKER, BREAKER_SETTINGS),
            patience,
            link: Link::default(),
            figures: Figures::new(metrics)?,
        });
        tokio::spawn(keeper::keep(Arc::downgrade(&inner)));
        Ok(Self(inner))
    }

    /// Asks. Every error counts as no answer, and so does one that comes late.
    async fn ask<T, F>(&self, work: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, Missed>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let inner = &self.0;
        let Some((number, connection)) = inner.link.connection() else {
            inner.figures.count("not_asked");
            return Err(Missed::NotAsked);
        };
        if inner.circuit.admit(Instant::now()).is_err() {
            inner.figures.count("not_asked");
            return Err(Missed::NotAsked);
        }
        let answer = tokio::time::timeout(inner.patience, work(connection)).await;
        inner.circuit.report(matches!(answer, Ok(Ok(_))), Instant::now());
        match answer {
            Ok(Ok(answer)) => {
                inner.figures.count("answered");
                return Ok(answer);
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "Redis is of no help");
                if error.is_unrecoverable_error() {
                    inner.link.broke(number);
                }
            }
            Err(_) => tracing::debug!("Redis is slow"),
        }
        inner.figures.count("unanswered");
        Err(Missed::Unanswered)
    }

    /// Whether it answers, in words for people; not a gate: everything works without it.
    pub fn standing(&self) -> Result<(), String> {
        self.0.link.standing().map_err(|why| {
            format!(
                "{UNREACHABLE}: Redis does not answer ({why}); everything goes on without it, at most slower"
            )
        })
    }
}
