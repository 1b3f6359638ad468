//! The operator: makes the cluster match what people and the orchestrators want, and tells what it sees.
//!
//! Talks to Kubernetes, reads run state from Postgres, writes one status per change. Never calls a model.

mod backoff;
mod budgets;
mod build;
mod caches;
mod context;
mod controllers;
mod effects;
mod error;
mod events;
mod forecast_questions;
mod guarded;
mod leader;
mod leftovers;
mod metrics;
mod models;
mod money;
mod notices;
mod pacing;
mod queue;
mod queues;
mod release;
mod run;
mod secrets;
mod settings;
mod sweep;
mod synced;
mod throttle;
mod times;
mod unreadable;
mod watch;
mod whole;

pub use error::Error;
pub use release::{ReleaseArgs, Released, release, release_by};
pub use run::{KINDS, run, run_until};
pub use settings::Args;
