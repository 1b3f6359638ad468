//! What people see of guards.

use super::{condition, no_result, say};
use crate::machine::guards::QUIET_RUNS;
use crate::machine::reasons;
use crate::machine::state::{GuardSlot, State, Why};
use crate::machine::task::Task;
use golden_crds::agent_task::GuardStatus;
use golden_crds::conditions::GUARDS_PASSED;
use golden_platform::wire::ViewCondition;

pub(super) fn guard(task: &Task, name: &str, slot: &GuardSlot) -> GuardStatus {
    GuardStatus {
        name: name.to_owned(),
        verdict: slot.outcome.as_ref().map_or_else(|| "Pending".to_owned(), |o| o.verdict.clone()),
        sandbox_run: Some(slot.outcome.as_ref().map_or(&slot.run_name, |o| &o.sandbox_run).clone())
            .filter(|run| !run.is_empty()),
        failed_runs: slot.failed_runs.clone(),
        quarantine: task.policy.quarantine(name).map(str::to_owned),
    }
}

pub(super) fn guards_passed(task: &Task, s: &State) -> ViewCondition {
    if s.produced.is_none() {
        return say(GUARDS_PASSED, "Unknown", reasons::NO_RESULT_YET, no_result(s));
    }
    let required = || s.guards.iter().filter(|(name, _)| task.policy.quarantine(name).is_none());
    let names = |pick: fn(&GuardSlot) -> bool| {
        let picked: Vec<&str> = required().filter(|(_, g)| pick(g)).map(|(n, _)| n.as_str()).collect();
        picked.join(", ")
    };
    let failed = names(GuardSlot::failed);
    if !failed.is_empty() {
        return say(GUARDS_PASSED, "False", reasons::GUARD_FAILED, format!("failed: {failed}"));
    }
    let open = names(|g| !g.passed());
    if open.is_empty() {
        let passed = names(GuardSlot::passed);
        let mut message =
            if passed.is_empty() { "no guard is required".into() } else { format!("passed: {passed}") };
        message.push_str(&unsteady(task, s));
        return say(GUARDS_PASSED, "True", reasons::ALL_GUARDS_PASSED, message);
    }
    match guard_trouble(task, s) {
        Some(why) => condition(GUARDS_PASSED, "Unknown", &why),
        None => say(GUARDS_PASSED, "Unknown", reasons::GUARDS_RUNNING, format!("running: {open}")),
    }
}

/// What should be known of guards that passed or were let pass: which are flaky, and which failed in quarantine.
fn unsteady(task: &Task, s: &State) -> String {
    let mut text = String::new();
    for (name, _) in s.guards.iter().filter(|(_, g)| g.is_flaky()) {
        text.push_str(&format!("; {name} is flaky: it failed on this very result before it passed"));
    }
    for (name, slot) in s.guards.iter().filter(|(_, g)| !g.passed()) {
        if let Some(why) = task.policy.quarantine(name) {
            let how = if slot.failed() { "failed" } else { "did not run" };
            text.push_str(&format!("; {name} {how} and stops nothing, being in quarantine: {why}"));
        }
    }
    text
}

/// Why a guard that can stop the result cannot be run, once it was tried often enough not to be a passing trouble.
pub(super) fn guard_trouble(task: &Task, s: &State) -> Option<Why> {
    let required = s.guards.iter().filter(|(name, _)| task.policy.quarantine(name).is_none());
    let mut open = required.filter(|(_, g)| g.outcome.is_none() && g.runs >= QUIET_RUNS);
    open.find_map(|(_, g)| g.trouble.clone())
}
