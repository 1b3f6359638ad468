//! The promises, on the cluster that `cargo xtask test` brought up and installed Golden in.
//!
//! Run in one thread, in the order of their names: the stories first, what looks at their traces after.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected by failing")]

mod s1_stories;
mod s2_access;
mod s2_commands;
mod s3_bad_input;
mod s4_outages;
mod s5_figures;
mod s6_weaker_isolation;
mod s7_agents;
mod s7_pauses;
mod s9_recording;
mod support;
mod under_test;
