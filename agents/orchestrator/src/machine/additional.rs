//! One more reviewer before a person: asked once in a task, about a result on which the others came to no decision.

use super::review::{Ask, next};
use super::state::State;
use super::step::Work;
use super::task::Task;
use golden_consensus::{DecisionRecord, Next};
use golden_governance::with_additional;
use serde_json::{Value, json};

impl Work<'_> {
    /// What to ask if the decision is for a person and the additional reviewer could settle it.
    pub(super) fn ask_beside(&self, decision: &DecisionRecord) -> Option<Ask> {
        let review = self.s.review.as_ref()?;
        let rules = &self.task.policy.review.value;
        let for_a_person = next(decision.decision, rules) == Next::Escalate;
        let asks = for_a_person && decision.decision.may_be_settled() && !self.s.additional_asked;
        (asks && rules.additional_reviewer.is_some()).then(|| Ask {
            round: review.round + 1,
            hears: None,
            beside: Some(review.round),
            decided: review.decided + 1,
        })
    }

    /// The rules of a round, as its request carries them.
    pub(super) fn rules_of(&self, ask: Ask) -> Value {
        let rules = &self.task.policy.review.value;
        ask.beside.and_then(|_| with_additional(rules)).unwrap_or_else(|| json!(rules))
    }
}

/// Who is asked beside the voters in the present round.
pub(super) fn asked_beside<'a>(task: &'a Task, s: &State) -> Option<&'a str> {
    s.review.as_ref()?.beside?;
    task.policy.review.value.additional_reviewer.as_ref().map(|reviewer| reviewer.role.as_str())
}
