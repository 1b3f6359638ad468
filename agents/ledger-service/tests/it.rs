//! The ledger on a real Postgres: no overspend, no double charge, nothing acknowledged is lost.

// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "it/answers.rs"]
mod answers;
#[path = "it/crash.rs"]
mod crash;
#[path = "it/disk.rs"]
mod disk;
#[path = "it/grants.rs"]
mod grants;
#[path = "it/http.rs"]
mod http;
#[path = "it/leases.rs"]
mod leases;
#[path = "it/life.rs"]
mod life;
#[path = "it/limits.rs"]
mod limits;
#[path = "it/memory.rs"]
mod memory;
#[path = "it/periods.rs"]
mod periods;
#[path = "it/shares.rs"]
mod shares;
#[path = "it/support.rs"]
mod support;
