//! The gateway outside a cluster: one configuration file in the place of kinds, Secrets and service accounts, a ledger
//! in this process in the place of the install's service. Calls go the very same way.

mod check;
mod config;
mod database;
mod fault;
mod file;
mod keys;
mod mapping;
mod models;
mod provider;
mod rows;
mod run;
mod say;
mod spec;
mod start;

pub use config::Config;
pub use fault::{Fault, Faults};
pub use models::Models;
pub use start::{LimitsHandle, Standalone};

pub(crate) use run::run;

/// What a client without the configuration's token is told.
pub(crate) const WRONG_TOKEN: &str =
    "send the token of this gateway's configuration as `Authorization: Bearer …` or `x-api-key`";
