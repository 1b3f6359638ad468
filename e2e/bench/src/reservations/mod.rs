//! `reservations`: how much of a budget is spent before the first call is held, as a curve over callers and budgets.
//! Calls have the sizes that clients of agents really send: large prompts, and no output cap or one far above what is
//! used. Whoever reserves all that they ask for starves them, whoever reserves less overdraws.

mod bars;
mod body;
mod cell;
mod figures;
mod sizes;
mod upstream;

pub(crate) use sizes::{CLIENTS, model};
pub(crate) use upstream::router as upstream;

use crate::gateway::child::Child;
use crate::gateway::town::Town;
use crate::host::Host;
use crate::report::{Arm, End, Report};
use anyhow::{Context as _, Result};
use cell::{CELLS, Cell};
use golden_cluster::services::Postgres;
use std::sync::Arc;

/// The columns of the table.
const COLUMNS: [&str; 5] =
    ["spent_before_first_hold_percent", "spent_percent", "max_committed_percent", "calls", "lowered_calls"];

pub(crate) async fn run(end: &End) -> Result<()> {
    golden_platform::init_crypto();
    let host = Host::this();
    let arms = arms(!end.json).await?;
    let mut report = Report { bench: "reservations", host, arms, bars: vec![], notes: vec![] };
    report.bars = bars::of(&report);
    report.notes = bars::notes(&report);
    report.tell(&COLUMNS, end)
}

/// One for each cell. A cell that fails says so and the others go on.
async fn arms(progress: bool) -> Result<Vec<Arm>> {
    let upstream = Child::start(&["clients".to_owned()]).await.context("the upstream")?;
    let server = tokio::task::spawn_blocking(Postgres::start_durable).await?.context("no Postgres")?;
    // It ends when it is dropped.
    let server = Arc::new(server);
    let mut town = Town::new(&server, &upstream.url, None, CELLS.len() * CLIENTS.len()).await?;
    let mut arms = vec![];
    for cell in CELLS {
        let arm = cell::play(&mut town, cell).await;
        let arm = arm.unwrap_or_else(|error| Arm::failed(cell.name(), &error));
        if progress {
            println!("{}", told(cell, &arm));
        }
        arms.push(arm);
    }
    town.stop().await?;
    Ok(arms)
}

fn told(cell: Cell, arm: &Arm) -> String {
    match (&arm.error, arm.get(COLUMNS[0])) {
        (None, Some(percent)) => format!("{}: {percent} % spent when the first call was held", cell.name()),
        (error, _) => format!("{}: not measured: {}", cell.name(), error.as_deref().unwrap_or("no hold")),
    }
}
