//! Serving: the service's routes beside /healthz, /readyz, /metrics and /v1/breakers, until told to stop.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use futures::future::BoxFuture;
use http::StatusCode;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::cache::Cache;
use crate::telemetry::Metrics;
use crate::{db, nats};

/// One gate may take this long before it counts as closed.
const GATE: Duration = Duration::from_secs(2);
/// Requests in hand may take this long once the process stops; kubelet's own patience is 30 s.
const DRAIN: Duration = Duration::from_secs(25);

type Note = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;
type Gate = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What /readyz asks and /metrics shows.
#[derive(Clone)]
pub struct Health {
    metrics: Metrics,
    gates: Vec<(&'static str, Gate)>,
    /// What is told beside the gates and closes none.
    notes: Vec<(&'static str, Note)>,
}

impl Health {
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics, gates: Vec::new(), notes: Vec::new() }
    }

    /// Ready only while this says so; the error is shown.
    #[must_use]
    pub fn gate<F, R>(mut self, name: &'static str, open: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.gates.push((name, Arc::new(move || Box::pin(open()))));
        self
    }

    /// Says how Redis stands. Ready all the same: everything goes on without it.
    #[must_use]
    pub fn cache(mut self, cache: Option<Cache>) -> Self {
        if let Some(cache) = cache {
            self.notes.push(("redis", Arc::new(move || cache.standing())));
        }
        self
    }

    /// Ready only while Postgres answers.
    #[must_use]
    pub fn postgres(self, pool: PgPool) -> Self {
        self.gate("postgres", move || {
            let pool = pool.clone();
            async move { db::ping(&pool).await }
        })
    }

    /// Ready only while NATS is connected.
    #[must_use]
    pub fn nats(self, client: async_nats::Client) -> Self {
        self.gate("nats", move || std::future::ready(nats::ping(&client)))
    }
}

/// Serves `router` and the health routes on `listen` until `stop`, then lets requests in hand finish.
pub async fn serve(
    listen: SocketAddr,
    router: Router,
    health: Health,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(|e| {
        std::io::Error::new(e.kind(), format!("cannot listen on {listen}: {e}; see GOLDEN_LISTEN"))
    })?;
    serve_on(listener, router, health, stop).await
}

/// [`serve`] on a listener that exists, so that a test may choose port 0.
pub async fn serve_on(
    listener: tokio::net::TcpListener,
    router: Router,
    health: Health,
    stop: CancellationToken,
) -> std::io::Result<()> {
    tracing::info!(listen = %listener.local_addr()?, "serving");
    let app = app(router, health);
    let listener = at_once(listener);
    let stopped = stop.clone();
    let serving = axum::serve(listener, app).with_graceful_shutdown(async move { stopped.cancelled().await });
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        done = serving.into_future() => done,
        () = overdue => {
            tracing::warn!("requests did not end in time; ending without them");
            Ok(())
        }
    }
}

/// What is written goes out at once. Otherwise the kernel keeps back the next piece of an answer until the one before is
/// acknowledged, which the other side may put off for 40 ms (Nagle's algorithm and delayed acknowledgements, RFC 9293).
pub fn at_once(listener: tokio::net::TcpListener) -> impl axum::serve::Listener<Addr = SocketAddr> {
    listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection may be slow");
        }
    })
}

/// The service's routes, measured, with the health routes beside them.
pub fn app(router: Router, health: Health) -> Router {
    let measured = router.layer(axum::middleware::from_fn_with_state(health.metrics.clone(), measure));
    let own = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/v1/breakers", get(breakers))
        .with_state(health);
    own.merge(measured)
}

async fn ready(State(health): State<Health>) -> Response {
    let checks = health.gates.iter().map(|(name, gate)| async move {
        let open = tokio::time::timeout(GATE, gate()).await;
        (name, open.unwrap_or_else(|_| Err(format!("no answer within {GATE:?}"))))
    });
    let mut text = String::new();
    let mut all = true;
    for (name, open) in futures::future::join_all(checks).await {
        all &= open.is_ok();
        let _ = match open {
            Ok(()) => writeln!(text, "[+] {name} ok"),
            Err(why) => writeln!(text, "[-] {name}: {why}"),
        };
    }
    for (name, note) in &health.notes {
        let _ = match note() {
            Ok(()) => writeln!(text, "[+] {name} ok"),
            Err(why) => writeln!(text, "[~] {name}: {why}"),
        };
    }
    (if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text).into_response()
}

async fn metrics(State(health): State<Health>) -> Response {
    match health.metrics.render() {
        Ok(text) => ([(http::header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(e) => super::Error::internal(format!("metrics cannot be written: {e}")).into_response(),
    }
}

async fn breakers(State(health): State<Health>) -> axum::Json<serde_json::Value> {
    axum::Json(serde_json::json!({"breakers": health.metrics.breakers().views(Instant::now())}))
}

/// Routes are labelled by their pattern: paths hold names, which would make labels without bound.
async fn measure(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let start = Instant::now();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    metrics.http(method.as_str(), route, response.status(), start.elapsed());
    response
}
