//! The projection of the state that people see: `tasks.view`, from which the operator makes the status.

mod guards;

use guards::{guard, guard_trouble, guards_passed};

use super::additional::asked_beside;
use super::budget::lacking;
use super::reasons;
use super::review::reason_of;
use super::state::{OutcomeKind, Stage, State, Why};
use super::task::Task;
use golden_consensus::{OutcomeKind as ReviewOutcome, SeatPower};
use golden_crds::agent_task::{
    BestAttemptStatus, EscalationStatus, RecordStatus, ResultStatus, ReviewStatus, SeatPowerStatus,
};
use golden_crds::conditions::{
    ADMITTED, APPROVED, BUDGET_AVAILABLE, COMPLETE, CONSENSUS_REACHED, FAILED, RECONCILING, STALLED,
};
use golden_crds::decision::Verdict;
use golden_governance::{NeedReason, NeededApproval};
use golden_platform::wire::{PodPhase, TaskView, ViewCondition};

/// The view of a task.
pub fn view(task: &Task, s: &State) -> TaskView {
    let mut conditions =
        vec![admitted(s), budget(s), guards_passed(task, s), consensus(task, s), approved(task, s)];
    conditions.extend(run_state(task, s));
    TaskView {
        stage: s.stage_name().to_owned(),
        attempt: s.attempt,
        conditions,
        guards: s.guards.iter().map(|(name, slot)| guard(task, name, slot)).collect(),
        review: review(s),
        escalation: escalation(task, s),
        result: result(task, s),
        best_attempt: best_attempt(s),
        record: Some(RecordStatus {
            head: s.record.head.clone(),
            entries: i64::try_from(s.record.entries).unwrap_or(i64::MAX),
        }),
        isolation: Some(task.runtime_class().to_owned()),
        observed_generation: s.generation,
    }
}

fn condition(kind: &str, status: &str, why: &Why) -> ViewCondition {
    ViewCondition {
        r#type: kind.to_owned(),
        status: status.to_owned(),
        reason: why.reason.clone(),
        message: why.message.clone(),
    }
}

fn say(kind: &str, status: &str, reason: &str, message: impl Into<String>) -> ViewCondition {
    condition(kind, status, &Why::new(reason, message))
}

fn admitted(s: &State) -> ViewCondition {
    let started = s.base.is_some() || s.slot || s.tries.made > 0 || s.stage != Stage::Waiting;
    if started && s.broken_dependency.is_none() {
        return say(ADMITTED, "True", reasons::ADMITTED, "team, policy, budget and dependencies were found");
    }
    condition(ADMITTED, "False", &waits_for(s))
}

fn waits_for(s: &State) -> Why {
    if let Some(broken) = &s.broken_dependency {
        return broken.clone();
    }
    if s.suspended {
        return Why::new(reasons::SUSPENDED, "spec.desiredState is Suspended: set it to Active to go on");
    }
    if s.waiting_for.is_empty() {
        return Why::new(
            reasons::WAITING_FOR_TURN,
            "the team works on as many tasks as maxConcurrentTasks allows",
        );
    }
    let names: Vec<&str> = s.waiting_for.iter().map(|d| d.name.as_str()).collect();
    Why::new(reasons::DEPENDENCY_PENDING, format!("waits for {} to be Complete", names.join(", ")))
}

fn budget(s: &State) -> ViewCondition {
    match lacking(s) {
        Some(why) => condition(BUDGET_AVAILABLE, "False", &why),
        None => match &s.outcome {
            Some(o)
                if [reasons::BUDGET_EXHAUSTED, reasons::BUDGET_DENIED, reasons::TASK_LIMIT_REACHED]
                    .contains(&o.reason.as_str()) =>
            {
                say(BUDGET_AVAILABLE, "False", &o.reason, &o.message)
            }
            _ => say(BUDGET_AVAILABLE, "True", reasons::BUDGET_AVAILABLE, "the next call can be paid"),
        },
    }
}

