//! `ledger`: durable spends. One spend is a reserve and a settle, each a row of its own under a unique key, each
//! acknowledged after its commit. Everything runs on one Postgres that waits for the disk, one arm after the other,
//! each in a database of its own.

mod arms;
pub(crate) mod audit;
mod bars;
mod crash;
mod disk;
pub(crate) mod ground;
mod keys;
mod load;
mod naive;
mod ours;
mod peer;
mod raw;

use crate::host::Host;
use crate::report::{Report, Timed};
use anyhow::{Context as _, Result};
use golden_cluster::services::Postgres;

/// What one call may cost at most, and what it then does cost, in micro-USD.
pub(crate) const BOUND: i64 = 1000;
pub(crate) const COST: i64 = 600;

/// The columns of the table.
const COLUMNS: [&str; 4] = ["spends_per_s", "p50_ms", "p99_ms", "overspend_micro_usd"];

pub(crate) async fn run(timed: &Timed) -> Result<()> {
    let host = Host::this();
    let server = tokio::task::spawn_blocking(Postgres::start_durable).await?.context("no Postgres")?;
    let arms = arms::every(server, f64::from(timed.seconds), !timed.end.json).await;
    let mut report = Report { bench: "ledger", host, arms, bars: vec![], notes: vec![] };
    report.bars = bars::of(&report);
    report.notes = bars::notes(&report);
    report.tell(&COLUMNS, &timed.end)
}
