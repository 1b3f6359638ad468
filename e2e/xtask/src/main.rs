//! The developer's commands: `cargo xtask --help` lists them.

mod cluster;
mod images;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The developer's commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The local Kubernetes alone
    #[command(subcommand)]
    Cluster(cluster::Action),
    /// Build the container images and load them into the local Kubernetes
    Images,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Cluster(action) => cluster::run(&action),
        Command::Images => images::run(),
    }
}
