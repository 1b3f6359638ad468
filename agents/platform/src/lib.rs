//! What every service of Golden stands on: stores, messages, artifacts, trees, callers, health and telemetry.
//!
//! Decisions live in the pure crates; this one observes and acts, bounded in time and size.

pub mod artifacts;
pub mod auth;
pub mod breaker;
pub mod budget_questions;
pub mod cache;
pub mod class;
pub mod closing;
pub mod config;
pub mod consumer;
pub mod crypto;
pub mod db;
pub mod dead_letters;
pub mod facts;
pub mod http;
pub mod ledger_accounts;
pub mod letters;
pub mod nats;
pub mod provider_health;
pub mod records;
pub mod showback;
pub mod shutdown;
pub mod sse;
pub mod streams;
pub mod subjects;
pub mod telemetry;
pub mod tree;
pub mod verdicts;
pub mod wire;

pub use class::{Class, Classify};
pub use crypto::init_crypto;
pub use tokio_util::sync::CancellationToken;
