//! `cargo xtask bench`: benchmarks, which are a program of their own: it is compiled as what is shipped, while this one
//! stays quick to build.

use crate::build;
use anyhow::{Context as _, Result, bail};
use std::process::Command;

/// Which benchmark, and how to end.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    name: Name,
    /// End with one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// How long each arm, or each of its figures, is measured.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=600))]
    seconds: Option<u16>,
    /// Of `gateway`: measure only these arms, such as `axum-proxy,golden`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Fail if a bar does not hold.
    #[arg(long)]
    strict: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Name {
    /// Durable spends on one Postgres: raw disk, raw inserts, naive rows, ours, a peer, a killed database
    Ledger,
    /// Calls on one upstream: direct, through a plain proxy, through ours, through LiteLLM; and its budget races on both
    Gateway,
    /// How much of a budget is spent before the first call is held, over callers and budgets
    Reservations,
    /// Decisions, exact power, and reviewers' reliability beside crowd-kit's Dawid–Skene
    Consensus,
    /// How long a whole review takes with a model that takes a second for each answer
    Review,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if matches!(args.name, Name::Reservations | Name::Review) && args.seconds.is_some() {
        bail!("this benchmark plays a fixed amount of work: leave out --seconds");
    }
    if !matches!(args.name, Name::Gateway) && !args.only.is_empty() {
        bail!("only `gateway` has arms to choose from: leave out --only");
    }
    golden_cluster::packages::ensure()?;
    let mut bench = Command::new(build::program("golden-bench", &["--profile", "bench"])?);
    bench.arg(match args.name {
        Name::Ledger => "ledger",
        Name::Gateway => "gateway",
        Name::Reservations => "reservations",
        Name::Consensus => "consensus",
        Name::Review => "review",
    });
    bench.args(args.json.then_some("--json")).args(args.strict.then_some("--strict"));
    if let Some(seconds) = args.seconds {
        bench.args(["--seconds", &seconds.to_string()]);
    }
    if !args.only.is_empty() {
        bench.args(["--only", &args.only.join(",")]);
    }
    let status = bench.status().context("cannot start the benchmark")?;
    if !status.success() {
        bail!("the benchmark ended with {status}");
    }
    Ok(())
}
