//! kstatus: what generic tools read from our conditions, and helpers that keep the conditions consistent.
//!
//! Source of the rules: <https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus>.

use super::set::{Status, find, is_true, remove_condition, set_condition};
use super::{COMPLETE, FAILED, READY, RECONCILING, STALLED};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// What a generic tool says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KStatus {
    /// It is being deleted.
    Terminating,
    /// Work is under way, or the controller has not seen the latest spec.
    InProgress,
    /// Work cannot go on.
    Failed,
    /// The object is what its spec says.
    Current,
}

/// What kstatus computes for an object of ours: deletion first, then an unseen generation, then `Stalled`, then
/// `Reconciling`, then `Ready`.
pub fn kstatus(conditions: &[Condition], generation: i64, observed: Option<i64>, deleting: bool) -> KStatus {
    if deleting {
        return KStatus::Terminating;
    }
    if observed.is_some_and(|o| o != generation) {
        return KStatus::InProgress;
    }
    if is_true(conditions, RECONCILING) {
        return KStatus::InProgress;
    }
    if is_true(conditions, STALLED) {
        return KStatus::Failed;
    }
    match find(conditions, READY) {
        Some(ready) if ready.status != "True" => KStatus::InProgress,
        _ => KStatus::Current,
    }
}

/// Where a long-lived object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// It does what its spec says: `Ready=True`.
    Ready,
    /// Work is under way: `Ready=False`, `Reconciling=True`.
    Progressing,
    /// Work cannot go on: `Ready=False`, `Stalled=True`.
    Stalled,
}

/// Sets `Ready`, `Reconciling` and `Stalled` of a long-lived object together. Returns whether anything changed.
pub fn set_lifecycle(
    conditions: &mut Vec<Condition>,
    state: Lifecycle,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) -> bool {
    let ready = Status::from(state == Lifecycle::Ready);
    let mut changed = set_condition(conditions, READY, ready, reason, message, generation, now);
    let (on, off): (Option<&str>, &[&str]) = match state {
        Lifecycle::Ready => (None, &[RECONCILING, STALLED]),
        Lifecycle::Progressing => (Some(RECONCILING), &[STALLED]),
        Lifecycle::Stalled => (Some(STALLED), &[RECONCILING]),
    };
    if let Some(type_) = on {
        changed |= set_condition(conditions, type_, Status::True, reason, message, generation, now);
    }
    for type_ in off {
        changed |= remove_condition(conditions, type_);
    }
    changed
}

/// Where something that ends stands: an AgentTask or a SandboxRun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Work is under way: `Complete=False`, `Reconciling=True`.
    InProgress,
    /// Work waits for a change by a person or outside: `Complete=False`, `Stalled=True`.
    Stalled,
    /// It ended as asked: `Complete=True`.
    Complete,
    /// It ended otherwise: `Complete=False`, `Failed=True`, and `Stalled=True` for tools that know only that.
    Failed,
}

/// Sets `Complete`, `Failed`, `Reconciling` and `Stalled` of a task or run together. Returns whether anything
/// changed.
pub fn set_run_state(
    conditions: &mut Vec<Condition>,
    state: RunState,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) -> bool {
    let complete = Status::from(state == RunState::Complete);
    let mut changed = set_condition(conditions, COMPLETE, complete, reason, message, generation, now);
    let on: &[&str] = match state {
        RunState::InProgress => &[RECONCILING],
        RunState::Stalled => &[STALLED],
        RunState::Complete => &[],
        RunState::Failed => &[FAILED, STALLED],
    };
    for type_ in [FAILED, RECONCILING, STALLED] {
        changed |= if on.contains(&type_) {
            set_condition(conditions, type_, Status::True, reason, message, generation, now)
        } else {
            remove_condition(conditions, type_)
        };
    }
    changed
}
