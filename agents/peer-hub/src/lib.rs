//! Peer-hub: asks a review's voters, checks what they answer, and decides by the pure rules of
//! `golden-consensus`.
//!
//! Contract: for each (task, attempt, round, voter, digest) one ballot counts, the first that was stored; a
//! review is decided once, in the transaction that also tells the orchestrator. A request may come again at
//! any point: stored ballots are used again. A model's words are untrusted: read by schema, bounded, and only
//! evidence found in the judged tree carries a veto.

mod answer;
mod ask;
mod ballot;
mod decision;
mod evidence;
mod handler;
mod material;
mod metrics;
mod parts;
mod prompt;
mod question;
mod review;
mod roles;
mod run;
mod store;
mod words;

pub use ask::Gateway;
pub use handler::Hub;
pub use metrics::Metrics;
pub use run::{Args, run};
