//! Decision: one person's answer, accepted once and told to the orchestrator as a fact, or to the ledger where it is about
//! a Budget; or refused for good.
//!
//! Admission has checked that `decidedBy` is the caller and may approve. What admission cannot see is checked here:
//! whether the target is the one meant, asks a question now, and who submitted it.

mod budget;
mod observe;
mod report;
#[cfg(test)]
mod tests;
mod validate;

use crate::context::Context;
use crate::error::Error;
use crate::forecast_questions::{self, Question};
use golden_crds::Decision;
use golden_crds::conditions::{ACCEPTED, find};
use golden_crds::decision::TargetKind;
use golden_platform::wire::{Fact, NewFact, PersonDecision};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use std::sync::Arc;
use std::time::Duration;
use validate::{Counts, Refusal};

/// Field manager.
const MANAGER: &str = "golden-decision";
/// A decided decision never changes: only the floor.
const IDLE: Duration = Duration::from_hours(1);

/// Accepts or refuses one decision.
pub(crate) async fn reconcile(decision: Arc<Decision>, ctx: Arc<Context>) -> Result<Action, Error> {
    if decision.metadata.deletion_timestamp.is_some() || is_settled(&decision) {
        return Ok(Action::requeue(IDLE));
    }
    let decided = match decision.spec.target.kind {
        TargetKind::Budget => budget::decide(&decision, &ctx).await,
        TargetKind::AgentTask | TargetKind::PromptRevision => decide(&decision, &ctx).await,
    };
    match decided {
        Ok(verdict) => report::decided(&decision, &verdict, &ctx).await?,
        Err(error) => {
            report::undecided(&decision, &error, &ctx).await?;
            return Err(error);
        }
    }
    Ok(Action::requeue(IDLE))
}

/// An answer to a task's question.
async fn decide(decision: &Arc<Decision>, ctx: &Context) -> Result<Result<String, Refusal>, Error> {
    let seen = observe::observe(decision, ctx).await?;
    match validate::validate(&seen, Timestamp::now()) {
        Err(refusal) => return Ok(Err(refusal)),
        Ok(Counts::ToldBefore) => {}
        // The fact first: a crash before the status leaves an accepted fact, which is found and kept.
        Ok(Counts::For(question)) => act(&seen, question, ctx).await?,
    }
    Ok(Ok("the decision counts".into()))
}

fn is_settled(decision: &Decision) -> bool {
    let accepted = decision.status.as_ref().and_then(|s| find(&s.conditions, ACCEPTED));
    accepted.is_some_and(|c| c.status != "Unknown")
}

async fn act(seen: &observe::Seen, question: &str, ctx: &Context) -> Result<(), Error> {
    if let Some(asked) = &seen.question {
        return resolve(seen, asked, question, ctx).await;
    }
    let Some(row) = &seen.row else { return Ok(()) };
    let fact = NewFact {
        team_uid: row.team_uid,
        task_uid: row.task_uid,
        object_uid: seen.uid,
        fact_key: "decision".into(),
        fact: Fact::Decided(said(seen, question)),
    };
    let mut conn = ctx.pool.acquire().await.map_err(|e| Error::database("tell of a decision", &e))?;
    golden_platform::facts::insert(&mut conn, &fact)
        .await
        .map(drop)
        .map_err(|e| Error::database("tell of a decision", &e))
}

/// Takes the answer whether a task shall start.
async fn resolve(seen: &observe::Seen, asked: &Question, question: &str, ctx: &Context) -> Result<(), Error> {
    let spec = &seen.decision.spec;
    let option = spec.verdict.chooses(spec.option.as_deref(), &asked.options);
    let taken = forecast_questions::resolve(&ctx.pool, asked, option, &said(seen, question)).await;
    Error::unless_late(taken, "take the answer whether a task shall start", "it was closed at this moment")
}

/// The decision, as those who act on it read it.
fn said(seen: &observe::Seen, question: &str) -> PersonDecision {
    let spec = &seen.decision.spec;
    PersonDecision {
        decision_uid: seen.uid,
        name: seen.decision.name_any(),
        decided_by: spec.decided_by.clone(),
        verdict: spec.verdict,
        option: spec.option.clone(),
        note: spec.note.clone(),
        digest: spec.target.digest.clone(),
        question: question.to_owned(),
    }
}
