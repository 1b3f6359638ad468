//! Whom a task waits for: who must approve a result before it is delivered, and by when questions are answered, under the
//! recorded rules and under the changed ones.

use super::course::{Attempt, Course};
use crate::{MergedPolicy, needed_approvals};
use golden_crds::governance_policy::OnExceeds;

/// What becomes of a result that was accepted, under the changed rules.
pub(super) enum Approved {
    /// What the recorded people said is enough.
    AsItWas { asked: bool },
    /// More people would have to approve it.
    ByMore { people: u32 },
    /// It waited for an approval that it did not get, and none would be needed: nobody would have been asked.
    ByNobody,
}

/// Compares the approvals that a result needed with those that it would need, or says what the record leaves open.
pub(super) fn approved(
    attempt: &Attempt,
    course: &Course,
    after: &MergedPolicy,
) -> Result<Approved, &'static str> {
    let before = &course.merged;
    if before.approvals == after.approvals && before.protected_paths == after.protected_paths {
        let asked = match attempt.accepted {
            Some(asked) => asked,
            None => people(attempt, before)? > 0,
        };
        return Ok(Approved::AsItWas { asked });
    }
    let needed = people(attempt, after)?;
    let was = match attempt.accepted {
        Some(false) => 0,
        Some(true) | None => people(attempt, before)?,
    };
    match (needed, attempt.accepted) {
        (_, None) if attempt.answers.denied_early() => Ok(Approved::AsItWas { asked: needed > 0 }),
        _ if needed > was => Ok(Approved::ByMore { people: needed }),
        (0, None) if was > 0 => Ok(Approved::ByNobody),
        (_, None) if needed < was => Err("which approvals it had is not known"),
        _ => Ok(Approved::AsItWas { asked: needed > 0 }),
    }
}

/// How many people must approve the attempt's result.
pub(super) fn people(attempt: &Attempt, policy: &MergedPolicy) -> Result<u32, &'static str> {
    let most = |paths: &[String]| needed_approvals(policy, paths).iter().map(|n| n.count).max().unwrap_or(0);
    let by_paths =
        !policy.protected_paths.is_empty() || policy.approvals.iter().any(|a| !a.rule.paths.is_empty());
    match &attempt.paths {
        Some(paths) => Ok(most(paths)),
        None if by_paths => {
            Err("an approval depends on the paths that changed, and the record does not hold them")
        }
        None => Ok(most(&[])),
    }
}

/// Whether the task would have begun as it did, as far as the record can say.
pub(super) fn begins_alike(before: &MergedPolicy, after: &MergedPolicy) -> Result<(), &'static str> {
    if after.require_budget.value && !before.require_budget.value {
        return Err("a Budget would have to select the task, and the record does not say whether one did");
    }
    let forecast = after.forecast.value;
    if forecast != before.forecast.value && forecast.on_exceeds != OnExceeds::Admit {
        return Err("its forecast would have decided, and the record does not say how much there was left");
    }
    Ok(())
}

/// Seconds in which a question must be answered.
pub(super) fn deadline(policy: &MergedPolicy) -> i64 {
    policy.escalation.deadline_seconds.value
}
