//! The gateway with real Postgres, the real ledger over HTTP, and the recorded model over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "it/answers.rs"]
mod answers;
#[path = "it/callers.rs"]
mod callers;
#[path = "it/caps.rs"]
mod caps;
#[path = "it/fallbacks.rs"]
mod fallbacks;
#[path = "it/faulty.rs"]
mod faulty;
#[path = "it/money.rs"]
mod money;
#[path = "it/protocols.rs"]
mod protocols;
#[path = "it/providers.rs"]
mod providers;
#[path = "it/python.rs"]
mod python;
#[path = "it/races.rs"]
mod races;
#[path = "it/sdks.rs"]
mod sdks;
#[path = "it/shared.rs"]
mod shared;
#[path = "it/standalone.rs"]
mod standalone;
#[path = "it/traffic.rs"]
mod traffic;
#[path = "it/upstream.rs"]
mod upstream;
#[path = "it/world.rs"]
mod world;
