//! From a fact to the event the machine takes in: what it needs to know beside the fact itself.

use super::drive::Engine;
use super::error::Error;
use super::faults::Point;
use super::store::{self, FactRow, Loaded};
use super::trees;
use crate::machine::{AttemptEnded, Event, Why};
use golden_crds::conditions::agent_task as reasons;
use golden_platform::wire::{AttemptResult, Fact};
use golden_platform::{Class, Classify as _};
use uuid::Uuid;

/// What became of a fact.
pub(super) enum Enriched {
    Event(Box<Event>),
    /// Nothing can be made of it; it is taken in without effect.
    Nothing,
    /// A store that is needed is away; the fact waits.
    Later(Why),
}

/// Whether a fact needs the state as it is after everything before it, since something is derived from it.
pub(super) fn is_derived(fact: &Fact) -> bool {
    matches!(fact, Fact::AttemptResult(_))
}

impl Engine {
    pub(super) async fn enrich(&self, loaded: &Loaded, row: &FactRow) -> Result<Enriched, Error> {
        let Some(fact) = row.fact.clone() else { return Ok(Enriched::Nothing) };
        let event = match fact {
            // The task exists, so it was admitted.
            Fact::Admitted(_) => return Ok(Enriched::Nothing),
            Fact::SpecChanged { generation, desired_state, limits } => {
                Event::SpecChanged { generation, desired_state, limits }
            }
            Fact::Deleted => Event::Deleted,
            Fact::Decided(decision) => Event::Decided(decision),
            Fact::Pod(outcome) => Event::Pod(outcome),
            Fact::AttemptResult(result) => return self.attempt(loaded, result).await,
            Fact::AttemptSaved(saved) => Event::Saved(saved),
            Fact::AttemptNotSaved(told) => Event::NotSaved(told),
            Fact::JobResult(result) => match store::pod_name(&self.pool, row.object_uid).await? {
                Some(pod) => Event::Job { pod, result },
                None => return Ok(Enriched::Nothing),
            },
            Fact::Guard(outcome) => Event::Guard(outcome),
            Fact::Review { attempt, round, digest, decision } => {
                let ballots = store::ballots(&self.pool, loaded.task.uid, attempt, round).await?;
                Event::Reviewed { attempt, round, digest, decision, ballots }
            }
            Fact::EscalationDefaulted { escalation_id, option } => {
                Event::EscalationDefaulted { escalation_id, option }
            }
            Fact::BudgetHeld { op_key, call } => Event::BudgetHeld { op_key, call },
            Fact::BudgetResumed { op_key, moved } => Event::BudgetResumed { op_key, moved },
            Fact::BudgetHoldLeft { op_key } => Event::BudgetHoldLeft { op_key },
            Fact::CallStuck { caller, attempt, reason, message } => {
                Event::CallStuck { caller, attempt, why: Why::new(&reason, message) }
            }
            Fact::CallUnstuck { caller } => Event::CallUnstuck { caller },
        };
        Ok(Enriched::Event(Box::new(event)))
    }

    /// Derives what the machine needs of a produced tree. A tree nobody waits for is not looked at.
    async fn attempt(&self, loaded: &Loaded, result: AttemptResult) -> Result<Enriched, Error> {
        let state = &loaded.state;
        let waited_for = state.outcome.is_none()
            && state.finish.is_none()
            && (state.tries.attempt, state.tries.made) == (result.attempt, result.r#try);
        let produced = match (&state.base, &result.tree) {
            (Some(base), Some(tree)) if waited_for => {
                match trees::produced(&self.artifacts, &loaded.task, &base.tree, tree).await {
                    Ok(produced) => Some(produced),
                    Err(e) => return later(e),
                }
            }
            _ => None,
        };
        self.faults.pass(Point::ArtifactStored)?;
        Ok(Enriched::Event(Box::new(Event::Attempt(AttemptEnded { result, produced }))))
    }

    /// Stores the inline source, if that is what the task waits for.
    pub(super) async fn inline_base(&self, loaded: &Loaded) -> Result<Option<Enriched>, Error> {
        let (state, task) = (&loaded.state, &loaded.task);
        let wanted = state.outcome.is_none()
            && state.base.is_none()
            && state.slot
            && task.spec.source.inline.is_some();
        if !wanted {
            return Ok(None);
        }
        let files = store::inline_files(&self.pool, task.uid).await?;
        match trees::inline_base(&self.artifacts, task, files).await {
            Ok(base) => {
                self.faults.pass(Point::ArtifactStored)?;
                Ok(Some(Enriched::Event(Box::new(Event::InlineBase(base)))))
            }
            Err(e) => later(e).map(Some),
        }
    }

    /// Whether a store that was away is back, as far as this task can tell.
    pub(super) async fn trouble_over(&self, team: Uuid, loaded: &Loaded) -> Result<bool, Error> {
        Ok(loaded.state.trouble.is_some() && !store::has_unsent(&self.pool, team, loaded.task.uid).await?)
    }
}

/// An outage makes the fact wait and is shown; anything else is an error of this step.
fn later(error: Error) -> Result<Enriched, Error> {
    match &error {
        Error::Artifacts(e) if matches!(e.class(), Class::Dependency | Class::Bug | Class::Invalid) => {
            let message = format!("{e}; tried again until it is there");
            Ok(Enriched::Later(Why::new(reasons::ARTIFACT_STORE_UNREACHABLE, message)))
        }
        _ => Err(error),
    }
}
