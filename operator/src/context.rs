//! What every controller works with.

use crate::backoff::Failures;
use crate::caches::Caches;
use crate::events::Events;
use crate::leader::Leadership;
use crate::metrics::Metrics;
use crate::pacing::Pacing;
use crate::queues::Queues;
use crate::settings::Settings;
use crate::synced::Synced;
use crate::throttle::Throttle;

/// Shared by all controllers.
pub(crate) struct Context {
    pub(crate) client: kube::Client,
    pub(crate) settings: Settings,
    pub(crate) caches: Caches,
    pub(crate) queues: Queues,
    pub(crate) synced: Synced,
    pub(crate) pool: sqlx::PgPool,
    pub(crate) jetstream: async_nats::jetstream::Context,
    pub(crate) events: Events,
    pub(crate) leadership: Leadership,
    pub(crate) failures: Failures,
    pub(crate) metrics: Metrics,
    /// When statuses of tasks were written.
    pub(crate) pacing: Pacing,
    /// When a team's children and streams were last looked at one by one.
    pub(crate) teams_checked: Throttle,
    /// When a budget's amounts were last written.
    pub(crate) budgets_written: Throttle,
    /// When it was last shown who spends a budget.
    pub(crate) spenders_read: Throttle,
}
