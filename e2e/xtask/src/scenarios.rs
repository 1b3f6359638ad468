//! The end-to-end lane: Golden installed in the local cluster, and the scenarios played there.

use crate::build::Scope;
use crate::cargo::cargo;
use crate::demo;
use crate::lane::{self, Outcome};
use golden_scenarios::clock::Clock;
use golden_scenarios::install::Model;
use golden_scenarios::tools::Tools;
use std::process::Command;

/// Brings everything up, plays the scenarios, and takes the cluster down again unless told to keep it.
pub(crate) fn lanes(keep: bool) -> Vec<Outcome> {
    let mut installed = None;
    let mut lanes = vec![lane::check("install on the local cluster", || {
        let mut clock = Clock::start();
        let (found, images) = demo::local(Scope::Everything, &mut clock)?;
        demo::prepare(&found, &images, &Model::Recorded, &mut clock)?;
        installed = Some((found, images));
        Ok(())
    })];
    if let Some((tools, images)) = &installed {
        // Large, and for one scenario alone: no other command loads them unasked.
        lanes.push(lane::check("images of other makers' agents", || {
            crate::build::load(&golden_cluster::images::agents()?)
        }));
        lanes.push(lane::tests("scenarios", &mut tests(tools, "scenarios")));
        lanes.push(crate::chaos::lane(tools, images));
    }
    if !keep {
        lanes.push(lane::check("the cluster leaves nothing behind", || crate::cluster::down(false)));
    }
    lanes
}

/// One test binary of the scenarios, told which cluster is meant. What they say is shown as it comes: the stories' steps,
/// and at their end the memory and the writes to the apiserver, which are figures to read also when they hold.
pub(crate) fn tests(tools: &Tools, binary: &str) -> Command {
    let mut command = cargo();
    command
        .args(["test", "-p", "golden-scenarios", "--test", binary, "--", "--test-threads=1", "--nocapture"])
        .env("GOLDEN_TEST_KUBECTL", &tools.kubectl)
        .env("GOLDEN_TEST_HELM", &tools.helm)
        .env("GOLDEN_TEST_BINARY", &tools.golden);
    if let Some(path) = &tools.kubeconfig {
        command.env("GOLDEN_TEST_KUBECONFIG", path);
    }
    if let Some(path) = &tools.audit_log {
        command.env("GOLDEN_TEST_AUDIT_LOG", path);
    }
    command
}
