//! A cluster without gVisor: nothing runs until a policy names a weaker class, and then the status says so.
//!
//! The cluster under test has gVisor, so the policy of these tasks asks for a class that is not there at first.

use crate::support::tools;
use golden_scenarios::install::find_condition;
use golden_scenarios::stories::{self, NAMESPACE};
use golden_scenarios::tools::wait_for;
use serde_json::{Value, json};
use std::time::Duration;

const CLASS: &str = "shared-kernel";

fn policy() -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "GovernancePolicy", "metadata": {"name": "weaker"},
        "spec": {
            "priority": 20,
            "taskSelector": {"matchLabels": {"isolation": "weaker"}},
            "review": {"voters": [{"role": "reviewer"}], "quorumPercent": 50, "approvePercent": 50},
            "guards": {"required": [{"name": "kernel", "image": "golden.local/golden-python:dev",
                "command": ["python3", "-c", "import os; print(os.uname().version)"]}]},
            "sandbox": {"runtimeClassName": CLASS},
        }
    })
}

fn task() -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTask",
        "metadata": {"name": "weaker", "namespace": NAMESPACE, "labels": {"isolation": "weaker"}},
        "spec": {"teamRef": {"name": "core"}, "goal": "Write a CONTRIBUTING guide for this repository.",
            "source": {"inline": {"files": [{"path": "README.md", "content": "# shop\nTests: `python3 -m pytest`.\n"}]}}}
    })
}

#[test]
fn a_weaker_isolation_is_refused_until_it_is_there_by_name_and_then_shown() {
    let tools = tools();
    let remove = || {
        for what in [["agenttask", "weaker"], ["governancepolicy", "weaker"], ["runtimeclass", CLASS]] {
            let args = [&["-n", NAMESPACE, "delete"][..], &what, &["--ignore-not-found", "--timeout=60s"]];
            tools.kubectl(&args.concat()).expect("what an earlier run left is removed");
        }
    };
    remove();
    tools.apply(&policy().to_string(), &[]).expect("a policy");
    tools.apply(&task().to_string(), &[]).expect("a task");
    let why = wait_for("the task to miss its class", Duration::from_mins(1), || {
        let task = stories::task(&tools, "weaker")?;
        Ok(find_condition(&task, "Stalled").filter(|c| c["status"] == "True").cloned())
    })
    .expect("the task says what it lacks");
    assert_eq!(why["reason"], "RuntimeClassNotFound", "{why}");
    assert!(why["message"].as_str().is_some_and(|m| m.contains(CLASS)), "{why}");

    let class = json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": CLASS},
        "handler": "runc"});
    tools.apply(&class.to_string(), &[]).expect("a runtime class");
    stories::wait_complete(&tools, "weaker").expect("it goes on by itself");
    let status = &stories::task(&tools, "weaker").expect("the task")["status"];
    assert_eq!(status["isolation"], CLASS, "{status:#}");
    remove();
}
