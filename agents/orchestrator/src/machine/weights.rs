//! What voters' opinions weigh where that follows their track records. Found once for each attempt, when its result is
//! about to be reviewed, and kept in the state, the request and the record: what happens later moves no decision.

use super::event::Event;
use super::state::{Stage, State};
use super::step::Work;
use super::task::Task;
use golden_consensus::{SeatWeight, TrackRecords};
use golden_crds::governance_policy::Weights;
use golden_platform::wire::ModelBinding;

/// Whether a review waits to hear what its voters' track records are ([`Event::Weighed`]).
pub fn needs_weights(task: &Task, s: &State) -> bool {
    let is_next = s.outcome.is_none() && !s.suspended && s.stage == Stage::Reviewing && s.review.is_none();
    is_next && !are_known(task, s)
}

/// What the task's seats weigh by these records.
pub fn weigh(task: &Task, records: &TrackRecords) -> Event {
    let seats = task.policy.review.value.voters.iter().map(|voter| {
        let model = task.models.get(&format!("voter:{}", voter.role)).map(ModelBinding::full_name);
        records.weight(&voter.role, &model.unwrap_or_default())
    });
    Event::Weighed(seats.collect())
}

/// Where weights are the policy's there is nothing to know.
pub(super) fn are_known(task: &Task, s: &State) -> bool {
    s.weights.is_some() || task.policy.review.value.weights.unwrap_or_default() == Weights::Policy
}

impl Work<'_> {
    pub(super) fn weighed(&mut self, weights: &[SeatWeight]) {
        if needs_weights(self.task, &self.s) {
            self.s.weights = Some(weights.to_vec());
        } else {
            self.ignore("no review waits for its weights");
        }
    }
}
