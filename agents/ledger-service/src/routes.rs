//! `POST /v1/reserve|dispatch|settle|release|abandon`, for the gateway alone.

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use axum::{Json, Router};
use golden_platform::auth::{Authenticator, Caller, protect};
use golden_platform::http::Error;
use golden_platform::wire::{OpAnswer, OpRequest, ReserveAnswer, ReserveRequest, SettleRequest};

use crate::Ledger;

/// The only service account that may spend.
pub const CALLER: &str = "golden-gateway";
/// Requests are a few hundred bytes.
const MAX_BODY: usize = 16 << 10;

#[derive(Clone)]
struct App {
    ledger: Ledger,
    namespace: String,
}

/// The routes; `namespace` is Golden's own, whose gateway may call.
pub fn router(ledger: Ledger, namespace: &str, authenticator: Authenticator) -> Router {
    let routes = Router::new()
        .route("/v1/reserve", post(reserve))
        .route("/v1/dispatch", post(dispatch))
        .route("/v1/settle", post(settle))
        .route("/v1/release", post(release))
        .route("/v1/abandon", post(abandon))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(App { ledger, namespace: namespace.to_owned() });
    protect(routes, authenticator)
}

type Body<T> = Result<Json<T>, JsonRejection>;

impl App {
    fn admit<T>(&self, caller: &Caller, body: Body<T>) -> Result<T, Error> {
        if !caller.is(&self.namespace, CALLER) {
            return Err(Error::forbidden(format!(
                "only {}/{CALLER} may use the ledger, not {}/{}",
                self.namespace, caller.namespace, caller.service_account
            )));
        }
        let Json(request) = body.map_err(|e| Error::bad_request(e.body_text()))?;
        Ok(request)
    }
}

async fn reserve(
    State(app): State<App>,
    caller: Caller,
    body: Body<ReserveRequest>,
) -> Result<Json<ReserveAnswer>, Error> {
    let request = app.admit(&caller, body)?;
    Ok(Json(app.ledger.reserve(&request).await?))
}

async fn dispatch(
    State(app): State<App>,
    caller: Caller,
    body: Body<OpRequest>,
) -> Result<Json<OpAnswer>, Error> {
    let request = app.admit(&caller, body)?;
    Ok(Json(app.ledger.dispatch(&request.op_key).await?))
}

async fn settle(
    State(app): State<App>,
    caller: Caller,
    body: Body<SettleRequest>,
) -> Result<Json<OpAnswer>, Error> {
    let request = app.admit(&caller, body)?;
    Ok(Json(app.ledger.settle(&request).await?))
}

async fn release(
    State(app): State<App>,
    caller: Caller,
    body: Body<OpRequest>,
) -> Result<Json<OpAnswer>, Error> {
    let request = app.admit(&caller, body)?;
    Ok(Json(app.ledger.release(&request.op_key).await?))
}

async fn abandon(
    State(app): State<App>,
    caller: Caller,
    body: Body<OpRequest>,
) -> Result<Json<OpAnswer>, Error> {
    let request = app.admit(&caller, body)?;
    Ok(Json(app.ledger.abandon(&request.op_key).await?))
}
