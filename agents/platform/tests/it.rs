//! The platform on real stores: Postgres, NATS, an apiserver.

// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "it/accounts.rs"]
mod accounts;
#[path = "it/artifacts.rs"]
mod artifacts;
#[path = "it/cache.rs"]
mod cache;
#[path = "it/callers.rs"]
mod callers;
#[path = "it/consuming.rs"]
mod consuming;
#[path = "it/database.rs"]
mod database;
#[path = "it/facts.rs"]
mod facts;
#[path = "it/governance.rs"]
mod governance;
#[path = "it/serving.rs"]
mod serving;
#[path = "it/showback.rs"]
mod showback;
#[path = "it/streams.rs"]
mod streams;
#[path = "it/support.rs"]
mod support;
