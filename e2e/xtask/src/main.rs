//! The developer's commands: `cargo xtask --help` lists them.

mod bench;
mod binaries;
mod build;
mod cargo;
mod chaos;
mod cluster;
mod crdgen;
mod demo;
mod images;
mod lane;
mod ledger;
mod review_smoke;
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
    /// A real cluster, Golden in it, and four stories of tasks
    Demo(demo::Args),
    /// Everything that must hold, as CI runs it
    Test(test::Args),
    /// Processes killed and objects deleted while they hold work, and every promise checked after each
    Chaos(chaos::Args),
    /// What it can bear, measured beside what it is compared with
    Bench(bench::Args),
    /// A review by a small real model from PyPI: every answer becomes a ballot or a recorded fault
    ReviewSmoke(review_smoke::Args),
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
        Command::Bench(args) => bench::run(&args),
        Command::ReviewSmoke(args) => review_smoke::run(&args),
        Command::Cluster(action) => cluster::run(&action),
        Command::Images(args) => images::run(&args),
        Command::Crdgen(args) => crdgen::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;
    use clap::Parser as _;
    use std::path::Path;

    #[test]
    fn every_command_the_pages_show_exists_with_its_flags() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut count = 0;
        for page in
            ["README.md", "docs/quick-start.md", "docs/agents.md", "docs/benchmarks.md", "docs/reviews.md"]
        {
            let text = std::fs::read_to_string(root.join(page)).unwrap();
            for line in text.lines().filter_map(|line| Some(line.split_once("cargo xtask ")?.1)) {
                // In a sentence, or before a remark.
                let command = line.split(['`', '#', '|']).next().unwrap_or_default();
                count += 1;
                let words = ["cargo xtask"].into_iter().chain(command.split_whitespace());
                if let Err(error) = Arguments::try_parse_from(words) {
                    panic!("{page}: cargo xtask {line}: {error}");
                }
            }
        }
        assert!(count > 8, "only {count} commands were found");
    }
}
