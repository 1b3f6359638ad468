//! A real Kubernetes with gVisor, and the databases around it, on one bare
//! Linux machine: no Docker, no systemd, no image registry.
//!
//! - [`ApiServer`]: an apiserver alone, for tests of CRDs, CEL and admission.
//! - [`services`]: Postgres, Redis and NATS for integration tests.
//! - [`tools`]: the Go programs, pinned and built from source.

mod apiserver;
mod config;
mod kubectl;
pub mod paths;
mod pki;
mod ports;
mod progress;
mod run;
pub mod services;
pub mod tools;

pub use apiserver::ApiServer;
pub use kubectl::Kubectl;
