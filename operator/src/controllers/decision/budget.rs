//! An answer to a Budget's question. Looked at and taken in one transaction, under the account's lock: the ledger moves no
//! money between the two, and a crash leaves all of an answer or nothing.

use super::validate::Refusal;
use crate::context::Context;
use crate::error::Error;
use golden_crds::budget::AskDeadline;
use golden_crds::conditions::decision as reason;
use golden_crds::decision::Verdict;
use golden_crds::{Budget, Decision};
use golden_ledger::Amount;
use golden_platform::budget_questions::{self as questions, Answer, Closed, Outcome, Question, Waiting};
use golden_platform::ledger_accounts::{Balance, lock_balance};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use std::sync::Arc;
use uuid::Uuid;

/// Everything a verdict rests on.
pub(super) struct Seen {
    pub(super) decision: Arc<Decision>,
    pub(super) uid: Uuid,
    /// Of the target's name, in the decision's own namespace.
    pub(super) budget: Option<Arc<Budget>>,
    pub(super) balance: Option<Balance>,
    pub(super) open: Option<Question>,
    /// The closed question that had the decision's digest.
    pub(super) closed: Option<Closed>,
    pub(super) waiting: Vec<Waiting>,
}

/// What an accepted answer does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Now,
    /// Before a crash.
    Before,
}

/// Takes the answer, or says why it does not count. The text is for the condition of an accepted one.
pub(super) async fn decide(
    decision: &Arc<Decision>,
    ctx: &Context,
) -> Result<Result<String, Refusal>, Error> {
    let target = &decision.spec.target;
    let uid = decision.uid().and_then(|uid| uid.parse().ok());
    let uid = uid.ok_or_else(|| Error::Bug(format!("decision {} has no uid", decision.name_any())))?;
    let home = decision.namespace().unwrap_or_default();
    let budget = ctx.caches.budgets.get(&ObjectRef::new(&target.name).within(&home));
    let work = async {
        let mut tx = ctx.pool.begin().await?;
        let mut seen = Seen {
            decision: Arc::clone(decision),
            uid,
            budget,
            balance: None,
            open: None,
            closed: None,
            waiting: vec![],
        };
        let account = target.uid.parse::<Uuid>().unwrap_or_default();
        if seen.is_the_one_meant() {
            seen.balance = lock_balance(&mut tx, account).await?;
            seen.open = questions::open(&mut tx, account).await?;
            seen.closed = questions::closed(&mut tx, account, &target.digest).await?;
            let name = format!("Budget {home}/{}", target.name);
            seen.waiting = questions::waiting(&mut tx, account, &name).await?;
        }
        let words = seen.words();
        match validate(&seen, Timestamp::now()) {
            Err(refusal) => return Ok(Err(refusal)),
            Ok(Taken::Before) => {}
            Ok(Taken::Now) => {
                let answer = Answer {
                    decision_uid: uid,
                    decided_by: decision.spec.decided_by.clone(),
                    grants: decision.spec.verdict == Verdict::Approve,
                    words: format!("{} (decision {})", decision.spec.decided_by, decision.name_any()),
                };
                if !questions::answer(&mut tx, account, &answer).await? {
                    // Its Budget went at this moment.
                    seen.open = None;
                    return Ok(Err(seen.not_asked()));
                }
                tx.commit().await?;
            }
        }
        Ok(Ok(words))
    };
    work.await.map_err(|e: sqlx::Error| Error::database("take an answer to a budget's question", &e))
}

