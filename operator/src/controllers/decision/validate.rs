//! Whether a decision counts. Pure.

use super::observe::{Seen, TaskRow};
use crate::forecast_questions::{self, REFUSE, START, Standing};
use golden_crds::conditions::APPROVED;
use golden_crds::conditions::agent_task::APPROVAL_PENDING;
use golden_crds::conditions::decision as reason;
use golden_crds::decision::{ACCEPT, TargetKind, Verdict};
use golden_platform::wire::APPROVAL_QUESTION;
use jiff::Timestamp;
use kube::ResourceExt;

/// Why a decision does not count.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// An answer that counts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Counts<'a> {
    /// For this question, of which whoever asks is to be told.
    For(&'a str),
    /// It was told before a crash.
    ToldBefore,
}

/// The question the target asks now.
struct Asked<'a> {
    /// What tells it from others about the same digest.
    id: &'a str,
    digest: &'a str,
    /// Who submitted what it is about, and whether they may choose so: never to wave their own work through.
    submitted_by: &'a str,
    submitter_may: fn(&str) -> bool,
    /// Offered options, their deadline; none for an approval.
    escalation: Option<(&'a [String], Option<Timestamp>)>,
}

/// What the answer is for, or the first thing wrong with it.
pub(crate) fn validate(seen: &Seen, now: Timestamp) -> Result<Counts<'_>, Refusal> {
    let target = &seen.decision.spec.target;
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
        return Ok(Counts::ToldBefore);
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
    answer(seen, &question, now)?;
    Ok(Counts::For(question.id))
}

fn refuse<T>(reason: &'static str, message: String) -> Result<T, Refusal> {
    Err(Refusal { reason, message })
}

/// Whether the task shall start. Who submitted it may give it up.
fn before_admission<'a>(asked: &'a forecast_questions::Question, submitted_by: &'a str) -> Option<Asked<'a>> {
    let deadline = Timestamp::from_microsecond(asked.deadline_us).ok();
    (asked.standing == Standing::Open).then_some(Asked {
        id: START,
        digest: &asked.digest,
        submitted_by,
        submitter_may: |chosen| chosen == REFUSE,
        escalation: Some((&asked.options, deadline)),
    })
}

/// Whether the result is accepted. Who submitted the task may withdraw it or have it done again.
fn of_run(row: &TaskRow) -> Option<Asked<'_>> {
    if row.ended {
        return None;
    }
    let about = |id, digest, escalation| Asked {
        id,
        digest,
        submitted_by: &row.submitted_by,
        submitter_may: |chosen| chosen != ACCEPT,
        escalation,
    };
    if let Some(open) = &row.view.escalation {
        let escalation = Some((open.options.as_slice(), open.deadline.parse().ok()));
        return Some(about(&open.id, &open.digest, escalation));
    }
    let pending = row.view.conditions.iter().any(|c| c.r#type == APPROVED && c.reason == APPROVAL_PENDING);
    let result = row.view.result.as_ref().filter(|_| pending)?;
    Some(about(APPROVAL_QUESTION, &result.digest, None))
}

fn answer(seen: &Seen, question: &Asked<'_>, now: Timestamp) -> Result<(), Refusal> {
    let spec = &seen.decision.spec;
    let offered = question.escalation.map_or(&[][..], |(options, _)| options);
    let chosen = spec.verdict.chooses(spec.option.as_deref(), offered);
    if spec.decided_by == question.submitted_by && !(question.submitter_may)(chosen) {
        return refuse(
            reason::SELF_APPROVAL,
            format!("{} submitted the task and cannot answer {chosen}", spec.decided_by),
        );
    }
    if seen.answered.iter().any(|answered| answered == question.id) {
        return refuse(
            reason::ALREADY_DECIDED,
            format!("{} has answered this question already", spec.decided_by),
        );
    }
    match question.escalation {
        Some((_, Some(deadline))) if deadline < now => {
            refuse(reason::TOO_LATE, format!("the deadline was {deadline}"))
        }
        Some((options, _)) if !options.iter().any(|option| option == chosen) => {
            let options = options.join(", ");
            refuse(reason::OPTION_NOT_OFFERED, format!("{chosen} is not offered; answer one of: {options}"))
        }
        None if spec.verdict == Verdict::Option => {
            refuse(reason::OPTION_NOT_OFFERED, "an approval is asked for: answer Approve or Deny".into())
        }
        _ => Ok(()),
    }
}
