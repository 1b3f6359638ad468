//! The ledger under chaos: its service as a process that is killed, a Postgres that is killed and restarted, a Redis
//! that forgets, hangs and goes, callers that repeat themselves, come late and in the wrong order, calls that can be
//! made with less than they ask for, limits that are edited meanwhile. Every question and answer is kept, and afterwards
//! judged by rules that share no code with the ledger: nothing overspent at any moment, nothing charged twice, no
//! settlement lost, one bound for each call, every answer true of what stands in the tables. How much of its range a
//! call gets is not judged: only that it is in the range, and everything after it.

pub mod amount;
mod caller;
mod calls;
pub mod check;
mod client;
mod edits;
mod faults;
pub mod history;
pub mod journal;
pub mod model;
mod round;
mod serve;
mod service;
pub mod wire;
pub mod world;

pub use faults::Fault;
pub use round::{Outcome, Plan, play};
pub use serve::serve;
