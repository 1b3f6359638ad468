//! Orchestrator: drives a team's tasks from admission to their end.
//!
//! Contract: every decision is made by the pure [`machine`]; everything that follows from it is written in the one
//! transaction that moves the task. Facts come from the database, effects leave through the outbox and the table
//! of desired pods.

pub mod machine;
