//! `gateway`: what a call costs on its way. One recorded upstream, called directly, through a proxy that only passes on,
//! through Golden with a budget, and through LiteLLM with a budget; each a process of its own, one arm after the other.
//! Then LiteLLM's known budget races, played on Golden and on LiteLLM alike.

mod arms;
mod bars;
pub(crate) mod calls;
pub(crate) mod child;
mod litellm;
mod load;
mod measure;
mod proxy;
mod races;
mod scrape;
mod serve;
pub(crate) mod services;
pub(crate) mod target;
pub(crate) mod town;
mod upstream;

pub(crate) use serve::{Role, serve};

use crate::host::Host;
use crate::report::{Report, Timed};
use anyhow::Result;

/// The columns of the table.
const COLUMNS: [&str; 5] =
    ["peak_per_s", "at_200_p99_ms", "at_1000_p99_ms", "at_3000_p99_ms", "overspend_micro_usd"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    timed: Timed,
    /// Measure only these; bars of what is left out do not hold.
    #[arg(long, value_delimiter = ',')]
    only: Vec<arms::Part>,
}

pub(crate) async fn run(Args { timed, only }: &Args) -> Result<()> {
    golden_platform::init_crypto();
    let host = Host::this();
    let arms = arms::every(only, f64::from(timed.seconds), !timed.end.json).await?;
    let mut report = Report { bench: "gateway", host, arms, bars: vec![], notes: vec![] };
    report.bars = bars::of(&report);
    report.notes = bars::notes(&report);
    report.tell(&COLUMNS, &timed.end)
}
