//! `POST /golden/transcript`: the agent's transcript, and which one that is.
//!
//! Whoever speaks from the agent's container may name any digest. Only what this sidecar kept itself is passed on: another
//! artifact of the team would be shown as this agent's words, and laid before its next try.

use crate::result::refused;
use crate::retry::again;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use golden_platform::http::{Error, ServiceClient};
use golden_platform::wire::ArtifactStored;
use std::sync::{Arc, Mutex, PoisonError};

/// Most bytes of a transcript; the runner sends the first ones of a longer one.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// Where results and transcripts go, and which transcript was kept last.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) orchestrator: ServiceClient,
    kept: Arc<Mutex<Option<String>>>,
}

impl Desk {
    pub(crate) fn new(orchestrator: ServiceClient) -> Self {
        Self { orchestrator, kept: Arc::default() }
    }

    /// The transcript that is named, if it is the one kept here. The work is taken without any other.
    pub(crate) fn own(&self, named: Option<String>) -> Option<String> {
        let named = named?;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let own = kept.as_ref() == Some(&named);
        if !own {
            tracing::warn!(digest = named, "a transcript was named that is not the one kept here");
        }
        own.then_some(named)
    }
}

pub(crate) async fn take(State(desk): State<Desk>, body: Bytes) -> Result<Json<ArtifactStored>, Error> {
    let put = || desk.orchestrator.put_bytes("/v1/artifacts", body.clone());
    let stored: ArtifactStored = again("the transcript", put).await.map_err(refused)?;
    *desk.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(stored.digest.clone());
    Ok(Json(stored))
}