/// The first thing wrong; otherwise whether it is to be taken.
pub(super) fn validate(seen: &Seen, now: Timestamp) -> Result<Taken, Refusal> {
    let (spec, target) = (&seen.decision.spec, &seen.decision.spec.target);
    let refuse = |reason, message: String| Err(Refusal { reason, message });
    let Some(budget) = &seen.budget else {
        return refuse(
            reason::TARGET_NOT_FOUND,
            format!("Budget {} does not exist in this namespace", target.name),
        );
    };
    if !seen.is_the_one_meant() {
        return refuse(
            reason::TARGET_REPLACED,
            format!("Budget {} was created anew and has another uid", target.name),
        );
    }
    if seen.closed.as_ref().is_some_and(|closed| closed.decision_uid == Some(seen.uid)) {
        return Ok(Taken::Before);
    }
    if spec.verdict == Verdict::Option {
        return refuse(reason::OPTION_NOT_OFFERED, "more is asked for: answer Approve or Deny".into());
    }
    let Some(open) = seen.open.as_ref().filter(|open| open.digest == target.digest) else {
        return Err(seen.not_asked());
    };
    let over = seen.balance.as_ref().and_then(|b| b.period_end_us);
    if over.is_some_and(|end| now.as_microsecond() >= end) {
        return refuse(reason::TOO_LATE, "the period that more was asked for is over".into());
    }
    let fails = budget.spec.ask.as_ref().is_some_and(|ask| ask.on_deadline == AskDeadline::Fail);
    if fails && open.deadline_us.is_some_and(|deadline| now.as_microsecond() >= deadline) {
        return refuse(reason::TOO_LATE, "the deadline has passed".into());
    }
    // A submitter may refuse, and never pay for their own work.
    if spec.verdict == Verdict::Approve && seen.waiting.iter().any(|w| w.submitted_by == spec.decided_by) {
        let message =
            format!("{} submitted a task that waits for this and cannot approve it", spec.decided_by);
        return refuse(reason::SELF_APPROVAL, message);
    }
    Ok(Taken::Now)
}

impl Seen {
    fn is_the_one_meant(&self) -> bool {
        let uid = self.budget.as_ref().and_then(|budget| budget.uid());
        uid.as_deref() == Some(&self.decision.spec.target.uid)
    }

    /// Why the digest is not that of an open question.
    fn not_asked(&self) -> Refusal {
        let (name, closed) = (&self.decision.spec.target.name, self.closed.as_ref());
        let by = closed.and_then(|c| c.decided_by.as_deref()).unwrap_or_default();
        let (reason, message) = match closed.and_then(|c| Outcome::parse(&c.outcome)) {
            Some(Outcome::Granted | Outcome::Denied) if by == self.decision.spec.decided_by => {
                (reason::ALREADY_DECIDED, format!("{by} has answered this already"))
            }
            Some(Outcome::Granted | Outcome::Denied) => {
                (reason::NOTHING_TO_DECIDE, format!("{by} has answered this already"))
            }
            Some(Outcome::Expired) => (reason::TOO_LATE, "the deadline has passed".into()),
            Some(Outcome::Ended) => (reason::TOO_LATE, "the period that more was asked for is over".into()),
            Some(Outcome::Withdrawn) => (reason::NOTHING_TO_DECIDE, "no call waits for it any more".into()),
            None => match &self.open {
                Some(open) => (
                    reason::DIGEST_STALE,
                    format!(
                        "the question is {} now, and not {}; look again",
                        open.digest, self.decision.spec.target.digest
                    ),
                ),
                None => (reason::NOTHING_TO_DECIDE, format!("Budget {name} asks no question now")),
            },
        };
        Refusal { reason, message }
    }

    /// What the answer does, in words.
    fn words(&self) -> String {
        let name = &self.decision.spec.target.name;
        if self.decision.spec.verdict != Verdict::Approve {
            return format!(
                "calls that Budget {name} cannot pay fail until its period ends or its limits are edited"
            );
        }
        let grant = self.open.as_ref().map(|open| (open.grant_cost, open.grant_tokens));
        let grant = self.closed.as_ref().map(|closed| (closed.grant_cost, closed.grant_tokens)).or(grant);
        let added = grant
            .and_then(|(cost, tokens)| Amount::new(cost, tokens).words())
            .unwrap_or_else(|| "nothing".into());
        format!("{added} are granted to Budget {name} for its present period")
    }
}

#[cfg(test)]
mod tests;
