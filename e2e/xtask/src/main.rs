//! The developer's commands: `cargo xtask --help` lists them.

mod build;
mod cargo;
mod chaos;
mod cluster;
mod crdgen;
mod demo;
mod images;
mod lane;
mod scenarios;
mod test;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The developer's commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A real cluster, Golden in it, and three tasks run to Complete
    Demo(demo::Args),
    /// Everything that must hold, as CI runs it
    Test(test::Args),
    /// Processes killed and objects deleted while they hold work, and every promise checked after each
    Chaos(chaos::Args),
    /// The local Kubernetes alone
    #[command(subcommand)]
    Cluster(cluster::Action),
    /// Build the container images and load them into the local Kubernetes, or save them for another
    Images(images::Args),
    /// Write the files made from the types: the CustomResourceDefinitions and the API reference
    Crdgen(crdgen::Args),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Chaos(args) => chaos::run(&args),
        Command::Cluster(action) => cluster::run(&action),
        Command::Images(args) => images::run(&args),
        Command::Crdgen(args) => crdgen::run(&args),
    }
}
