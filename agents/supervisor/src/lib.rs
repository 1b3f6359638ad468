//! Supervisor: owns a team's escalations and dead letters.
//!
//! Contract: a question to a person has a deadline, and what counts if nobody answers is stated beforehand and
//! is never an approval; at the deadline the default is told to the orchestrator, once. What could not be
//! processed is kept with its reason until a person replays or discards it.

mod advisories;
mod deadlines;
mod dlq;
mod escalations;
mod metrics;
mod routes;
mod run;

pub use advisories::rescue;
pub use deadlines::pass;
pub use dlq::drain;
pub use escalations::Escalations;
pub use golden_platform::letters::{Letter, LetterError, discard, list, replay};
pub use metrics::Metrics;
pub use routes::{Desk, router};
pub use run::{Args, run};
