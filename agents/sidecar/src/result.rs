//! Handing over the result: the runner gives the produced tree, the sidecar keeps it as an artifact and says so.

use crate::retry::again;
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
    /// The agent's last words.
    pub(crate) summary: String,
}

/// `POST /golden/result?exit_code=…&summary=…` with the tar of the workspace; answered once it is safe.
pub(crate) async fn take(
    State(orchestrator): State<ServiceClient>,
    Query(ended): Query<Ended>,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    // The agent's container speaks here too: what it sends is read as untrusted, and made canonical.
    let tar = tree::canonical(&body)
        .map_err(|e| Error::bad_request(format!("the workspace cannot be taken: {e}")))?;
    let tar = Bytes::from(tar);
    let stored: ArtifactStored =
        again("the artifact", || orchestrator.put_bytes("/v1/artifacts", tar.clone()))
            .await
            .map_err(refused)?;
    // Attempt and try are filled from the token by the orchestrator, not believed from here.
    let result = AttemptResult {
        attempt: 0,
        r#try: 0,
        tree: Some(stored.digest.clone()),
        agent_exit_code: ended.exit_code,
        summary: ended.summary,
        transcript: None,
    };
    let _: Value = again("the result", || orchestrator.post("/v1/result", &result)).await.map_err(refused)?;
    Ok(Json(json!({"tree": stored.digest})))
}

fn refused(error: CallError) -> Error {
    match error {
        CallError::Refused { status: 409, message, .. } => Error::conflict(message),
        CallError::Refused { message, .. } => Error::bad_request(message),
        other => Error::unavailable(other.to_string()),
    }
}
