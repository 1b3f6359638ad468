//! Whether a decision counts. Pure.

use super::observe::{Seen, TaskRow};
use crate::forecast_questions::{self, Standing};
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
struct Asked<'a> {
    digest: &'a str,
    /// Who submitted what it is about.
    submitted_by: &'a str,
    /// Offered options, their deadline; none for an approval.
    escalation: Option<(&'a [String], Option<Timestamp>)>,
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
    let asked = match &seen.row {
        Some(row) => of_run(row),
        None => seen.question.as_ref().and_then(|q| before_admission(q, task.spec.submitted_by.as_deref()?)),
    };
    let Some(question) = asked else {
        return refuse(reason::NOTHING_TO_DECIDE, format!("AgentTask {} asks no question now", target.name));
    };
    if question.digest != target.digest {
        let message = format!(
            "the question is about {} now, and not about {}; look again",
            question.digest, target.digest
        );
        return refuse(reason::DIGEST_STALE, message);
    }
    answer(seen, &question, now)
}

/// Whether the task shall start.
fn before_admission<'a>(asked: &'a forecast_questions::Question, submitted_by: &'a str) -> Option<Asked<'a>> {
    let deadline = Timestamp::from_microsecond(asked.deadline_us).ok();
    (asked.standing == Standing::Open).then_some(Asked {
        digest: &asked.digest,
        submitted_by,
        escalation: Some((&asked.options, deadline)),
    })
}

fn of_run(row: &TaskRow) -> Option<Asked<'_>> {
    if row.ended {
        return None;
    }
    let submitted_by = &row.submitted_by;
    if let Some(open) = &row.view.escalation {
        let escalation = Some((open.options.as_slice(), open.deadline.parse().ok()));
        return Some(Asked { digest: &open.digest, submitted_by, escalation });
    }
    let pending = row.view.conditions.iter().any(|c| c.r#type == APPROVED && c.reason == APPROVAL_PENDING);
    let result = row.view.result.as_ref().filter(|_| pending)?;
    Some(Asked { digest: &result.digest, submitted_by, escalation: None })
}

fn answer(seen: &Seen, question: &Asked<'_>, now: Timestamp) -> Option<Refusal> {
    let spec = &seen.decision.spec;
    let refuse = |reason, message: String| Some(Refusal { reason, message });
    // A submitter may withdraw, and never wave their own work through.
    if spec.decided_by == question.submitted_by && spec.verdict != Verdict::Deny {
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
        (Some((_, Some(deadline))), _) if *deadline < now => {
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
