//! Dead letters over HTTP, for Golden's own api.

use async_nats::jetstream::Context;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use golden_platform::auth::{Authenticator, Caller, protect};
use golden_platform::http::Error;
use golden_platform::letters::{self, Letter};
use sqlx::PgPool;
use uuid::Uuid;

/// Who may ask.
const CALLER: &str = "golden-api";

/// What the routes need.
#[derive(Clone)]
pub struct Desk {
    pub pool: PgPool,
    pub js: Context,
    pub team_uid: Uuid,
    /// Golden's own namespace.
    pub namespace: String,
}

pub fn router(desk: Desk, authenticator: Authenticator) -> Router {
    let router = Router::new()
        .route("/v1/dead-letters", get(list))
        .route("/v1/dead-letters/{id}/replay", post(replay))
        .route("/v1/dead-letters/{id}/discard", post(discard))
        .with_state(desk);
    protect(router, authenticator)
}

impl Desk {
    fn allow(&self, caller: &Caller) -> Result<(), Error> {
        if caller.is(&self.namespace, CALLER) {
            return Ok(());
        }
        Err(Error::forbidden(format!("{} may not handle dead letters; use `golden dlq`", caller.username)))
    }
}

async fn list(State(desk): State<Desk>, caller: Caller) -> Result<Json<Vec<Letter>>, Error> {
    desk.allow(&caller)?;
    Ok(Json(letters::list(&desk.pool, desk.team_uid).await?))
}

async fn replay(State(desk): State<Desk>, caller: Caller, Path(id): Path<i64>) -> Result<(), Error> {
    desk.allow(&caller)?;
    Ok(letters::replay(&desk.pool, &desk.js, desk.team_uid, id).await?)
}

async fn discard(State(desk): State<Desk>, caller: Caller, Path(id): Path<i64>) -> Result<(), Error> {
    desk.allow(&caller)?;
    Ok(letters::discard(&desk.pool, desk.team_uid, id).await?)
}
