//! `POST /v1/operations`, for the gateway alone; and what gateways of the version before ask.

use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use axum::{Json, Router};
use futures::future::join_all;
use golden_platform::auth::{Authenticator, Caller, protect};
use golden_platform::http::Error;
use golden_platform::wire::{
    LedgerAnswer, LedgerAnswers, LedgerOperation, LedgerOperations, MOST_OPERATIONS,
};

use crate::ledger::refused;
use crate::{Ledger, earlier};

/// The only service account that may spend.
pub const CALLER: &str = "golden-gateway";
/// An operation has a few hundred bytes, and with the longest names two thousand.
const MAX_BODY: usize = MOST_OPERATIONS * (4 << 10);

/// How long one operation may keep the answers to the others.
const SOON: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) ledger: Ledger,
    namespace: String,
}

/// The routes; `namespace` is Golden's own, whose gateway may call.
pub fn router(ledger: Ledger, namespace: &str, authenticator: Authenticator) -> Router {
    let routes = Router::new()
        .route("/v1/operations", post(operations))
        .merge(earlier::routes())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(App { ledger, namespace: namespace.to_owned() });
    protect(routes, authenticator)
}

/// What the gateway asks; nobody else is heard.
pub(crate) fn admit<R>(app: &App, caller: &Caller, body: Result<Json<R>, JsonRejection>) -> Result<R, Error> {
    let namespace = &app.namespace;
    if !caller.is(namespace, CALLER) {
        return Err(Error::forbidden(format!(
            "only {namespace}/{CALLER} may use the ledger, not {}/{}",
            caller.namespace, caller.service_account
        )));
    }
    let Json(request) = body.map_err(|e| Error::bad_request(e.body_text()))?;
    Ok(request)
}

async fn operations(
    State(app): State<App>,
    caller: Caller,
    body: Result<Json<LedgerOperations>, JsonRejection>,
) -> Result<Json<LedgerAnswers>, Error> {
    let LedgerOperations { operations } = admit(&app, &caller, body)?;
    if operations.len() > MOST_OPERATIONS {
        let asked = operations.len();
        return Err(Error::bad_request(format!(
            "{asked} operations are too many; at most {MOST_OPERATIONS}"
        )));
    }
    // Together: what they have to wait for they wait for once.
    let answers = join_all(operations.iter().map(|operation| soon(&app.ledger, operation))).await;
    Ok(Json(LedgerAnswers { answers }))
}

/// The answer, if it comes soon: those of a request go back together, and one account that somebody holds must not keep
/// the others' from them. A reserve that nobody has begun by then is dropped, anything else is done all the same; who asks
/// again is told what became of it.
async fn soon(ledger: &Ledger, operation: &LedgerOperation) -> LedgerAnswer {
    let answer = tokio::time::timeout(SOON, ledger.try_operate(operation)).await;
    answer.unwrap_or(Err(crate::Error::Late)).unwrap_or_else(refused)
}
