//! Whether a decision counts. Pure.

use super::observe::{Seen, TaskRow};
use golden_crds::conditions::APPROVED;
use golden_crds::conditions::agent_task::APPROVAL_PENDING;
use golden_crds::conditions::decision as reason;
use golden_crds::decision::{TargetKind, Verdict};
use jiff::Timestamp;
use kube::ResourceExt;

/// Why a decision does not count.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// The question the target asks now.
struct Question<'a> {
    digest: &'a str,
    /// Offered options, their deadline; none for an approval.
    escalation: Option<(&'a [String], &'a str)>,
}

/// The first thing wrong; None accepts.
pub(crate) fn validate(seen: &Seen, now: Timestamp) -> Option<Refusal> {
    let target = &seen.decision.spec.target;
    let refuse = |reason, message: String| Some(Refusal { reason, message });
    if target.kind == TargetKind::PromptRevision {
        return refuse(
            reason::NOTHING_TO_DECIDE,
            "this version asks no questions about PromptRevisions".into(),
        );
    }
    let Some(task) = &seen.task else {
        return refuse(
            reason::TARGET_NOT_FOUND,
            format!("AgentTask {} does not exist in this namespace", target.name),
        );
    };
    if task.uid().as_deref() != Some(&target.uid) {
        return refuse(
            reason::TARGET_REPLACED,
            format!("AgentTask {} was created anew and has another uid", target.name),
        );
    }
    if seen.told {
        return None;
    }
    let asked = seen.row.as_ref().filter(|r| !r.ended).and_then(|row| Some((row, question(row)?)));
    let Some((row, question)) = asked else {
        return refuse(reason::NOTHING_TO_DECIDE, format!("AgentTask {} asks no question now", target.name));
    };
    if question.digest != target.digest {
        let message = format!(
            "the question is about {} now, and not about {}; look again",
            question.digest, target.digest
        );
        return refuse(reason::DIGEST_STALE, message);
    }
    answer(seen, row, &question, now)
}

fn question(row: &TaskRow) -> Option<Question<'_>> {
    if let Some(open) = &row.view.escalation {
        return Some(Question { digest: &open.digest, escalation: Some((&open.options, &open.deadline)) });
    }
    let pending = row.view.conditions.iter().any(|c| c.r#type == APPROVED && c.reason == APPROVAL_PENDING);
    let result = row.view.result.as_ref().filter(|_| pending)?;
    Some(Question { digest: &result.digest, escalation: None })
}

fn answer(seen: &Seen, row: &TaskRow, question: &Question<'_>, now: Timestamp) -> Option<Refusal> {
    let spec = &seen.decision.spec;
    let refuse = |reason, message: String| Some(Refusal { reason, message });
    // A submitter may withdraw, and never wave their own work through.
    if spec.decided_by == row.submitted_by && spec.verdict != Verdict::Deny {
        return refuse(
            reason::SELF_APPROVAL,
            format!("{} submitted the task and cannot decide for it", spec.decided_by),
        );
    }
    if seen.answered_before {
        return refuse(
            reason::ALREADY_DECIDED,
            format!("{} has answered for this digest already", spec.decided_by),
        );
    }
    match (&question.escalation, spec.verdict) {
        (Some((_, deadline)), _) if passed(deadline, now) => {
            refuse(reason::TOO_LATE, format!("the deadline was {deadline}"))
        }
        (Some((options, _)), Verdict::Option) if !options.iter().any(|o| Some(o) == spec.option.as_ref()) => {
            refuse(reason::OPTION_NOT_OFFERED, format!("offered are: {}", options.join(", ")))
        }
        (None, Verdict::Option) => {
            refuse(reason::OPTION_NOT_OFFERED, "an approval is asked for: answer Approve or Deny".into())
        }
        _ => None,
    }
}

fn passed(deadline: &str, now: Timestamp) -> bool {
    deadline.parse::<Timestamp>().is_ok_and(|deadline| deadline < now)
}
