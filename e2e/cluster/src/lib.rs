//! A real Kubernetes with gVisor, and the databases around it, on one bare
//! Linux machine: no Docker, no systemd, no image registry.
//!
//! - [`services`]: Postgres, Redis and NATS for integration tests.
//! - [`tools`]: the Go programs, pinned and built from source.

pub mod paths;
mod ports;
mod progress;
mod run;
pub mod services;
pub mod tools;
