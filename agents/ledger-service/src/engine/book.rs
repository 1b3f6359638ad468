//! What the writer remembers of the database: enough to decide most requests without asking it. Pure.
//!
//! Nothing here is trusted: what is decided from it is written by a statement that does nothing unless every account
//! still has the revision, and every reservation the state, that the decision rests on. So a book that is wrong costs a
//! second try, never money.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use golden_ledger::State;
use uuid::Uuid;

use super::batch::{Batch, Held, Kept, Path};
use super::job::Ask;
use crate::rows::AccountRow;

/// Entries of each kind; with more, those are forgotten all together.
const MOST: usize = 100_000;
/// How long nothing is decided from memory after it was wrong: somebody else writes these accounts too.
const DOUBT: Duration = Duration::from_millis(500);

/// The memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    /// By task; a path never changes.
    paths: HashMap<Uuid, Path>,
    /// Calls under way, by operation key.
    calls: HashMap<String, Kept>,
    accounts: HashMap<Uuid, AccountRow>,
    doubted: Option<Instant>,
}

impl Book {
    pub(super) fn path(&self, task: Uuid) -> Option<&Path> {
        self.paths.get(&task)
    }

    /// The accounts of a call that is under way.
    pub(super) fn path_of_call(&self, op_key: &str) -> Option<&Path> {
        self.calls.get(op_key).map(|kept| &kept.path)
    }

    pub(super) fn learn_paths(&mut self, found: impl IntoIterator<Item = (Uuid, Path)>) {
        make_room(&mut self.paths);
        self.paths.extend(found);
    }

    /// Everything these requests concern, as far as it is remembered; and which of them it is enough for.
    pub(super) fn open(&self, asks: &[Ask], now: Instant) -> (Batch, Vec<usize>) {
        let (mut batch, mut enough) = (Batch::default(), Vec::new());
        if self.doubted.is_some_and(|at| now.saturating_duration_since(at) < DOUBT) {
            return (batch, enough);
        }
        for (index, ask) in asks.iter().enumerate() {
            if self.add(ask, &mut batch).is_some() {
                enough.push(index);
            }
        }
        (batch, enough)
    }

    fn add(&self, ask: &Ask, batch: &mut Batch) -> Option<()> {
        let path = match ask {
            // A key that is known already is a duplicate: what became of it is looked up.
            Ask::Reserve(request) if !self.calls.contains_key(&request.op_key) => {
                self.paths.get(&request.task_uid)?
            }
            Ask::Move { op_key, wanted } if !wanted.only_overdue => &self.calls.get(op_key)?.path,
            Ask::Reserve(_) | Ask::Move { .. } => return None,
        };
        let missing = path.iter().filter(|uid| !batch.accounts.contains_key(uid));
        let known: Option<Vec<&AccountRow>> = missing.map(|uid| self.accounts.get(uid)).collect();
        batch.accounts.extend(known?.into_iter().map(|row| (row.account_uid, Held::new(row.clone()))));
        match ask {
            Ask::Reserve(request) => {
                batch.paths.insert(request.task_uid, Arc::clone(path));
                batch.tries.extend(request.try_uid.map(|pod| (request.task_uid, pod)));
            }
            Ask::Move { op_key, .. } => {
                batch.reservations.insert(op_key.clone(), self.calls.get(op_key)?.clone());
            }
        }
        Some(())
    }

    /// The batch is written, and this is how it left things; its accounts with this revision.
    pub(super) fn learn(&mut self, batch: &Batch, revision: i64) {
        make_room(&mut self.calls);
        make_room(&mut self.accounts);
        for (key, kept) in &batch.reservations {
            if matches!(kept.reservation.state, State::Reserved | State::Dispatched) {
                self.calls.insert(key.clone(), kept.written());
            } else {
                // Hardly anybody asks again for a call that ended.
                self.calls.remove(key);
            }
        }
        for (uid, held) in &batch.accounts {
            if batch.busy.contains(uid) {
                self.accounts.remove(uid);
            } else {
                self.accounts.insert(*uid, held.written(revision));
            }
        }
    }

    /// What the batch rested on was not so.
    pub(super) fn doubt(&mut self, accounts: &BTreeMap<Uuid, Held>, now: Instant) {
        self.doubted = Some(now);
        for uid in accounts.keys() {
            self.accounts.remove(uid);
        }
    }
}

fn make_room<K, V>(entries: &mut HashMap<K, V>) {
    if entries.len() > MOST {
        entries.clear();
    }
}

#[cfg(test)]
mod tests;
