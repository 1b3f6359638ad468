//! The ledger: no call of a model without money reserved for it first.
//!
//! Calls that come together are decided one after the other by the pure rules of `golden-ledger` and share one Postgres
//! transaction ([`engine`]), which holds only if nothing changed meanwhile; the table's constraints hold the same invariant
//! once more. Every call may be repeated: the operation key has one reservation, and what happened already is
//! answered, not done again: where a call has ended also from memory ([`answers`]), which Redis keeps over a restart. What
//! Redis says about money is never more than what Postgres has committed.

mod answers;
mod earlier;
mod engine;
mod error;
mod leases;
mod ledger;
mod metrics;
mod moves;
mod routes;
mod rows;
mod run;

pub use error::Error;
pub use leases::{expire, keep_expiring};
pub use ledger::{Leases, Ledger};
pub use routes::{CALLER, router};
pub use run::{Args, run};
