//! The routes and their bounds.

use super::caller::scope;
use super::credentials::Secrets;
use super::{job, result, saved, work};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use golden_platform::artifacts::{self, Store};
use golden_platform::auth::{Authenticator, protect};
use golden_platform::breaker::Breakers;
use sqlx::PgPool;
use std::sync::Arc;
use uuid::Uuid;

/// Largest JSON body: results are small, trees are artifacts.
const MAX_JSON_BYTES: usize = 64 << 10;

/// What the handlers work with.
#[derive(Clone)]
pub struct Interface {
    pub team: Uuid,
    pub pool: PgPool,
    pub artifacts: Store,
    pub secrets: Arc<dyn Secrets>,
    /// Those of this process; one for each git host.
    pub breakers: Breakers,
}

/// All routes, each for authenticated pods of the team's tasks only.
pub fn router(interface: Interface, authenticator: Authenticator) -> Router {
    let artifacts =
        artifacts::router(interface.artifacts.clone()).layer(from_fn_with_state(interface.clone(), scope));
    let own = Router::new()
        .route("/v1/try", get(work::current_try))
        .route("/v1/try/pause", get(work::pause_wish))
        .route("/v1/try/saved", post(saved::attempt_saved))
        .route("/v1/try/not-saved", post(saved::attempt_not_saved))
        .route("/v1/result", post(result::attempt_result))
        .route("/v1/job", get(job::current_job))
        .route("/v1/job/result", post(result::job_result))
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .with_state(interface);
    protect(own.merge(artifacts), authenticator)
}
