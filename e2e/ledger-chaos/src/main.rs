//! Plays rounds of chaos on the ledger. Started by `cargo xtask chaos ledger`.

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use golden_ledger_chaos::{Plan, journal, play, serve};

/// Questions of one round. A database of its own for each keeps rounds short enough to be judged and played again.
const ROUND: u64 = 50_000;

#[derive(Parser)]
#[command(name = "golden-ledger-chaos", about = "Chaos on the ledger")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play rounds and write them into the journal
    Play {
        /// Decides what is asked, which limits are edited, and which faults come when.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Questions in all; a round of its own, with the next seed, for every 50,000.
        #[arg(long, default_value_t = ROUND)]
        operations: u64,
        #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=512))]
        callers: u16,
        /// Processes of the service on one database; one of an even seed and two of an odd one where none is given,
        /// since one alone decides from what it remembers, and two rarely can.
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=8))]
        replicas: Option<u8>,
    },
    /// What has been played so far
    List,
    /// Serve a ledger until standard input ends
    #[command(hide = true)]
    Serve {
        #[arg(long)]
        database_url: String,
        #[arg(long)]
        redis_url: String,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Play { seed, operations, callers, replicas } => {
            rounds(seed, operations, callers.into(), replicas.map(usize::from)).await
        }
        Command::List => {
            print!("{}", journal::table(&journal::read(&journal::path())?));
            Ok(())
        }
        Command::Serve { database_url, redis_url } => serve(&database_url, &redis_url).await,
    }
}

/// Both ways of deciding are played as often.
fn replicas_of(seed: u64) -> usize {
    if seed.is_multiple_of(2) { 1 } else { 2 }
}

async fn rounds(first: u64, whole: u64, callers: usize, replicas: Option<usize>) -> Result<()> {
    let (journal, commit, program) = (journal::path(), journal::commit(), std::env::current_exe()?);
    let mut failed = 0;
    for (round, seed) in (0..whole.div_ceil(ROUND)).zip(first..) {
        let operations = ROUND.min(whole - round * ROUND);
        let plan =
            Plan { seed, operations, callers, replicas: replicas.unwrap_or_else(|| replicas_of(seed)) };
        let outcome = play(plan, &program).await?;
        journal::write(&journal, &commit, plan, &outcome)?;
        let faults: u64 = outcome.faults.values().sum();
        println!(
            "seed {seed}: {} operations on {} calls, {} with less than the whole, {} edits, {faults} faults in {} s, {} found in Redis; answers {:?}",
            outcome.operations,
            outcome.calls,
            outcome.lowered,
            outcome.edits,
            outcome.seconds,
            outcome.recalled,
            outcome.answers
        );
        for problem in outcome.problems.iter().take(20) {
            println!("  {problem}");
        }
        if !outcome.problems.is_empty() {
            failed += 1;
            println!(
                "  {} problems; play it again: cargo xtask chaos ledger --seed {seed} --operations {operations}",
                outcome.problems.len()
            );
        }
    }
    if failed > 0 {
        bail!("{failed} rounds broke a promise");
    }
    Ok(())
}
