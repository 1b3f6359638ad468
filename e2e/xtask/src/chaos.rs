//! `cargo xtask chaos`: kills and deletions on a cluster with Golden in it.

use crate::build::{self, Scope};
use crate::lane::{self, Outcome};
use crate::{demo, ledger, scenarios};
use anyhow::{Result, bail, ensure};
use golden_chaos::{Options, SCENARIOS, World};
use golden_scenarios::clock::Clock;
use golden_scenarios::fit::Fit;
use golden_scenarios::install::{self, Images, Model};
use golden_scenarios::stories;
use golden_scenarios::tools::Tools;
use std::time::Duration;

/// Values of the chart that only drills want: the end of a call that nobody saw is settled after a minute.
const VALUES: [&str; 1] = ["ledger.dispatchedSeconds=60"];

/// The name for the outages among the runs.
const OUTAGES: &str = "outages";

/// Which faults, and in which order.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Names of runs; all that need a cluster where none is given. `ledger` needs none, and is played alone.
    names: Vec<String>,
    /// Decides the order and the moment of each kill.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Play the choice so many times, each time with the next seed.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    runs: u64,
    /// Only the few that `cargo xtask test` plays.
    #[arg(long)]
    short: bool,
    /// Only list the runs; of `ledger`, what has been played so far.
    #[arg(long)]
    list: bool,
    /// Of `ledger`: questions in all, in rounds of 50,000 with a seed each.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    operations: Option<u64>,
    /// How to end: a table, or one JSON object.
    #[arg(short, long, default_value = "table")]
    output: Output,
    /// Golden is installed already with what drills want: do not build and install.
    #[arg(long)]
    installed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Table,
    Json,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.names == [ledger::NAME] {
        return ledger::run(args.seed, args.operations, args.list);
    }
    ensure!(args.operations.is_none(), "--operations is for `cargo xtask chaos {}` alone", ledger::NAME);
    let (outages, names): (Vec<_>, Vec<_>) = args.names.iter().cloned().partition(|name| name == OUTAGES);
    let all = args.names.is_empty() && !args.short;
    let outages = all || !outages.is_empty();
    let drills = all || args.short || !names.is_empty();
    let options = Options { seed: args.seed, runs: args.runs, names, short: args.short };
    let choice = options.choice()?;
    if args.list {
        for scenario in choice {
            println!("{:<20} {}", scenario.name, scenario.about);
        }
        println!("{OUTAGES:<20} what takes minutes each: a node that is lost");
        println!("{:<20} {}", ledger::NAME, ledger::ABOUT);
        return Ok(());
    }
    let mut clock = Clock::start();
    let (tools, images) =
        if args.installed { installed()? } else { demo::local(Scope::Programs, &mut clock)? };
    if !args.installed {
        prepare(&tools, &images, &clock)?;
    }
    let mut failed = if outages { play_outages(&tools)? } else { 0 };
    if drills {
        let report = play(&tools, &options, &clock)?;
        failed += report.failed() as u64;
        match args.output {
            Output::Table => print!("\n{}", report.table()),
            Output::Json => println!("{}", serde_json::to_string(&report)?),
        }
    }
    if failed > 0 {
        bail!("{failed} failed");
    }
    Ok(())
}

/// How many failed of those that need the examples' team and minutes each.
fn play_outages(tools: &Tools) -> Result<u64> {
    install::platform(tools, &Model::Recorded)?;
    Ok(lane::tests(OUTAGES, &mut scenarios::tests(tools, OUTAGES)).failed)
}

/// The local cluster as it is.
fn installed() -> Result<(Tools, Images)> {
    let binaries = build::binaries(Scope::Programs)?;
    let tools = Tools {
        kubectl: golden_cluster::tools::program("kubernetes", "kubectl")?,
        helm: golden_cluster::tools::program("helm", "helm")?,
        golden: binaries.golden.clone(),
        kubeconfig: Some(golden_cluster::admin_kubeconfig()?),
        context: None,
        audit_log: Some(golden_cluster::audit_log()?),
        fit: Fit::default(),
    };
    Ok((tools, build::names(&binaries)?))
}

/// Golden and the demo's parts, without its stories.
fn prepare(tools: &Tools, images: &Images, clock: &Clock) -> Result<()> {
    clock.say("installing the charts, a git server and the recorded model");
    install::charts(tools, images, &VALUES)?;
    install::demo_parts(tools)?;
    // Their images are named alike from tree to tree: only a new pod runs this tree's.
    stories::restart_parts(tools)?;
    install::provider(tools, &Model::Recorded)
}

/// The short runs as a lane of the tests. The seed is fixed: a test that fails must fail again.
pub(crate) fn lane(tools: &Tools, images: &Images) -> Outcome {
    println!("\n==> chaos");
    let clock = Clock::start();
    let options = Options { seed: 1, runs: 1, short: true, ..Options::default() };
    let played = prepare(tools, images, &clock).and_then(|()| play(tools, &options, &clock));
    let (passed, failed) = match played {
        Ok(report) => {
            print!("\n{}", report.table());
            (report.runs.len() - report.failed(), report.failed())
        }
        Err(error) => {
            println!("chaos: {error:#}");
            (0, 1)
        }
    };
    let took = Duration::from_secs(clock.seconds());
    Outcome { name: "chaos".into(), passed: passed as u64, failed: failed as u64, took }
}

fn play(tools: &Tools, options: &Options, clock: &Clock) -> Result<golden_chaos::Report> {
    let evidence = golden_cluster::paths::evidence()?;
    let world = World { tools: tools.clone(), evidence };
    clock.say(&format!("seed {}, {} of {} runs", options.seed, options.choice()?.len(), SCENARIOS.len()));
    golden_chaos::run(&world, options, &mut |line| clock.say(line))
}
