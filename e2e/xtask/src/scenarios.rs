//! The end-to-end lane: Golden installed in the local cluster, and the scenarios played there.

use crate::demo;
use crate::lane::{self, Outcome};
use golden_scenarios::install::Model;
use golden_scenarios::tools::Tools;
use std::process::Command;
use std::time::Instant;

/// Brings everything up, plays the scenarios, and takes the cluster down again unless told to keep it.
pub(crate) fn lanes(keep: bool) -> Vec<Outcome> {
    let mut tools = None;
    let mut lanes = vec![lane::check("install on the local cluster", || {
        let start = Instant::now();
        let (found, images) = demo::local()?;
        demo::prepare(&found, &images, &Model::Recorded, start)?;
        tools = Some(found);
        Ok(())
    })];
    if let Some(tools) = &tools {
        lanes.push(lane::tests("scenarios", &mut tests(tools)));
    }
    if !keep {
        lanes.push(lane::check("the cluster leaves nothing behind", || crate::cluster::down(false)));
    }
    lanes
}

fn tests(tools: &Tools) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["test", "-p", "golden-scenarios", "--test", "scenarios", "--", "--test-threads=1"])
        .env("GOLDEN_TEST_KUBECTL", &tools.kubectl)
        .env("GOLDEN_TEST_HELM", &tools.helm)
        .env("GOLDEN_TEST_BINARY", &tools.golden);
    if let Some(path) = &tools.kubeconfig {
        command.env("GOLDEN_TEST_KUBECONFIG", path);
    }
    command
}
