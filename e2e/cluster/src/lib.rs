//! A real Kubernetes with gVisor, and the databases around it, on one bare
//! Linux machine: no Docker, no systemd, no image registry.
//!
//! - [`up`], [`down`], [`status`]: the cluster; `cargo xtask cluster …` calls these.
//! - [`images`]: container images, built and loaded without a registry.
//! - [`ApiServer`]: an apiserver alone, for tests of CRDs, CEL and admission.
//! - [`services`]: Postgres, Redis and NATS for integration tests.
//! - [`tools`]: the Go programs, pinned and built from source.
//!
//! Everything lives under `$GOLDEN_CACHE` (`~/.cache/golden`): `tools/` and
//! `images/` are caches, `cluster/` is the running cluster and gone after
//! `down`.

mod apiserver;
mod clean;
mod config;
mod containers;
mod down;
mod host;
pub mod images;
mod kubectl;
mod layout;
pub mod packages;
pub mod paths;
mod pki;
pub mod ports;
mod processes;
mod procfs;
mod progress;
mod run;
pub mod services;
mod status;
mod supervisor;
pub mod tools;
mod up;

pub use apiserver::ApiServer;
pub use containers::{ContainerProcess, kill_inside};
pub use down::{down, down_from, purge};
pub use host::Leftovers;
pub use kubectl::Kubectl;
pub use status::{
    Process, Status, Tool, admin_kubeconfig, audit_log, kill, process, status, user_kubeconfig,
};
pub use supervisor::supervise;
pub use up::up;