fn no_result(s: &State) -> String {
    match &s.last_failure {
        Some(why) => {
            format!("attempt {} is under way; the one before was not accepted: {}", s.attempt, why.message)
        }
        None => "there is no result yet".to_owned(),
    }
}

fn review(s: &State) -> Option<ReviewStatus> {
    let review = s.review.as_ref()?;
    let weight = |w: u64| i64::try_from(w).unwrap_or(i64::MAX);
    let tally = review.tally;
    Some(ReviewStatus {
        round: review.round,
        decision: review.verdict.unwrap_or(ReviewOutcome::Undecided).as_str().to_owned(),
        approve_weight: tally.map_or(0, |t| weight(t.approve_weight)),
        reject_weight: tally.map_or(0, |t| weight(t.reject_weight)),
        cast_weight: tally.map_or(0, |t| weight(t.cast_weight)),
        total_weight: tally.map_or(0, |t| weight(t.total_weight)),
        scale: tally.map(|t| weight(t.scale)).filter(|scale| *scale != 1),
        dissent: review.dissent.clone(),
        turned_by: review.turned_by.clone(),
        power: review.power.iter().map(power).collect(),
    })
}

fn power(seat: &SeatPower) -> SeatPowerStatus {
    SeatPowerStatus { role: seat.role.clone(), shapley_shubik: seat.shapley_shubik.to_string() }
}

fn consensus(task: &Task, s: &State) -> ViewCondition {
    let Some(review) = &s.review else {
        return if s.produced.is_none() {
            say(CONSENSUS_REACHED, "Unknown", reasons::NO_RESULT_YET, no_result(s))
        } else if s.stage == Stage::Reviewing {
            say(
                CONSENSUS_REACHED,
                "Unknown",
                reasons::REVIEW_RUNNING,
                "the voters' track records are looked up",
            )
        } else {
            say(
                CONSENSUS_REACHED,
                "Unknown",
                reasons::GUARDS_RUNNING,
                "peers judge once the guards have passed",
            )
        };
    };
    match review.verdict {
        None => {
            let hears = review.hears.map_or_else(String::new, |round| {
                format!("; those who did not reject in round {round} hear what was objected")
            });
            let beside = asked_beside(task, s).map_or_else(String::new, |role| {
                format!("; {role} is asked beside the voters, who came to no decision")
            });
            let message = format!("round {} is open until {}{hears}{beside}", review.round, review.closes_at);
            say(CONSENSUS_REACHED, "Unknown", reasons::REVIEW_RUNNING, message)
        }
        Some(kind) => {
            let status = if kind == ReviewOutcome::Approved { "True" } else { "False" };
            say(CONSENSUS_REACHED, status, reason_of(kind), &review.reason)
        }
    }
}

fn approved(task: &Task, s: &State) -> ViewCondition {
    const DENIED: [&str; 3] =
        [reasons::APPROVAL_DENIED, reasons::ESCALATION_DENIED, reasons::ESCALATION_EXPIRED];
    if let Some(o) = s.outcome.as_ref().filter(|o| DENIED.contains(&o.reason.as_str())) {
        return say(APPROVED, "False", &o.reason, &o.message);
    }
    if let (Some(approval), Some(delivery)) = (&s.approval, &s.delivery) {
        let people = approval.approvers.join(", ");
        return if approval.basis == reasons::ESCALATION_APPROVED {
            say(
                APPROVED,
                "True",
                reasons::ESCALATION_APPROVED,
                format!("{people} accepted {}", delivery.digest),
            )
        } else if approval.asked {
            say(
                APPROVED,
                "True",
                reasons::APPROVALS_COMPLETE,
                format!("{people} approved {}", delivery.digest),
            )
        } else {
            say(APPROVED, "True", reasons::APPROVAL_NOT_REQUIRED, "no approval by a person is needed")
        };
    }
    match s.stage {
        Stage::Escalated => say(APPROVED, "False", reasons::ESCALATION_PENDING, escalation_message(s)),
        Stage::Approving => say(APPROVED, "False", reasons::APPROVAL_PENDING, approval_message(task, s)),
        Stage::Reviewing => say(APPROVED, "Unknown", reasons::REVIEW_RUNNING, "peers judge first"),
        Stage::Guarding => say(APPROVED, "Unknown", reasons::GUARDS_RUNNING, "guards and peers judge first"),
        _ => say(APPROVED, "Unknown", reasons::NO_RESULT_YET, no_result(s)),
    }
}

