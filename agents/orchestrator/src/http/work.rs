//! `GET /v1/try`: what an attempt's pod works on, and `GET /v1/try/pause`: whether it shall save that and end.

use super::router::Interface;
use crate::machine::PRODUCER;
use crate::prompt::prompt;
use axum::Json;
use axum::extract::State;
use golden_platform::auth::Caller;
use golden_platform::http::Error;
use golden_platform::wire::{DesiredKind, PauseWish, Resumes, TryContext};

pub(super) async fn current_try(
    State(interface): State<Interface>,
    caller: Caller,
) -> Result<Json<TryContext>, Error> {
    let pod = interface.pod(&caller).await?.of(|k| k == DesiredKind::AttemptPod)?.newest()?;
    let (task, state) = (&pod.loaded.task, &pod.loaded.state);
    let saved = state.saved.as_ref();
    let tree = saved.map(|s| s.tree.clone()).or_else(|| state.start.clone());
    let tree = tree.ok_or_else(|| Error::internal("the attempt has no tree to start from"))?;
    let model = task.models.get(&format!("role:{PRODUCER}")).map(|m| m.model.clone()).unwrap_or_default();
    Ok(Json(TryContext {
        task_uid: task.uid,
        task_name: task.name.clone(),
        namespace: task.namespace.clone(),
        attempt: pod.attempt,
        r#try: pod.r#try,
        role: PRODUCER.to_owned(),
        tree,
        resumes: saved.map(|s| Resumes { transcript: s.transcript.clone() }),
        prompt: prompt(task, PRODUCER, saved.is_some()),
        feedback: state.feedback.clone(),
        model,
    }))
}

/// Asked every few seconds by every pod: what it wants to know is in the task's state, nothing is written.
pub(super) async fn pause_wish(
    State(interface): State<Interface>,
    caller: Caller,
) -> Result<Json<PauseWish>, Error> {
    let pod = interface.pod(&caller).await?.of(|k| k == DesiredKind::AttemptPod)?.newest()?;
    Ok(Json(PauseWish { save: pod.is_asked_to_save() }))
}
