//! What becomes of a task by what becomes of those it depends on.

use super::dependencies::Other;
use super::inputs::Inputs;
use super::plan::{Plan, Weighed, plan};
use super::question::Step;
use super::status::status;
use super::tests::{inputs, seen, task};
use super::validate::admit;
use golden_crds::AgentTaskStatus;
use golden_crds::conditions::{ADMITTED, FAILED, RECONCILING, STALLED, find};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A task of the namespace with these dependencies and conditions.
fn other(name: &str, depends_on: &[&str], conditions: &[(&str, &str, &str)]) -> (String, Other) {
    let depends_on: Vec<Value> = depends_on.iter().map(|d| json!({"name": d})).collect();
    let mut other = task(&json!({"dependsOn": depends_on}));
    (other.metadata.name, other.metadata.uid) = (Some(name.into()), Some(uid(name).to_string()));
    let one = |(type_, status, reason): &(&str, &str, &str)| {
        json!({"type": type_, "status": status, "reason": reason, "message": "m",
            "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let conditions: Vec<Value> = conditions.iter().map(one).collect();
    other.status = serde_json::from_value(json!({"conditions": conditions})).unwrap();
    (name.to_owned(), Other::of(&other))
}

fn uid(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::nil(), name.as_bytes())
}

/// A task that depends on `first`.
fn dependent(first: Option<&[(&str, &str, &str)]>) -> Inputs {
    let mut inputs = inputs();
    inputs.task = task(&json!({"dependsOn": [{"name": "first"}]}));
    inputs.tasks = first.map(|conditions| other("first", &[], conditions)).into_iter().collect();
    inputs
}

fn shown(inputs: &Inputs) -> AgentTaskStatus {
    let mut seen = seen(vec![], vec![]);
    (seen.rows.admitted, seen.rows.view) = (None, None);
    seen.task = std::sync::Arc::new(inputs.task.clone());
    let plan: Plan = plan(&seen, Some(Weighed::new(admit(inputs), None, Step::Keep, None)));
    status(&seen, &plan, None, NOW)
}

fn condition(status: &AgentTaskStatus, type_: &str) -> String {
    find(&status.conditions, type_).map_or_else(String::new, |c| format!("{}/{}", c.status, c.reason))
}

#[test]
fn a_dependency_is_bound_once_it_is_admitted_and_not_before() {
    let mut waits = dependent(Some(&[(ADMITTED, "False", "NoBudget")]));
    let status = shown(&waits);
    assert_eq!(condition(&status, ADMITTED), "False/DependencyPending");
    // It says itself what it lacks: whoever waits for it is not stuck.
    assert_eq!(condition(&status, RECONCILING), "True/DependencyPending");
    assert_eq!(condition(&status, STALLED), "");
    let message = &find(&status.conditions, ADMITTED).unwrap().message;
    assert!(
        message.contains("AgentTask first") && message.contains("not admitted yet: NoBudget"),
        "{message}"
    );
    waits.admitted.insert(uid("first"));
    let bound = admit(&waits).unwrap().admission.depends_on;
    assert_eq!((bound[0].name.as_str(), bound[0].uid), ("first", uid("first")));
    // Another one of that name is another task.
    waits.admitted = [uid("an older first")].into();
    assert_eq!(admit(&waits).unwrap_err().reason, "DependencyPending");
}

#[test]
fn a_dependency_that_does_not_exist_is_named_with_what_to_do() {
    let status = shown(&dependent(None));
    assert_eq!(condition(&status, STALLED), "True/DependencyNotFound");
    let message = &find(&status.conditions, STALLED).unwrap().message;
    assert!(
        message.contains("AgentTask first") && message.contains("namespace team; create it"),
        "{message}"
    );
}

#[test]
fn a_dependency_that_cannot_be_read_is_not_taken_for_missing() {
    let mut waits = dependent(None);
    waits.unreadable.dependencies =
        [("first".into(), "AgentTask first cannot be used: spec.x".into())].into();
    let fault = admit(&waits).unwrap_err();
    assert_eq!(
        (fault.reason, fault.message.as_str()),
        ("DependencyPending", "AgentTask first cannot be used: spec.x; this task waits for it")
    );
}

#[test]
fn a_dependency_that_ended_unadmitted_ends_whoever_waits_for_it_whatever_else_is_missing() {
    for why in ["Cancelled", "EscalationDenied", "EscalationExpired", "DependencyFailed"] {
        let mut inputs = dependent(Some(&[(ADMITTED, "False", why), (FAILED, "True", why)]));
        inputs.team = None;
        let status = shown(&inputs);
        assert_eq!(condition(&status, FAILED), "True/DependencyFailed");
        assert_eq!(status.stage.as_deref(), Some("Failed"));
        let message = &find(&status.conditions, FAILED).unwrap().message;
        assert!(message.contains("first") && message.contains(why), "{message}");
    }
}

#[test]
fn an_end_by_a_dependency_is_for_good() {
    let mut ended = dependent(Some(&[(FAILED, "True", "Cancelled")]));
    let first = shown(&ended);
    ended.task.status = Some(first.clone());
    // Its name is taken by a better one, and the task is edited, even given up.
    ended.tasks = [other("first", &[], &[])].into();
    ended.admitted.insert(uid("first"));
    ended.task.metadata.generation = Some(2);
    ended.task.spec.desired_state = golden_crds::agent_task::DesiredState::Cancelled;
    let after = shown(&ended);
    assert_eq!(condition(&after, FAILED), "True/DependencyFailed");
    assert_eq!(
        find(&after.conditions, FAILED).unwrap().message,
        find(&first.conditions, FAILED).unwrap().message
    );
}

#[test]
fn whoever_was_cancelled_stays_cancelled() {
    let mut cancelled = dependent(Some(&[(FAILED, "True", "Cancelled")]));
    cancelled.task.spec.desired_state = golden_crds::agent_task::DesiredState::Cancelled;
    assert_eq!(condition(&shown(&cancelled), FAILED), "True/Cancelled");
}

#[test]
fn circles_of_dependencies_are_shown() {
    let mut circle = inputs();
    circle.task = task(&json!({"dependsOn": [{"name": "b"}]}));
    let entry = |name, deps: &[&str]| other(name, deps, &[]);
    circle.tasks =
        [entry("fix", &["b"]), entry("b", &["c"]), entry("c", &["d", "fix"]), entry("d", &["d"])].into();
    let fault = admit(&circle).unwrap_err();
    assert_eq!(fault.reason, "DependencyCycle");
    assert!(fault.message.contains("fix → b → c → fix"), "{}", fault.message);
    circle.tasks = [entry("b", &["d"]), entry("d", &["d"])].into();
    circle.admitted.insert(uid("b"));
    assert_eq!(admit(&circle).unwrap().admission.depends_on.len(), 1);
}
