//! The service people and programs read from: tasks, their events, votes, costs and results.
//!
//! Access is the cluster's own: a caller shows a token of the service account `golden-reader` of a namespace
//! (audience `golden`), and sees that namespace. Acting there (dead letters) takes a token of `golden-steward`. Who may
//! draw such tokens is RBAC's business. A namespace that is gone has no such accounts: its records stay, and are opened
//! by `golden-auditor` of Golden's own namespace.

mod budgets;
mod queries;
mod routes;
mod service;

pub use routes::Sources;
pub use service::{Args, app, run};
