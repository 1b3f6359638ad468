//! `GET /v1/try`: what an attempt's pod works on.

use super::router::Interface;
use crate::machine::PRODUCER;
use crate::prompt::prompt;
use axum::Json;
use axum::extract::State;
use golden_platform::auth::Caller;
use golden_platform::http::Error;
use golden_platform::wire::{DesiredKind, TryContext};

pub(super) async fn current_try(
    State(interface): State<Interface>,
    caller: Caller,
) -> Result<Json<TryContext>, Error> {
    let pod = interface.pod(&caller).await?.of(|k| k == DesiredKind::AttemptPod)?.newest()?;
    let (task, state) = (&pod.loaded.task, &pod.loaded.state);
    let tree = state.start.clone().ok_or_else(|| Error::internal("the attempt has no tree to start from"))?;
    let model = task.models.get(&format!("role:{PRODUCER}")).map(|m| m.model.clone()).unwrap_or_default();
    Ok(Json(TryContext {
        task_uid: task.uid,
        task_name: task.name.clone(),
        namespace: task.namespace.clone(),
        attempt: pod.attempt,
        r#try: pod.r#try,
        role: PRODUCER.to_owned(),
        tree,
        prompt: prompt(task, PRODUCER),
        feedback: state.feedback.clone(),
        model,
    }))
}
