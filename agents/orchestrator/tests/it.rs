//! The orchestrator on real Postgres and NATS. What the operator, the sandbox, the peers and the task pods would
//! do is done by [`world`], through the same tables, streams and HTTP routes.

// Test code may say `unwrap`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod it {
    mod closing;
    mod crash;
    mod faults;
    mod http;
    mod judges;
    mod pauses;
    mod pods;
    mod stories;
    mod turns;
    mod weights;
    mod world;
}