fn escalation_message(s: &State) -> String {
    s.escalation.as_ref().map_or_else(String::new, |e| {
        format!(
            "{}. Answer with one of {} about {} before {}; after that {} counts (golden approve, golden deny)",
            e.message,
            e.options.join(", "),
            e.digest,
            e.deadline,
            e.default_option
        )
    })
}

fn approval_message(task: &Task, s: &State) -> String {
    let Some(produced) = &s.produced else { return String::new() };
    let approvers: std::collections::BTreeSet<&str> = s
        .answers
        .iter()
        .filter(|a| a.verdict == Verdict::Approve)
        .filter(|a| a.digest == produced.tree && a.decided_by != task.submitted_by)
        .map(|a| a.decided_by.as_str())
        .collect();
    let wanted = produced.needed.iter().map(|n| n.count).max().unwrap_or(0) as usize;
    let missing = wanted.saturating_sub(approvers.len());
    let why: Vec<String> = produced.needed.iter().map(need).collect();
    format!(
        "{missing} of {wanted} approvals are missing for {}, by others than {}: {} (golden approve)",
        produced.tree,
        task.submitted_by,
        why.join("; ")
    )
}

fn need(needed: &NeededApproval) -> String {
    let policies = needed.policies.join(", ");
    match needed.reason {
        NeedReason::Always => format!("policy {policies} asks for every result"),
        NeedReason::PathsChanged | NeedReason::ProtectedPaths => {
            let more = needed.path_count.saturating_sub(needed.paths.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("policy {policies} asks since {}{more} changed", needed.paths.join(", "))
        }
    }
}

fn escalation(task: &Task, s: &State) -> Option<EscalationStatus> {
    let open = s.escalation.as_ref()?;
    Some(EscalationStatus {
        id: open.id.to_string(),
        owner: task.spec.team_ref.name.clone(),
        message: reasons::bounded(&open.message, 1024),
        evidence: open.evidence.clone(),
        reason: open.reason.clone(),
        options: open.options.clone(),
        deadline: open.deadline.to_string(),
        default_option: open.default_option.clone(),
        digest: open.digest.clone(),
    })
}

/// Shown once nothing better can come.
fn best_attempt(s: &State) -> Option<BestAttemptStatus> {
    let best =
        s.best.as_ref().filter(|_| s.outcome.as_ref().is_some_and(|o| o.kind == OutcomeKind::Failed))?;
    Some(BestAttemptStatus {
        attempt: best.attempt,
        digest: best.tree.clone(),
        patch: best.patch.clone(),
        failed_guards: best.failed_guards.clone(),
        approve_weight: i64::try_from(best.approve_weight).unwrap_or(i64::MAX),
    })
}

fn result(task: &Task, s: &State) -> Option<ResultStatus> {
    let produced = s.produced.as_ref()?;
    let delivered = s.delivery.as_ref().and_then(|d| d.delivered.as_ref());
    Some(ResultStatus {
        digest: produced.tree.clone(),
        patch: Some(produced.patch.clone()),
        branch: delivered.map(|d| d.branch.clone()).filter(|_| task.branch().is_some()),
        commit: delivered.map(|d| d.commit.clone()),
    })
}

/// `Complete`, `Failed`, `Reconciling` and `Stalled`, together as kstatus has them; the last three are absent while
/// they are not true.
fn run_state(task: &Task, s: &State) -> Vec<ViewCondition> {
    if let Some(outcome) = &s.outcome {
        let why = Why::new(&outcome.reason, &outcome.message);
        return match outcome.kind {
            OutcomeKind::Complete => vec![condition(COMPLETE, "True", &why)],
            OutcomeKind::Failed | OutcomeKind::Cancelled => vec![
                condition(COMPLETE, "False", &why),
                condition(FAILED, "True", &why),
                condition(STALLED, "True", &why),
            ],
        };
    }
    let (kind, why) = stalled(task, s).map_or_else(|| (RECONCILING, progress(task, s)), |why| (STALLED, why));
    vec![condition(COMPLETE, "False", &why), condition(kind, "True", &why)]
}

/// What the work waits for that only a change outside can bring.
fn stalled(task: &Task, s: &State) -> Option<Why> {
    if s.suspended && s.stage != Stage::Delivering {
        return None;
    }
    let blocked =
        || s.pod.as_ref().filter(|p| p.phase != Some(PodPhase::Running)).and_then(|p| p.blocked.clone());
    // A pause after a job that failed is such a wait; one after a lost pod is not, and neither is the try itself.
    let job = || s.tries.trouble.clone().filter(|_| s.pod.is_none() && s.tries.failures > 0);
    // Agents and peers call models; whoever else works waits for none.
    let stuck = || s.stuck.values().next().cloned();
    s.trouble
        .clone()
        .or_else(|| waits_for_money(s))
        .or_else(|| stuck().filter(|_| matches!(s.stage, Stage::Producing | Stage::Reviewing)))
        .or_else(blocked)
        .or_else(|| job().filter(|_| matches!(s.stage, Stage::Preparing | Stage::Delivering)))
        .or_else(|| guard_trouble(task, s).filter(|_| s.stage == Stage::Guarding))
}

/// What the work waits for while a call of it is held. A freed pod has a reason of its own, so that it is told at once.
fn waits_for_money(s: &State) -> Option<Why> {
    let why = lacking(s)?;
    Some(if s.freed.is_some() { Why::new(reasons::POD_FREED, why.message) } else { why })
}

fn progress(task: &Task, s: &State) -> Why {
    let attempt = format!("attempt {} of {}", s.attempt, task.max_attempts());
    if s.suspended && s.stage != Stage::Delivering {
        return Why::new(reasons::SUSPENDED, "spec.desiredState is Suspended: set it to Active to go on");
    }
    // Until the next pod runs: a pause alone is too short to be seen.
    let lost = s.tries.lost > 0 && s.tries.failures == 0;
    let starting = s
        .pod
        .as_ref()
        .map_or(s.tries.retry_at.is_some(), |p| lost && matches!(p.phase, None | Some(PodPhase::Created)));
    let retrying = s.tries.trouble.as_ref().filter(|_| starting);
    if let (Stage::Preparing | Stage::Producing, Some(why)) = (s.stage, retrying) {
        return Why::new(
            reasons::RETRYING,
            format!("{attempt}: a pod was lost ({}), another one is made", why.message),
        );
    }
    match s.stage {
        Stage::Waiting => waits_for(s),
        Stage::Preparing => Why::new(reasons::PRODUCING, "the source is being prepared"),
        Stage::Producing => match &s.last_failure {
            Some(why) if why.reason == reasons::GUARD_FAILED => Why::new(
                reasons::REPAIRING,
                format!("{attempt}: an agent repairs the result ({})", why.message),
            ),
            Some(why) => Why::new(
                reasons::PRODUCING,
                format!("{attempt}: an agent works; the attempt before was not accepted: {}", why.message),
            ),
            None => Why::new(reasons::PRODUCING, format!("{attempt}: an agent works")),
        },
        Stage::Guarding => Why::new(reasons::GUARDING, format!("{attempt}: guards examine the result")),
        Stage::Reviewing => Why::new(reasons::REVIEWING, format!("{attempt}: peers judge the result")),
        Stage::Escalated => Why::new(reasons::AWAITING_PERSON, escalation_message(s)),
        Stage::Approving => Why::new(reasons::AWAITING_PERSON, approval_message(task, s)),
        Stage::Delivering => Why::new(reasons::DELIVERING, "the approved result is being delivered"),
        Stage::Ended => Why::new(reasons::INTERNAL_ERROR, "the task ended without an outcome"),
    }
}
