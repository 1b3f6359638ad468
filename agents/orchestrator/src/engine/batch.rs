//! What one transaction takes in: facts in order, and what follows from time and from the engine's own work.

use super::drive::Engine;
use super::enrich::{Enriched, is_derived};
use super::error::Error;
use super::store::{self, FactRow, Loaded};
use crate::machine::{Event, Why};
use jiff::Timestamp;

/// Events and the facts they stand for.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    pub(super) consumed: Vec<i64>,
    /// The same again may follow at once.
    pub(super) more: bool,
}

impl Engine {
    /// Gathers the batch of a task that exists.
    pub(super) async fn gather(
        &self,
        loaded: &Loaded,
        facts: &[FactRow],
        more_events: Vec<Event>,
        now: Timestamp,
    ) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        if loaded.state.outcome.is_some() {
            // The end is the end: what comes after it is kept as a fact and has no effect.
            batch.consumed = facts.iter().map(|f| f.id).collect();
            return Ok(batch);
        }
        if !facts.is_empty() {
            batch.events.push(Event::Usage(store::usage(&self.pool, loaded.task.uid).await?));
        }
        batch.events.extend(more_events);
        let mut away: Option<Why> = None;
        match self.inline_base(loaded).await? {
            Some(Enriched::Event(event)) => batch.events.push(*event),
            Some(Enriched::Later(why)) => away = Some(why),
            Some(Enriched::Nothing) | None => {}
        }
        for row in facts {
            if row.fact.as_ref().is_some_and(is_derived) && !batch.consumed.is_empty() {
                batch.more = true;
                break;
            }
            match self.enrich(loaded, row).await? {
                Enriched::Event(event) => batch.events.push(*event),
                Enriched::Nothing => {}
                Enriched::Later(why) => {
                    away = Some(why);
                    break;
                }
            }
            batch.consumed.push(row.id);
        }
        batch.events.extend(self.money(loaded, now).await?);
        batch.events.extend(self.weights(loaded).await?);
        self.trouble(loaded, away, &mut batch).await?;
        if batch.events.is_empty() {
            batch.events.push(Event::Tick);
        }
        tracing::trace!(task = %loaded.task.uid, events = batch.events.len(), %now, "gathered");
        Ok(batch)
    }

    /// Shows an outage while it lasts.
    async fn trouble(&self, loaded: &Loaded, away: Option<Why>, batch: &mut Batch) -> Result<(), Error> {
        match away {
            Some(why) if loaded.state.trouble.as_ref().is_none_or(|t| t.reason != why.reason) => {
                batch.events.push(Event::StoreTrouble(Some(why)));
            }
            None if self.trouble_over(self.team, loaded).await? => {
                batch.events.push(Event::StoreTrouble(None));
            }
            _ => {}
        }
        Ok(())
    }
}
