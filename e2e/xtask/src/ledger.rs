//! `cargo xtask chaos ledger`: the ledger's service and its stores are killed under callers that repeat themselves.
//! It needs no cluster, and is a program of its own, since the ledger is in it.

use crate::build;
use anyhow::{Context as _, Result, ensure};
use std::process::Command;

pub(crate) const NAME: &str = "ledger";
pub(crate) const ABOUT: &str = "the ledger, its Postgres and its Redis killed under callers; no cluster; played alone, adds up in a journal";
const PACKAGE: &str = "golden-ledger-chaos";

/// Plays rounds, or lists what has been played.
pub(crate) fn run(seed: u64, operations: Option<u64>, list: bool) -> Result<()> {
    golden_cluster::packages::ensure()?;
    let mut program = Command::new(build::program(PACKAGE, &[])?);
    if list {
        program.arg("list");
    } else {
        program.args(["play", "--seed", &seed.to_string()]);
        program.args(operations.iter().flat_map(|n| ["--operations".to_owned(), n.to_string()]));
    }
    let status = program.status().with_context(|| format!("cannot start {PACKAGE}"))?;
    ensure!(status.success(), "chaos on the ledger ended with {status}");
    Ok(())
}
