//! HTTP as every service speaks it: serving with health and metrics, errors as JSON, calling each other.

mod answered;
mod client;
mod error;
pub mod model_error;
mod serve;

pub use answered::{ANSWERED_MODEL, ANSWERED_PROVIDER, ANSWERED_UPSTREAM, answered_by};
pub use client::{CallError, ServiceClient, TokenFile, client};
pub use error::Error;
pub use serve::{Health, app, at_once, serve, serve_on};
