//! Group commit: what callers ask for at the same time is decided together and written by one transaction.
//!
//! One writer takes everything that waits, decides each request in the order it came by the pure rules ([`batch`]), and
//! writes reservations, accounts and notices in one statement. Nobody is answered before that is on the disk; the next
//! batch does not wait for the disk ([`line`]). Batches form by themselves: while one is being written the next ones gather,
//! so a lone caller waits for nobody and many share one flush.
//!
//! It decides from what it remembers ([`book`]), and the statement holds only if that is still so. Otherwise, and for
//! everything that is not simply granted or moved on, the accounts concerned are locked in one order and read first.
//!
//! A batch never waits for an account that somebody else holds ([`writer`]).
//!
//! A request the database refuses (a defect) fails alone: its batch is taken apart and tried one by one. A connection
//! that breaks during the commit leaves the outcome open: callers are told that the ledger is away, and the same key
//! gets the answer when they ask again.

mod batch;
mod book;
mod job;
mod line;
mod queue;
mod save;
mod store;
mod writer;

pub(crate) use job::{Engine, Move, Report};
