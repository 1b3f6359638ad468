//! The ledger under chaos, and whether the checks would see it break.

// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "it/broken.rs"]
mod broken;
#[path = "it/inputs.rs"]
mod inputs;
#[path = "it/shares.rs"]
mod shares;
#[path = "it/slice.rs"]
mod slice;
