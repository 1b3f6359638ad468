//! The track records of the voters of a review that is about to open.

use super::drive::Engine;
use super::error::Error;
use super::store::Loaded;
use crate::machine::{Event, needs_weights, weigh};
use golden_consensus::TrackRecords;
use golden_platform::verdicts::{Word, words};

impl Engine {
    /// Looks up what the voters of the namespace said so far, if the task's next step depends on it. They are in the
    /// database that the review itself is opened in: without it nothing is opened, rather than with other weights.
    pub(super) async fn weights(&self, loaded: &Loaded) -> Result<Option<Event>, Error> {
        let (task, state) = (&loaded.task, &loaded.state);
        if !needs_weights(task, state) {
            return Ok(None);
        }
        let said = words(&self.pool, &task.namespace, false).await?;
        let records = TrackRecords::of(said.iter().map(Word::opinion))?;
        Ok(Some(weigh(task, &records)))
    }
}
