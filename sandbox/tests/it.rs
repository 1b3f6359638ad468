//! The runner on a real kernel, the broker on real stores, git against real servers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may fail a test

#[path = "it/runner.rs"]
mod runner;
