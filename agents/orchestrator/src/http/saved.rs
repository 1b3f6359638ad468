//! `POST /v1/try/saved` and `POST /v1/try/not-saved`: what became of the wish that a pod saves its work. Written once
//! per pod, like a result.

use super::caller::Pod;
use super::result::{accepted, clean};
use super::router::Interface;
use axum::Json;
use axum::extract::State;
use golden_platform::auth::Caller;
use golden_platform::http::Error;
use golden_platform::wire::{AttemptNotSaved, AttemptSaved, DesiredKind, Fact};
use http::StatusCode;
use serde_json::Value;

/// Keys of the facts, per pod.
const SAVED_KEY: &str = "saved";
const NOT_SAVED_KEY: &str = "not-saved";

/// Longest reason that is kept, in bytes.
const MAX_WHY_BYTES: usize = 1024;

pub(super) async fn attempt_saved(
    State(interface): State<Interface>,
    caller: Caller,
    Json(body): Json<AttemptSaved>,
) -> Result<Json<Value>, Error> {
    let pod = interface.pod(&caller).await?.of(|k| k == DesiredKind::AttemptPod)?;
    if interface.is_known(pod.uid, SAVED_KEY).await? {
        return Ok(accepted(false));
    }
    let pod = asked(pod.newest()?)?;
    interface.must_have(&pod, &body.tree).await?;
    if let Some(transcript) = &body.transcript {
        interface.must_have(&pod, transcript).await?;
    }
    let saved = AttemptSaved { attempt: pod.attempt, r#try: pod.r#try, ..body };
    interface.tell(&pod, SAVED_KEY, Fact::AttemptSaved(saved)).await
}

pub(super) async fn attempt_not_saved(
    State(interface): State<Interface>,
    caller: Caller,
    Json(body): Json<AttemptNotSaved>,
) -> Result<Json<Value>, Error> {
    let pod = interface.pod(&caller).await?.of(|k| k == DesiredKind::AttemptPod)?;
    if interface.is_known(pod.uid, NOT_SAVED_KEY).await? {
        return Ok(accepted(false));
    }
    let pod = asked(pod.newest()?)?;
    let why = clean(&body.why, MAX_WHY_BYTES);
    let told = AttemptNotSaved { attempt: pod.attempt, r#try: pod.r#try, why };
    interface.tell(&pod, NOT_SAVED_KEY, Fact::AttemptNotSaved(told)).await
}

/// Refuses a pod that is not asked to save, or not any more: its agent goes on. Else an agent, which can speak to its
/// sidecar too, could have pods made for it without end.
fn asked(pod: Pod) -> Result<Pod, Error> {
    if pod.is_asked_to_save() {
        return Ok(pod);
    }
    let message = "the pod is not asked to save its work, or not any more; go on with it";
    Err(Error::new(StatusCode::CONFLICT, "NotAskedToSave", message))
}
