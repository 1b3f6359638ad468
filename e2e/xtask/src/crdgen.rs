//! `cargo xtask crdgen`: writes the files made from the types, or compares them with what is committed. The work is
//! done by a program of the crate of the kinds, which alone needs a Kubernetes client.

use crate::cargo::cargo;
use anyhow::{Context as _, Result, ensure};

/// What to do with the generated files.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail if a committed file differs, is missing, or is of no kind.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "golden-crds", "--bin", "crdgen", "--"]);
    if args.check {
        command.arg("--check");
    }
    let status = command.status().context("cannot start cargo")?;
    ensure!(
        status.success(),
        "the generated files were not {}",
        if args.check { "the same" } else { "written" }
    );
    Ok(())
}
