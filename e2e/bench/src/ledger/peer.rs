//! DBOS, a library for durable steps on the same Postgres: what one gets without a ledger of one's own.

use super::ground::fresh;
use super::{BOUND, COST};
use crate::report::Arm;
use crate::venv::{installed, output};
use anyhow::{Context as _, Result};
use golden_cluster::services::Postgres;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const REQUIREMENT: &str = "dbos==3.4.0";
pub(crate) const NAME: &str = "DBOS, 64 callers";
const CALLERS: &str = "64";

pub(crate) fn spend(server: &Arc<Postgres>, seconds: f64) -> Result<Arm> {
    let python = installed(REQUIREMENT)?.join("python");
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
