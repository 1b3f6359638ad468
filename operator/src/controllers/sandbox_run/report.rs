//! The status: one write if anything changed, events on transitions.

use super::MANAGER;
use super::act::{Acted, after};
use super::observe::Seen;
use super::plan::{Plan, State};
use crate::context::Context;
use crate::effects::write_status;
use crate::error::Error;
use golden_crds::SandboxRunStatus;
use golden_crds::conditions::sandbox_run as reason;
use golden_crds::conditions::{RunState, set_run_state};
use golden_sandbox::RunOutcome;
use jiff::Timestamp;
use kube::Api;

/// The bound of `status.outputTail`.
const TAIL_BYTES: usize = 2048;

/// Writes the status and then does what had to wait for it.
pub(crate) async fn report(
    seen: &Seen,
    plan: &Plan,
    acted: &Result<Acted, Error>,
    ctx: &Context,
) -> Result<(), Error> {
    let before = seen.run.status.clone().unwrap_or_default();
    let Some(status) = status(seen, plan, acted, Timestamp::now()) else {
        return after(seen, plan, ctx).await;
    };
    if status != before {
        let api: Api<golden_crds::SandboxRun> = Api::namespaced(ctx.client.clone(), &seen.namespace());
        write_status(&api, &ctx.caches.runs, MANAGER, &*seen.run, &status).await?;
        ctx.events.transitions(&*seen.run, &before.conditions, &status.conditions).await;
    }
    after(seen, plan, ctx).await
}

/// The status as it should be. `None`: it stays.
pub(crate) fn status(
    seen: &Seen,
    plan: &Plan,
    acted: &Result<Acted, Error>,
    now: Timestamp,
) -> Option<SandboxRunStatus> {
    let mut status = seen.run.status.clone().unwrap_or_default();
    let generation = seen.run.metadata.generation;
    status.observed_generation = generation;
    let made = seen.pod.is_some() || matches!(acted, Ok(Acted::Done));
    let class = || made.then(|| seen.run.spec.runtime_class_name.clone());
    let (state, why, message) = match (acted, &plan.state) {
        // An error is retried; the status tells only what is known.
        (_, State::Over) | (Err(_), State::Progress { .. }) => return None,
        (Ok(Acted::Refused(words)), _) => {
            (RunState::Stalled, reason::CHILD_REFUSED, format!("the pod was refused: {words}"))
        }
        (Ok(Acted::Taken), _) => (
            RunState::Stalled,
            reason::CHILD_NAME_TAKEN,
            "a pod of the run's name exists and is not this run's".into(),
        ),
        (_, State::Progress { reason, message }) => {
            status.isolation = class();
            (RunState::InProgress, *reason, message.clone())
        }
        (_, State::Stalled { reason, message }) => {
            if *reason != reason::CHILD_NAME_TAKEN {
                status.isolation = class();
            }
            (RunState::Stalled, *reason, message.clone())
        }
        (_, State::Finished(outcome)) => {
            fill(&mut status, outcome);
            let state = if outcome.succeeded() { RunState::Complete } else { RunState::Failed };
            set_run_state(&mut status.conditions, state, &outcome.reason, &outcome.message, generation, now);
            return Some(status);
        }
    };
    set_run_state(&mut status.conditions, state, why, &message, generation, now);
    Some(status)
}

fn fill(status: &mut SandboxRunStatus, outcome: &RunOutcome) {
    status.exit_code = outcome.exit_code;
    status.reason = Some(outcome.reason.clone());
    status.output_tail = last_bytes(&outcome.output_tail, TAIL_BYTES);
    status.artifacts.clone_from(&outcome.artifacts);
    status.cpu_millis_used = outcome.cpu_millis_used;
    status.peak_memory_bytes = outcome.peak_memory_bytes;
    status.duration_millis = outcome.duration_millis;
    status.image_id.clone_from(&outcome.image_id);
    if outcome.isolation.is_some() {
        status.isolation.clone_from(&outcome.isolation);
    }
}

fn last_bytes(text: &str, bytes: usize) -> Option<String> {
    let start = text.ceil_char_boundary(text.len().saturating_sub(bytes));
    (!text.is_empty()).then(|| text[start..].to_owned())
}
