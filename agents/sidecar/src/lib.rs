//! The two programs of Golden inside an attempt's pod.
//!
//! The sidecar holds the pod's token: it lays out the work, lets the agent call models, and delivers the result. The
//! runner stands in the agent's container, holds nothing, and starts the agent whatever its image is.

mod handover;
mod layout;
mod leftovers;
mod pause;
mod proxy;
mod result;
mod retry;
mod runner;
mod saved;
mod service;
mod transcript;
mod upload;

pub use runner::{Args as RunnerArgs, run as run_agent};
pub use service::{Args, run};

/// Where the sidecar answers inside the pod, and nowhere else.
pub const LISTEN: &str = "127.0.0.1:8321";
