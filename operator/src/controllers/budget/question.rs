//! The question and its answer, as the status shows them. Pure.

use super::act::Standing;
use crate::times::shown;
use golden_crds::budget::{AskDeadline, OnExhausted, QuestionStatus};
use golden_crds::conditions::budget as reason;
use golden_crds::conditions::{ANSWERED, remove_condition, set_condition};
use golden_crds::{Budget, BudgetStatus};
use golden_ledger::Amount;
use golden_platform::budget_questions::{Outcome, Question};
use golden_platform::ledger_accounts::Balance;
use jiff::Timestamp;
use kube::ResourceExt as _;

/// Sets `question` and the condition `Answered`. `balance` is the one the next call finds.
pub(super) fn show(
    status: &mut BudgetStatus,
    budget: &Budget,
    stood: &Standing,
    balance: &Balance,
    now: Timestamp,
) {
    status.question = stood.open.as_ref().map(question);
    let ends = ends(status.period_ends_at.as_deref());
    // The ledger minds a refusal only where the Budget asks.
    let denied = balance.denied.as_ref().filter(|_| budget.spec.on_exhausted == OnExhausted::Ask);
    let told = match (&stood.open, denied) {
        (Some(open), _) => Some(asked(budget, open, &ends, now)),
        (None, Some(denied)) => Some(refused(stood, denied, &ends)),
        (None, None) => granted(stood, balance, &ends),
    };
    let Some((holds, why, message)) = told else {
        remove_condition(&mut status.conditions, ANSWERED);
        return;
    };
    let generation = budget.metadata.generation;
    set_condition(&mut status.conditions, ANSWERED, holds.into(), why, &message, generation, now);
}

/// `holds`, reason and message of the condition.
type Told = (bool, &'static str, String);

fn question(open: &Question) -> QuestionStatus {
    QuestionStatus {
        digest: open.digest.clone(),
        missing_micro_usd: open.missing_cost,
        missing_tokens: open.missing_tokens,
        grant_micro_usd: open.grant_cost,
        grant_tokens: open.grant_tokens,
        tasks: open.tasks,
        since: shown(open.asked_at_us),
        deadline: open.deadline_us.map(shown),
    }
}

fn ends(period_ends_at: Option<&str>) -> String {
    period_ends_at.map_or_else(|| "for good".to_owned(), |end| format!("until {end}"))
}

fn asked(budget: &Budget, open: &Question, ends: &str, now: Timestamp) -> Told {
    let overdue = open.deadline_us.is_some_and(|deadline| now.as_microsecond() >= deadline);
    let (namespace, name) = (budget.namespace().unwrap_or_default(), budget.name_any());
    let wait = if open.tasks == 1 { "1 task waits".to_owned() } else { format!("{} tasks wait", open.tasks) };
    let lack = match Amount::new(open.missing_cost, open.missing_tokens).words() {
        None => "a provider charged more than was reserved, which an answer confirms".to_owned(),
        Some(missing) => format!("{missing} missing for the next call"),
    };
    let adds = Amount::new(open.grant_cost, open.grant_tokens).words().unwrap_or_else(|| "nothing".into());
    let by = match open.deadline_us.map(shown) {
        None => String::new(),
        Some(at) if overdue => format!("; the deadline was {at}"),
        Some(at) if budget.spec.ask.as_ref().is_some_and(|a| a.on_deadline == AskDeadline::Fail) => {
            format!("; what is not answered by {at} fails")
        }
        Some(at) => format!("; an answer is expected by {at}"),
    };
    let why = if overdue { reason::QUESTION_OVERDUE } else { reason::QUESTION_OPEN };
    let message = format!(
        "{wait}: {lack}. An approval adds {adds} {ends}: `golden approve budget/{name} -n {namespace}` or \
         `golden deny budget/{name} -n {namespace}`{by}"
    );
    (false, why, message)
}

fn refused(stood: &Standing, denied: &str, ends: &str) -> Told {
    let then = format!("calls that cannot be paid fail {ends}, or until spec.limits is edited");
    let expired = stood.last.as_ref().is_some_and(|last| last.outcome == Outcome::Expired.as_str());
    if expired {
        return (false, reason::QUESTION_EXPIRED, format!("{denied}: {then}"));
    }
    (true, reason::MORE_DENIED, format!("{denied} refused more: {then}"))
}

/// Of this period.
fn granted(stood: &Standing, balance: &Balance, ends: &str) -> Option<Told> {
    let last = stood.last.as_ref().filter(|last| {
        last.outcome == Outcome::Granted.as_str() && last.period_start_us == balance.period_start_us
    })?;
    let all = Amount::new(balance.granted_cost, balance.granted_tokens).words()?;
    let added = Amount::new(last.grant_cost, last.grant_tokens).words().unwrap_or_else(|| "nothing".into());
    let by = last.decided_by.as_deref().unwrap_or_default();
    Some((true, reason::MORE_GRANTED, format!("{by} granted {added}; {all} beside the limits {ends}")))
}
