//! The one connection of a process, and what is known of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::aio::MultiplexedConnection;

/// Longest words of a fault that are kept, in characters.
const MAX_WORDS: usize = 200;

#[derive(Default)]
pub(super) struct Link(Mutex<Known>);

#[derive(Default)]
struct Known {
    connection: Option<MultiplexedConnection>,
    /// Which connection it is: late news of an earlier one says nothing about it.
    number: u64,
    /// How the last look went; none before the first.
    went: Option<Result<(), String>>,
}

impl Link {
    /// The connection and its number, if there is one.
    pub(super) fn connection(&self) -> Option<(u64, MultiplexedConnection)> {
        let known = self.known();
        Some((known.number, known.connection.clone()?))
    }

    pub(super) fn made(&self, connection: MultiplexedConnection) -> (u64, MultiplexedConnection) {
        let mut known = self.known();
        known.number += 1;
        known.connection = Some(connection.clone());
        (known.number, connection)
    }

    /// This connection is of no use any more: the next look makes another one.
    pub(super) fn broke(&self, number: u64) {
        let mut known = self.known();
        if known.number == number {
            known.connection = None;
        }
    }

    /// How a look went. Whether that is news.
    pub(super) fn looked(&self, went: Result<(), String>) -> bool {
        let mut known = self.known();
        let news = known.went.as_ref().map(Result::is_ok) != Some(went.is_ok());
        known.went = Some(went.map_err(short));
        news
    }

    pub(super) fn standing(&self) -> Result<(), String> {
        self.known().went.clone().unwrap_or_else(|| Err("not asked yet".to_owned()))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn short(why: String) -> String {
    match why.char_indices().nth(MAX_WORDS) {
        Some((end, _)) => why.get(..end).unwrap_or_default().to_owned(),
        None => why,
    }
}
