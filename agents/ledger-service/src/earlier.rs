//! `POST /v1/reserve|dispatch|settle|release|abandon`: one operation each, as gateways of the version before ask. During an
//! upgrade they call a ledger that is new already. To be taken out with the version after the next one.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use golden_platform::auth::Caller;
use golden_platform::http::Error;
use golden_platform::wire::{LedgerAnswer, LedgerOperation};
use serde::de::DeserializeOwned;

use crate::routes::{App, admit};

/// The routes; each answers as its operation is answered among others.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/reserve", of(|request| LedgerOperation::Reserve(Box::new(request))))
        .route("/v1/dispatch", of(LedgerOperation::Dispatch))
        .route("/v1/settle", of(LedgerOperation::Settle))
        .route("/v1/release", of(LedgerOperation::Release))
        .route("/v1/abandon", of(LedgerOperation::Abandon))
}

fn of<R: DeserializeOwned + Send + 'static>(operation: fn(R) -> LedgerOperation) -> MethodRouter<App> {
    post(move |State(app): State<App>, caller: Caller, body: Result<Json<R>, JsonRejection>| async move {
        match admit(&app, &caller, body) {
            Ok(request) => answer(app.ledger.try_operate(&operation(request)).await),
            Err(refused) => refused.into_response(),
        }
    })
}

fn answer(answer: Result<LedgerAnswer, crate::Error>) -> Response {
    match answer {
        Ok(LedgerAnswer::Reserved(answer)) => Json(answer).into_response(),
        Ok(LedgerAnswer::Moved(answer)) => Json(answer).into_response(),
        // Among other answers alone.
        Ok(refused @ LedgerAnswer::Refused(_)) => Json(refused).into_response(),
        Err(error) => Error::from(error).into_response(),
    }
}
