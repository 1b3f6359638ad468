//! `cargo xtask test`: everything that must hold, the quick things first, the local cluster last.

use crate::binaries;
use crate::cargo::cargo;
use crate::lane::{self, Outcome};
use anyhow::{Result, bail};
use golden_cluster::{images, services, tools};
use std::time::Instant;

/// How much is run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Stop before the local cluster: format, lints, unit and property tests, real stores, a real apiserver.
    #[arg(long)]
    fast: bool,
    /// Leave the cluster running at the end.
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    let mut lanes = vec![
        lane::command("format", cargo().args(["fmt", "--all", "--check"])),
        lane::check("tools for the tests", prepare),
        lane::command(
            "lints",
            cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        ),
        binaries::lane("unit, property, stores, apiserver"),
    ];
    if !args.fast {
        lanes.push(lane::tests(
            "local cluster",
            cargo().args(["test", "-p", "golden-cluster", "--test", "cluster"]),
        ));
        lanes.extend(crate::scenarios::lanes(args.keep));
    }
    report(&lanes, start)
}

/// What the integration tests start: built or installed before them, so that no test waits for a compiler.
fn prepare() -> Result<()> {
    for tool in ["kubernetes", "etcd", "nats", "helm"] {
        tools::ensure(tool)?;
    }
    images::fetch_agents()?;
    services::install()
}

fn report(lanes: &[Outcome], start: Instant) -> Result<()> {
    println!();
    for lane in lanes {
        println!(
            "{:<36} {:>5} passed {:>3} failed {:>6} s",
            lane.name,
            lane.passed,
            lane.failed,
            lane.took.as_secs()
        );
    }
    println!("in all {} s\n", start.elapsed().as_secs());
    let passed: u64 = lanes.iter().map(|l| l.passed).sum();
    let failed: u64 = lanes.iter().map(|l| l.failed).sum();
    println!("{passed} passed, {failed} failed");
    if failed > 0 {
        bail!("{failed} failed");
    }
    Ok(())
}
