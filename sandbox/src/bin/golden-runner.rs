//! The runner alone, as tests of this crate start it; the product's binary is `golden`.

use clap::Parser;
use std::process::ExitCode;

#[derive(Parser)]
enum Cli {
    #[command(subcommand)]
    Runner(golden_sandbox::runner::Command),
}

fn main() -> anyhow::Result<ExitCode> {
    let Cli::Runner(command) = Cli::parse();
    golden_sandbox::runner::run(command)
}
