//! What to do about a run. Pure: the time is passed in.

use super::observe::Seen;
use super::validate::Fault;
use golden_crds::SandboxRun;
use golden_crds::conditions::sandbox_run as reason;
use golden_crds::conditions::{COMPLETE, FAILED, STALLED, find, is_true};
use golden_sandbox::{Outcome, RunOutcome, outcome};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use std::time::Duration;

/// The relist that holds even if a watch missed something.
const RELIST: Duration = Duration::from_secs(30);
/// Nothing is due: only the floor.
const IDLE: Duration = Duration::from_hours(1);
/// How long an image may be unpullable: registries hiccup, wrong names stay wrong.
const IMAGE_PATIENCE_SECONDS: i64 = 60;
/// How long anything else outside may keep a run from starting.
const PATIENCE_SECONDS: i64 = 900;

/// What to do, and what it means for the status.
pub(crate) struct Plan {
    pub(crate) effect: Effect,
    pub(crate) state: State,
    pub(crate) next: Action,
}

/// At most one effect per reconcile.
pub(crate) enum Effect {
    Nothing,
    Create(Box<Pod>),
    /// After the status was written: the result must be stored before the pod goes.
    DeletePodAfterReport {
        name: String,
        uid: Option<String>,
    },
    DeleteRun,
}

/// Where the run stands.
pub(crate) enum State {
    /// It ended earlier: the status stays as it is.
    Over,
    Progress {
        reason: &'static str,
        message: String,
    },
    /// Kept from starting by something outside.
    Stalled {
        reason: &'static str,
        message: String,
    },
    Finished(Box<RunOutcome>),
}

/// Whether the run has ended.
pub(crate) fn is_over(run: &SandboxRun) -> bool {
    run.status.as_ref().is_some_and(|s| is_true(&s.conditions, COMPLETE) || is_true(&s.conditions, FAILED))
}

/// Decides.
pub(crate) fn plan(seen: &Seen, fault: Option<Fault>, now: Timestamp) -> Plan {
    if is_over(&seen.run) {
        return over(seen, now);
    }
    if let Some(fault) = fault {
        return finish(seen, failed(fault.reason, fault.message));
    }
    let Some(pod) = &seen.pod else {
        return without_pod(seen);
    };
    if !seen.owns(pod) {
        return waiting(State::Stalled {
            reason: reason::CHILD_NAME_TAKEN,
            message: format!(
                "a pod named {} exists and is not this run's; delete it or use another name",
                pod.name_any()
            ),
        });
    }
    match outcome(pod) {
        Outcome::Finished(outcome) => finish(seen, *outcome),
        Outcome::Progress { reason, message } if pod.metadata.deletion_timestamp.is_none() => {
            waiting(State::Progress { reason, message })
        }
        Outcome::Waiting { reason, message } if !out_of_patience(seen, reason, now) => {
            waiting(State::Stalled { reason, message })
        }
        Outcome::Waiting { reason, message } => finish(seen, failed(reason, message)),
        Outcome::Progress { .. } => finish(seen, deleted()),
    }
}

fn without_pod(seen: &Seen) -> Plan {
    if seen.had_pod() {
        return finish(seen, deleted());
    }
    let pod = golden_sandbox::pod(&seen.run, &seen.build);
    Plan {
        effect: Effect::Create(Box::new(pod)),
        state: State::Progress { reason: reason::PENDING, message: "the pod is being started".into() },
        next: Action::requeue(RELIST),
    }
}

fn deleted() -> RunOutcome {
    failed(
        reason::POD_EVICTED,
        "the run's pod was deleted before it had a result; it says nothing about the command".into(),
    )
}

fn failed(reason: &str, message: String) -> RunOutcome {
    RunOutcome { reason: reason.into(), message, ..RunOutcome::default() }
}

fn waiting(state: State) -> Plan {
    Plan { effect: Effect::Nothing, state, next: Action::requeue(RELIST) }
}

fn finish(seen: &Seen, outcome: RunOutcome) -> Plan {
    let own = seen.pod.as_ref().filter(|pod| seen.owns(pod));
    let effect = own
        .map_or(Effect::Nothing, |pod| Effect::DeletePodAfterReport { name: pod.name_any(), uid: pod.uid() });
    // The finished status comes back by the watch, and what follows the end is planned then.
    Plan { effect, state: State::Finished(Box::new(outcome)), next: Action::requeue(RELIST) }
}

/// The end is stored: the pod goes at once, the run when its time is up.
fn over(seen: &Seen, now: Timestamp) -> Plan {
    let done = |effect, next| Plan { effect, state: State::Over, next };
    if let Some(pod) = seen.pod.as_ref().filter(|p| seen.owns(p) && p.metadata.deletion_timestamp.is_none()) {
        let effect = Effect::DeletePodAfterReport { name: pod.name_any(), uid: pod.uid() };
        return done(effect, Action::requeue(RELIST));
    }
    let Some(ttl) = seen.run.spec.ttl_seconds_after_finished else {
        return done(Effect::Nothing, Action::requeue(IDLE));
    };
    let conditions = seen.run.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    let ended =
        [COMPLETE, FAILED].iter().filter(|t| is_true(conditions, t)).find_map(|t| find(conditions, t));
    let left = ttl - ended.map_or(0, |c| seconds(c.last_transition_time.0, now));
    match u64::try_from(left) {
        Ok(left) if left > 0 => done(Effect::Nothing, Action::requeue(Duration::from_secs(left).min(IDLE))),
        _ => done(Effect::DeleteRun, Action::requeue(RELIST)),
    }
}

/// Whether the run has been kept waiting for this reason for too long.
fn out_of_patience(seen: &Seen, why: &str, now: Timestamp) -> bool {
    let conditions = seen.run.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    let Some(stalled) = find(conditions, STALLED).filter(|c| c.reason == why) else { return false };
    let patience = if why == reason::IMAGE_ERROR { IMAGE_PATIENCE_SECONDS } else { PATIENCE_SECONDS };
    seconds(stalled.last_transition_time.0, now) >= patience
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second() - from.as_second()
}
