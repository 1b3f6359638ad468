//! HTTP as every service speaks it: serving with health and metrics, errors as JSON, calling each other.

mod client;
mod error;
pub mod model_error;
mod serve;

pub use client::{CallError, ServiceClient, TokenFile, client};
pub use error::Error;
pub use serve::{Health, app, at_once, serve, serve_on};
