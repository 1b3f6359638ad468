//! The sidecar's part of a pause: it passes the wish on, keeps the work as artifacts, and says so.

use crate::result::{keep, refused};
use crate::retry::again;
use crate::transcript::Desk;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use golden_platform::http::{Error, ServiceClient};
use golden_platform::wire::{AttemptNotSaved, AttemptSaved, PauseWish};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the runner tells beside the tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// Digest of the transcript, kept before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transcript: Option<String>,
}

/// Why there is no tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NotSaved {
    pub(crate) why: String,
}

/// `GET /golden/pause`: whether the work shall be saved. While nobody knows it need not be.
pub(crate) async fn wish(State(orchestrator): State<ServiceClient>) -> Json<PauseWish> {
    Json(orchestrator.get("/v1/try/pause").await.unwrap_or_else(|error| {
        tracing::debug!(%error, "whether to save is not known");
        PauseWish::default()
    }))
}

/// `POST /golden/saved?transcript=…` with the tar of the workspace; answered once it is safe.
pub(crate) async fn take(
    State(desk): State<Desk>,
    Query(saved): Query<Saved>,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    let orchestrator = &desk.orchestrator;
    let tree = keep(orchestrator, &body).await?;
    // Attempt and try are filled from the token by the orchestrator, not believed from here.
    let transcript = desk.own(saved.transcript);
    let told = AttemptSaved { attempt: 0, r#try: 0, tree: tree.clone(), transcript };
    let _: Value =
        again("what was saved", || orchestrator.post("/v1/try/saved", &told)).await.map_err(refused)?;
    Ok(Json(json!({"tree": tree})))
}

/// `POST /golden/not-saved?why=…`: the workspace can never be taken as it is.
pub(crate) async fn refuse(
    State(orchestrator): State<ServiceClient>,
    Query(told): Query<NotSaved>,
) -> Result<Json<Value>, Error> {
    let told = AttemptNotSaved { attempt: 0, r#try: 0, why: told.why };
    let _: Value = again("why nothing is saved", || orchestrator.post("/v1/try/not-saved", &told))
        .await
        .map_err(refused)?;
    Ok(Json(json!({})))
}
