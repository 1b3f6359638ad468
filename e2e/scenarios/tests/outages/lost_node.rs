//! A node that does not report any more. The local cluster has one node only, so it is lost by freezing its kubelet:
//! for the control plane the node is gone, and its pods are given up after what they tolerate. The containers go on
//! for a while, as they do on a node that lost its network. The task's next pod waits until the node is back.

use crate::under_test::tools;
use golden_scenarios::faults::{delete, drill, inline, running_pod, wait_condition, wait_event};
use golden_scenarios::stories::{self, NAMESPACE};
use golden_scenarios::tools::wait_for;
use serde_json::json;
use std::process::Command;
use std::time::Duration;

const TEAM: &str = "lost-node";

/// A frozen kubelet; thawed when the test ends, however it does.
struct Frozen(u32);

impl Frozen {
    fn kubelet() -> Self {
        let pid = golden_cluster::process("kubelet").expect("the local cluster").pid.expect("kubelet runs");
        signal("-STOP", pid);
        Self(pid)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal("-CONT", self.0);
    }
}

fn signal(signal: &str, pid: u32) {
    let done = Command::new("kill").args([signal, &pid.to_string()]).status().expect("kill");
    assert!(done.success(), "kill {signal} {pid}");
}

#[test]
fn the_work_of_a_lost_node_is_done_again_once_there_is_a_node() {
    let tools = tools();
    let ours = [("agenttask", TEAM), ("agentteam", TEAM)];
    delete(&tools, NAMESPACE, &ours).expect("what an earlier run left is removed");
    // Its pods are given up at once; all others of the node are left alone for five minutes.
    let tolerate =
        |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1});
    let team = json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTeam",
        "metadata": {"name": TEAM, "namespace": NAMESPACE},
        "spec": {"roles": [{"name": "developer", "modelRef": {"provider": "shared", "model": "standard"}}],
            "placement": {"tolerations":
                [tolerate("node.kubernetes.io/unreachable"), tolerate("node.kubernetes.io/not-ready")]}}});
    tools.apply(&team.to_string(), &[]).expect("a team");
    tools
        .apply(&drill(TEAM, TEAM, &inline(), "The developer thinks for minutes.").to_string(), &[])
        .expect("a task");
    let first = running_pod(&tools, TEAM).expect("its agent works");

    let frozen = Frozen::kubelet();
    let seen = wait_event(&tools, TEAM, "NodeLost", Duration::from_mins(3)).and_then(|()| {
        wait_condition(&tools, TEAM, ("Reconciling", "True", "Retrying"), &["lost", "another one is made"])
    });
    drop(frozen);
    seen.unwrap_or_else(|e| panic!("{e:#}"));
    wait_for("another pod to run", Duration::from_mins(2), || {
        Ok(running_pod(&tools, TEAM).ok().filter(|pod| *pod != first))
    })
    .unwrap_or_else(|e| panic!("{e:#}"));
    let attempt = &stories::task(&tools, TEAM).expect("the task")["status"]["attempt"];
    assert_eq!(*attempt, 1, "a lost node is no fault of the attempt");
    delete(&tools, NAMESPACE, &ours).expect("removed");
}
