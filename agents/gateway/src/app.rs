//! What every call needs, in one place.

use crate::inflight::Inflight;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::providers::Providers;
use crate::standalone::Models;
use crate::upstream::Clients;
use golden_platform::CancellationToken;
use golden_platform::auth::Authenticator;
use sqlx::PgPool;
use tokio::sync::broadcast;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// The gateway.
pub struct Gateway {
    pub pool: PgPool,
    pub ledger: Ledger,
    pub providers: Providers,
    pub authenticator: Authenticator,
    /// Outside a cluster: the models by what clients ask for. In one, a role's binding says which answers.
    pub standalone: Option<Models>,
    pub metrics: Metrics,
    /// Golden's own namespace.
    pub namespace: String,
    /// Calls providers: no redirects, or a key would follow them.
    pub upstream: Clients,
    pub inflight: Inflight,
    /// Accounts on which money moved (`crate::money`).
    pub money: broadcast::Sender<Uuid>,
    pub stop: CancellationToken,
    /// Calls under way: they settle what they began, also when their client is gone.
    pub calls: TaskTracker,
}
