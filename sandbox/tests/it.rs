//! The runner on a real kernel, the broker on real stores, git against real servers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may fail a test

#[path = "it/broker.rs"]
mod broker;
#[path = "it/doors.rs"]
mod doors;
#[path = "it/git.rs"]
mod git;
#[path = "it/git_server.rs"]
mod git_server;
#[path = "it/runner.rs"]
mod runner;
#[path = "it/world.rs"]
mod world;
