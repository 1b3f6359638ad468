//! What every call needs, in one place.

use crate::callers::Callers;
use crate::holds::Holds;
use crate::inflight::Inflight;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::providers::Providers;
use crate::settling::Settling;
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
    pub memory: Memory,
    /// Accounts on which money moved (`crate::money`).
    pub money: broadcast::Sender<Uuid>,
    pub stop: CancellationToken,
    /// Calls under way: they settle what they began, also when their client is gone.
    pub calls: TaskTracker,
}

/// What a gateway remembers of its calls. Lost with its process, at the cost of a moment: what counts is in Postgres.
#[derive(Default)]
pub struct Memory {
    pub(crate) inflight: Inflight,
    pub(crate) callers: Callers,
    pub(crate) holds: Holds,
    pub(crate) settling: Settling,
}

impl Memory {
    /// Waits a moment, at most a second, until the settlements under way have landed: for whoever reads the ledger right
    /// after an answer.
    pub async fn settled(&self) {
        self.settling.landed().await;
    }

    /// A pod's rows were changed: they are read again for its next call.
    pub fn forget(&self, pod: Uuid) {
        self.callers.forget(pod);
    }
}
