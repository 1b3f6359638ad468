//! The ledger's rules, in every order things can happen in.

// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "it/interleavings.rs"]
mod interleavings;
#[path = "it/world.rs"]
mod world;
