//! The ledger: no call of a model without money reserved for it first.
//!
//! One Postgres transaction per call. Accounts of a path are locked from root to leaf, then the reservation, and
//! the pure rules of `golden-ledger` decide; the table's constraints hold the same invariant once more. Every
//! call may be repeated: the operation key has one reservation, and what happened already is answered, not done
//! again. Redis is not asked; docs/decisions says why.

mod error;
mod leases;
mod ledger;
mod moves;
mod routes;
mod rows;
mod run;

pub use error::Error;
pub use leases::{expire, keep_expiring};
pub use ledger::{Leases, Ledger};
pub use routes::{CALLER, router};
pub use run::{Args, run};
