//! Benchmarks: one command each, all arms in one run on one machine, so that their ratios mean something.
//! Started by `cargo xtask bench`, which builds it with the profile `bench`.

mod consensus;
mod gateway;
mod host;
mod latency;
mod ledger;
mod report;
mod reservations;
mod review;
mod venv;

use crate::report::{End, Timed};
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
    Ledger(Timed),
    /// Calls through the gateway: direct, a plain proxy, ours, LiteLLM; and LiteLLM's budget races played on both
    Gateway(gateway::Args),
    /// How much of a budget is spent before a call is held, over callers and budgets
    Reservations(End),
    /// Decisions, exact power, and reviewers' reliability beside crowd-kit's Dawid–Skene
    Consensus(Timed),
    /// How long a whole review takes with a model that takes a second for each answer
    Review(End),
    /// Reviews by a small real model: no figures, but whether every answer becomes a ballot or a recorded fault
    ReviewSmoke(review::SmokeArgs),
    /// One of the servers that a benchmark starts
    #[command(hide = true)]
    Serve {
        #[command(subcommand)]
        role: gateway::Role,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().bench {
        Bench::Ledger(args) => ledger::run(&args).await,
        Bench::Gateway(args) => gateway::run(&args).await,
        Bench::Reservations(args) => reservations::run(&args).await,
        Bench::Consensus(args) => consensus::run(&args),
        Bench::Review(args) => review::run(&args).await,
        Bench::ReviewSmoke(args) => review::smoke(&args).await,
        Bench::Serve { role } => gateway::serve(role).await,
    }
}
