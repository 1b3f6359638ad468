//! DBOS, a library for durable steps on the same Postgres: what one gets without a ledger of one's own.

use super::ground::fresh;
use super::{BOUND, COST};
use crate::report::Arm;
use anyhow::{Context as _, Result, ensure};
use golden_cluster::{paths, services::Postgres};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const VERSION: &str = "3.4.0";
pub(crate) const NAME: &str = "DBOS, 64 callers";
const CALLERS: &str = "64";

pub(crate) fn spend(server: &Arc<Postgres>, seconds: f64) -> Result<Arm> {
    let python = installed()?;
    let url = fresh(server)?;
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer/dbos_spend.py");
    let mut command = Command::new(&python);
    command.arg(&program).args([&url, &seconds.to_string(), CALLERS, &BOUND.to_string(), &COST.to_string()]);
    let said = output(&mut command)?;
    let line = said.lines().last().context("DBOS said nothing")?;
    let figures: Value = serde_json::from_str(line).with_context(|| format!("DBOS said {line}"))?;
    let mut arm = Arm::new(NAME);
    for metric in ["spends_per_s", "p50_ms", "p99_ms"] {
        arm.set(metric, figures[metric].as_f64().with_context(|| format!("DBOS said no {metric}"))?);
    }
    arm.count("overspend_micro_usd", figures["overspend_micro_usd"].as_i64().context("no overspend")?);
    Ok(arm)
}

/// A Python with DBOS in it, kept for the next run.
fn installed() -> Result<PathBuf> {
    let home = paths::cache()?.join("bench").join(format!("dbos-{VERSION}"));
    let python = home.join("bin/python");
    let ready = home.join("ready");
    if ready.is_file() {
        return Ok(python);
    }
    output(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&home))
        .context("python3 with venv")?;
    let package = format!("dbos=={VERSION}");
    output(Command::new(&python).args(["-m", "pip", "install", "--quiet", &package]))?;
    std::fs::write(&ready, VERSION)?;
    Ok(python)
}

fn output(command: &mut Command) -> Result<String> {
    let said = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let errors = String::from_utf8_lossy(&said.stderr);
    let end = errors.lines().rev().take(3).collect::<Vec<_>>().join(" | ");
    ensure!(said.status.success(), "{} ended with {}: {end}", command.get_program().display(), said.status);
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}
