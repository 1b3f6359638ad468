//! `cargo xtask review-smoke`: a review by a small real model, which comes from PyPI and takes its time. No part of CI.

use crate::build;
use anyhow::{Context as _, Result, ensure};
use std::process::Command;

/// What to show.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show the model's answers as they came.
    #[arg(long)]
    answers: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    golden_cluster::packages::ensure()?;
    let mut smoke = Command::new(build::program("golden-bench", &[])?);
    smoke.arg("review-smoke").args(args.answers.then_some("--answers"));
    let status = smoke.status().context("cannot start the review")?;
    ensure!(status.success(), "the review ended with {status}");
    Ok(())
}
