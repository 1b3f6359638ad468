//! How soon a changed status is worth a write. Pure.

use golden_crds::AgentTaskStatus;
use golden_crds::conditions::agent_task::{APPROVAL_PENDING, ESCALATION_PENDING, RETRYING};
use golden_crds::conditions::{
    ADMITTED, APPROVED, BUDGET_AVAILABLE, COMPLETE, FAILED, RECONCILING, STALLED, find, is_true,
};
use std::time::Duration;

/// How soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Nothing changed.
    None,
    /// An end, or a question to a person.
    Now,
    /// A fault or its end, an edit taken in: once it has lasted so long, since it may pass.
    Lasting(Duration),
    /// Stages, tallies, usage: when the pace allows.
    Progress,
}

const MOMENT: Duration = Duration::from_secs(1);
const A_WHILE: Duration = Duration::from_secs(3);

/// Compares what is written with what should be.
pub(crate) fn urgency(before: &AgentTaskStatus, after: &AgentTaskStatus) -> Urgency {
    if before == after {
        return Urgency::None;
    }
    let ended = |s: &AgentTaskStatus| is_true(&s.conditions, COMPLETE) || is_true(&s.conditions, FAILED);
    if ended(after) || asks(before) != asks(after) {
        return Urgency::Now;
    }
    let status = |s: &AgentTaskStatus, type_| find(&s.conditions, type_).map(|c| c.status.clone());
    let reason = |s: &AgentTaskStatus, type_| find(&s.conditions, type_).map(|c| c.reason.clone());
    if status(before, ADMITTED) != status(after, ADMITTED)
        || lacks_money(before) != lacks_money(after)
        || before.observed_generation != after.observed_generation
        || retries(before) != retries(after)
    {
        return Urgency::Lasting(MOMENT);
    }
    if reason(before, STALLED) != reason(after, STALLED) {
        return Urgency::Lasting(A_WHILE);
    }
    Urgency::Progress
}

fn lacks_money(status: &AgentTaskStatus) -> bool {
    find(&status.conditions, BUDGET_AVAILABLE).is_some_and(|c| c.status == "False")
}

/// Whether a lost pod is being replaced. Rare, and over soon: it would never be seen at the pace of progress.
fn retries(status: &AgentTaskStatus) -> bool {
    find(&status.conditions, RECONCILING).is_some_and(|c| c.reason == RETRYING)
}

/// What a person is asked, if anything: the digest.
fn asks(status: &AgentTaskStatus) -> Option<String> {
    let pending = find(&status.conditions, APPROVED)
        .filter(|c| [APPROVAL_PENDING, ESCALATION_PENDING].contains(&c.reason.as_str()))?;
    let digest = status.escalation.as_ref().map(|e| &e.digest).or(status.result.as_ref().map(|r| &r.digest));
    Some(format!("{} {}", pending.reason, digest.map_or("", String::as_str)))
}
