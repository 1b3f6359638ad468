//! `cargo xtask cluster`: the local Kubernetes alone.

use std::process::Command;

use anyhow::{Result, ensure};
use clap::{Subcommand, ValueEnum};

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Start the cluster, building and installing whatever is missing
    Up,
    /// Stop the cluster and remove every trace of it from the machine
    Down {
        /// Remove the cache too: built tools and images, evidence of chaos, environments of benchmarks
        #[arg(long)]
        purge: bool,
    },
    /// Show the cluster's processes
    Status {
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Keep the cluster's processes running (started by `up`)
    #[command(hide = true)]
    Supervise,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum Output {
    #[default]
    Table,
    Json,
}

pub(crate) fn run(action: &Action) -> Result<()> {
    match action {
        Action::Up => up(),
        Action::Down { purge } => down(*purge),
        Action::Status { output } => status(*output),
        Action::Supervise => golden_cluster::supervise(),
    }
}

/// The local cluster, brought up if need be; its kubeconfig.
pub(crate) fn ensure() -> Result<std::path::PathBuf> {
    golden_cluster::up(&supervisor())
}

fn up() -> Result<()> {
    let kubeconfig = ensure()?;
    println!("The cluster is ready. Use it with:\n\n  export KUBECONFIG={}", kubeconfig.display());
    println!("  export PATH={}:$PATH", golden_cluster::tools::ensure("kubernetes")?.display());
    Ok(())
}

/// This program itself, run as the supervisor.
pub(crate) fn supervisor() -> Command {
    // By its process, not by its file: cargo may have built that anew meanwhile, and the old one is gone.
    let mut command = Command::new(format!("/proc/{}/exe", std::process::id()));
    command.args(["cluster", "supervise"]);
    command
}

/// Takes the cluster down and counts what is left of it.
pub(crate) fn down(purge: bool) -> Result<()> {
    let left = golden_cluster::down()?;
    println!("Left over:");
    for (kind, entries) in left.kinds() {
        println!("  {:>4} {kind}", entries.len());
        for entry in entries {
            println!("         {entry}");
        }
    }
    ensure!(left.total() == 0, "{} things could not be removed; a reboot removes them", left.total());
    if purge {
        golden_cluster::purge()?;
    }
    Ok(())
}

fn status(output: Output) -> Result<()> {
    let status = golden_cluster::status()?;
    match output {
        Output::Table => print!("{}", status.table()),
        Output::Json => println!("{}", serde_json::to_string_pretty(&status)?),
    }
    Ok(())
}
