//! Orchestrator: drives a team's tasks from admission to their end.
//!
//! Contract: every decision is made by the pure [`machine`]; everything that follows from it is written in the one
//! transaction that moves the task. Facts come from the database, effects leave through the outbox and the table
//! of desired pods. Task pods speak to [`http`].

pub mod engine;
pub mod http;
pub mod machine;
mod message;
mod prompt;
mod run;

pub use message::{AUTHOR, commit_date, commit_message};
pub use prompt::prompt;
pub use run::{Args, run};
