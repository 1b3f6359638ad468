//! Peer-hub with real Postgres and NATS, and the recorded model over HTTP in the gateway's place: both speak
//! Chat Completions, and what the gateway adds is proved in its own tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "it/hostile.rs"]
mod hostile;
#[path = "it/parts.rs"]
mod parts;
#[path = "it/reviews.rs"]
mod reviews;
#[path = "it/rounds.rs"]
mod rounds;
#[path = "it/watched.rs"]
mod watched;
#[path = "it/weights.rs"]
mod weights;
#[path = "it/world.rs"]
mod world;
