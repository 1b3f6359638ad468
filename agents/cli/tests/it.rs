//! The real process: `golden gateway --config FILE` with Postgres and the recorded model, `golden submit` on a real
//! apiserver.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "it/agents.rs"]
mod agents;
#[path = "it/gateway.rs"]
mod gateway;
#[path = "it/submit.rs"]
mod submit;
#[path = "it/world.rs"]
mod world;
