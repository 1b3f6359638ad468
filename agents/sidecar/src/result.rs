//! Handing over the result: the runner gives the produced tree, the sidecar keeps it as an artifact and says so.

use crate::retry::again;
use crate::transcript::Desk;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use golden_platform::http::{CallError, Error, ServiceClient};
use golden_platform::tree;
use golden_platform::wire::{ArtifactStored, AttemptResult};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the runner tells beside the tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) exit_code: i32,
    /// The agent's last words; without a tree, why there is none.
    pub(crate) summary: String,
    /// Digest of the transcript, kept before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transcript: Option<String>,
}

/// `POST /golden/result?exit_code=…&summary=…` with the tar of the workspace, or nothing if it cannot be
/// taken; answered once it is safe.
pub(crate) async fn take(
    State(desk): State<Desk>,
    Query(ended): Query<Ended>,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    let orchestrator = &desk.orchestrator;
    let tree = if body.is_empty() { None } else { Some(keep(orchestrator, &body).await?) };
    // Attempt and try are filled from the token by the orchestrator, not believed from here.
    let result = AttemptResult {
        attempt: 0,
        r#try: 0,
        tree: tree.clone(),
        agent_exit_code: ended.exit_code,
        summary: ended.summary,
        transcript: desk.own(ended.transcript),
    };
    let _: Value = again("the result", || orchestrator.post("/v1/result", &result)).await.map_err(refused)?;
    Ok(Json(json!({"tree": tree})))
}

/// Keeps the produced tree. The agent's container speaks here too: what it sends is untrusted, and made canonical.
pub(crate) async fn keep(orchestrator: &ServiceClient, body: &Bytes) -> Result<String, Error> {
    let tar = tree::canonical_form(body)
        .map_err(|e| Error::bad_request(format!("the workspace cannot be taken: {e}")))?;
    let stored: ArtifactStored =
        again("the artifact", || orchestrator.put_bytes("/v1/artifacts", tar.clone()))
            .await
            .map_err(refused)?;
    Ok(stored.digest)
}

pub(crate) fn refused(error: CallError) -> Error {
    match error {
        CallError::Refused { status: 409, message, .. } => Error::conflict(message),
        CallError::Refused { message, .. } => Error::bad_request(message),
        other => Error::unavailable(other.to_string()),
    }
}
