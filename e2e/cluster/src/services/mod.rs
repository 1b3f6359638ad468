//! Real Postgres, Redis and NATS for integration tests.
//!
//! Each `start()` gives a server of its own on a free port of 127.0.0.1 with
//! its data in a temporary folder, and waits until it answers. Dropping it
//! stops it and removes the folder. A server also ends with the test process,
//! however that dies, so nothing is left running.
//!
//! All methods take `&self`: one server may sit in a `static OnceLock` and be
//! shared by the tests of a file. `stop`, `kill` and `restart` are the faults.

mod nats;
mod postgres;
mod redis;
pub(crate) mod server;

use anyhow::Result;

pub use nats::Nats;
pub use postgres::Postgres;
pub use redis::Redis;

/// Installs the packages and builds the tools the services need, so that no
/// test waits for that.
pub fn install() -> Result<()> {
    crate::packages::ensure()?;
    crate::tools::ensure("nats").map(drop)
}
