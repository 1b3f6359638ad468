//! `golden gateway --config FILE`: the real process, Postgres, and the recorded model.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "it/agents.rs"]
mod agents;
#[path = "it/gateway.rs"]
mod gateway;
#[path = "it/world.rs"]
mod world;
