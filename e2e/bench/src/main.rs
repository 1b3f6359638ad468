//! Benchmarks: one command each, all arms in one run on one machine, so that their ratios mean something.
//! Started by `cargo xtask bench`, which builds it with the profile `bench`.

mod host;
mod latency;
mod ledger;
mod report;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "golden-bench", about = "Golden's benchmarks")]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Durable spends: raw disk, raw inserts, naive rows, ours, a peer, and a killed database
    Ledger(ledger::Args),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().bench {
        Bench::Ledger(args) => ledger::run(&args).await,
    }
}
