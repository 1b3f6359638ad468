//! Outages that take minutes to be noticed, so they are played by a command of their own and not in each test run.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected by failing")]

mod lost_node;
#[path = "../scenarios/under_test.rs"]
mod under_test;
