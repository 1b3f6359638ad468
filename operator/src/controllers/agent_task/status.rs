//! The status of a task: the orchestrator's view, with what only the operator sees laid over it. Pure.

use super::act::Acted;
use super::forecast;
use super::observe::Seen;
use super::plan::Plan;
use crate::models::Fault;
use golden_crds::AgentTaskStatus;
use golden_crds::agent_task::EscalationStatus;
use golden_crds::conditions::agent_task as reason;
use golden_crds::conditions::{
    ADMITTED, APPROVED, COMPLETE, FAILED, RECONCILING, RunState, STALLED, Status, is_true, remove_condition,
    set_condition, set_run_state,
};
use golden_platform::wire::TaskView;
use jiff::Timestamp;

/// The status as it should be now.
pub(crate) fn status(seen: &Seen, plan: &Plan, acted: Option<&Acted>, now: Timestamp) -> AgentTaskStatus {
    let mut status = seen.task.status.clone().unwrap_or_default();
    let generation = seen.task.metadata.generation;
    status.forecast = seen.rows.forecast.or(plan.forecast).map(forecast::shown);
    if let Some(fault) = &plan.fault {
        status.observed_generation = generation;
        refused(&mut status, fault, generation, now);
        asked(&mut status, plan.asks.as_ref(), fault, generation, now);
        return status;
    }
    if let Some(view) = &seen.rows.view {
        from_view(&mut status, view, generation, now);
        status.usage = Some(seen.rows.usage.clone());
    } else {
        status.observed_generation = generation;
        accepted(&mut status, generation, now);
    }
    let over = is_true(&status.conditions, COMPLETE) || is_true(&status.conditions, FAILED);
    if over {
        return status;
    }
    if seen.team_gone() {
        status.stage = Some("Failed".into());
        set_run_state(
            &mut status.conditions,
            RunState::Failed,
            reason::TEAM_DELETED,
            golden_platform::closing::MESSAGE,
            generation,
            now,
        );
    } else if let Some(fault) = acted.and_then(|a| a.refused.as_ref()) {
        set_run_state(
            &mut status.conditions,
            RunState::Stalled,
            fault.reason,
            &fault.message,
            generation,
            now,
        );
    } else if let Some(run) = seen.stalled.first()
        && !is_true(&status.conditions, STALLED)
    {
        // Known here long before the run is given up and the orchestrator hears of it.
        let message = format!("guard run {}: {}", run.name, run.message);
        let conditions = &mut status.conditions;
        set_run_state(conditions, RunState::Stalled, run.reason, &message, generation, now);
    } else if seen.messaging_away && !is_true(&status.conditions, STALLED) {
        let message = "NATS does not answer, so that no source is read and no result kept; work goes on by itself \
                       when it is back";
        let (conditions, why) = (&mut status.conditions, reason::MESSAGING_UNREACHABLE);
        set_run_state(conditions, RunState::Stalled, why, message, generation, now);
    }
    status
}

fn refused(status: &mut AgentTaskStatus, fault: &Fault, generation: Option<i64>, now: Timestamp) {
    // Cancelled before it began: that is its end, and there was never a run.
    let (run, stage) = match fault.reason {
        reason::CANCELLED => (RunState::Failed, "Cancelled"),
        reason::ESCALATION_DENIED | reason::ESCALATION_EXPIRED | reason::DEPENDENCY_FAILED => {
            (RunState::Failed, "Failed")
        }
        // Nobody has to mend anything here: what that one lacks, it says itself.
        reason::DEPENDENCY_PENDING => (RunState::InProgress, "Pending"),
        _ => (RunState::Stalled, "Pending"),
    };
    status.stage = Some(stage.into());
    set_condition(
        &mut status.conditions,
        ADMITTED,
        Status::False,
        fault.reason,
        &fault.message,
        generation,
        now,
    );
    set_run_state(&mut status.conditions, run, fault.reason, &fault.message, generation, now);
}

/// The question whether the task shall start, and what it came to.
fn asked(
    status: &mut AgentTaskStatus,
    asks: Option<&EscalationStatus>,
    fault: &Fault,
    generation: Option<i64>,
    now: Timestamp,
) {
    status.escalation = asks.cloned();
    let why = match (asks, fault.reason) {
        (Some(_), _) => reason::ESCALATION_PENDING,
        (None, denied @ (reason::ESCALATION_DENIED | reason::ESCALATION_EXPIRED)) => denied,
        (None, _) => {
            remove_condition(&mut status.conditions, APPROVED);
            return;
        }
    };
    let conditions = &mut status.conditions;
    let beside = asks.is_some() && fault.reason != reason::FORECAST_EXCEEDS_BUDGET;
    let message = if beside {
        let still =
            "a person is asked whether it shall start (golden escalations), and something else keeps it back";
        format!("{still}: {}", fault.message)
    } else {
        fault.message.clone()
    };
    set_condition(conditions, APPROVED, Status::False, why, &message, generation, now);
    if asks.is_some() && !beside {
        let (run, why) = (RunState::InProgress, reason::AWAITING_PERSON);
        set_run_state(conditions, run, why, &fault.message, generation, now);
    }
}

/// Admitted, but the orchestrator has not taken it in yet.
fn accepted(status: &mut AgentTaskStatus, generation: Option<i64>, now: Timestamp) {
    status.stage = Some("Admitted".into());
    status.escalation = None;
    remove_condition(&mut status.conditions, APPROVED);
    let found = "team, policy, budget and dependencies were found";
    set_condition(&mut status.conditions, ADMITTED, Status::True, reason::ADMITTED, found, generation, now);
    let waiting = "the task waits for its team's orchestrator to take it in";
    set_run_state(
        &mut status.conditions,
        RunState::InProgress,
        reason::TEAM_NOT_READY,
        waiting,
        generation,
        now,
    );
}

fn from_view(status: &mut AgentTaskStatus, view: &TaskView, generation: Option<i64>, now: Timestamp) {
    // What the orchestrator has not taken in has not been observed.
    let observed = Some(view.observed_generation).filter(|g| *g > 0).or(generation);
    status.observed_generation = observed;
    status.stage = Some(view.stage.clone());
    status.attempt = Some(view.attempt).filter(|a| *a > 0);
    status.guards.clone_from(&view.guards);
    status.review.clone_from(&view.review);
    status.escalation.clone_from(&view.escalation);
    status.result.clone_from(&view.result);
    status.best_attempt.clone_from(&view.best_attempt);
    status.record.clone_from(&view.record);
    status.isolation.clone_from(&view.isolation);
    for c in &view.conditions {
        let holds = match c.status.as_str() {
            "True" => Status::True,
            "False" => Status::False,
            _ => Status::Unknown,
        };
        set_condition(&mut status.conditions, &c.r#type, holds, &c.reason, &c.message, observed, now);
    }
    for type_ in [FAILED, RECONCILING, STALLED] {
        if !view.conditions.iter().any(|c| c.r#type == type_) {
            remove_condition(&mut status.conditions, type_);
        }
    }
}

/// The status while the database cannot be read: what is known stays, and why nothing moves is said.
pub(crate) fn unobserved(
    before: &AgentTaskStatus,
    why: &str,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) -> AgentTaskStatus {
    let mut status = before.clone();
    set_run_state(&mut status.conditions, RunState::Stalled, why, message, generation, now);
    status
}
