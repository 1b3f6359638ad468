//! A call that waits too long for money: its pod is freed with the work saved, and another goes on from there.

use crate::support::tools;
use golden_scenarios::faults::{delete, wait_condition};
use golden_scenarios::stories::{self, NAMESPACE};
use golden_scenarios::tools::{Tools, wait_for};
use serde_json::{Value, json};
use std::time::Duration;

const NAME: &str = "patient";

/// The shortest grace there is.
fn policy() -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "GovernancePolicy", "metadata": {"name": NAME},
        "spec": {
            "priority": 20,
            "taskSelector": {"matchLabels": {"pays": NAME}},
            "review": {"voters": [{"role": "reviewer"}], "quorumPercent": 50, "approvePercent": 50},
            "pause": {"graceSeconds": 10},
        }
    })
}

/// Some of the agent's calls fit into 23,000 at their upper bound, and not all four.
fn budget(limit: i64) -> Value {
    json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "Budget",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"limits": {"costMicroUSD": limit}, "period": "Total", "onExhausted": "Pause",
            "selector": {"matchLabels": {"pays": NAME}}}})
}

fn task() -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTask",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"pays": NAME}},
        "spec": {"teamRef": {"name": "core"}, "goal": "Write a CONTRIBUTING guide for this repository.",
            "source": {"inline": {"files": [{"path": "README.md", "content": "# shop\nTests: `python3 -m pytest`.\n"}]}}}
    })
}

/// Phases of the task's run pods, by name.
fn pods(tools: &Tools) -> anyhow::Result<Vec<(String, String)>> {
    let pods = tools.get(&["-n", NAMESPACE, "pods"])?;
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let of_task = |p: &&Value| p["metadata"]["ownerReferences"][0]["name"] == NAME;
    let mut found: Vec<(String, String)> = pods["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(of_task)
        .map(|p| (text(&p["metadata"]["name"]), text(&p["status"]["phase"])))
        .collect();
    found.sort();
    Ok(found)
}

/// Calls of the agent that were paid.
fn calls(tools: &Tools) -> i64 {
    let text = tools.golden(&["cost", NAME, "-n", NAMESPACE, "-o", "json"]).expect("cost");
    let lines: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let of_agent = lines.iter().filter(|l| l["role"] == "developer");
    of_agent.map(|l| l["calls"].as_i64().expect("calls")).sum()
}

#[test]
fn a_pod_that_waits_too_long_for_money_is_freed_and_its_work_goes_on() {
    let tools = tools();
    let remove = || {
        let objects = [("agenttask", NAME), ("budget", NAME), ("governancepolicy", NAME)];
        delete(&tools, NAMESPACE, &objects).expect("what an earlier run left is removed");
    };
    remove();
    for object in [policy(), budget(23_000), task()] {
        tools.apply(&object.to_string(), &[]).expect("accepted");
    }
    let words = ["Budget checkout/patient lacks", "its pod was freed at"];
    wait_condition(&tools, NAME, ("Stalled", "True", "PodFreed"), &words).expect("its pod is freed");
    wait_condition(&tools, NAME, ("BudgetAvailable", "False", "BudgetExhausted"), &words).expect("told");
    wait_for("the pod to end", Duration::from_secs(30), || {
        let running = pods(&tools)?.iter().any(|(_, phase)| phase == "Running" || phase == "Pending");
        Ok((!running).then_some(()))
    })
    .expect("nothing of it runs");
    let before = calls(&tools);
    assert!((1..4).contains(&before), "the work was under way: {before} calls");

    tools.apply(&budget(500_000).to_string(), &[]).expect("the budget is raised");
    stories::wait_complete(&tools, NAME).expect("it goes on by itself");
    let status = &stories::task(&tools, NAME).expect("the task")["status"];
    assert_eq!(status["attempt"], 1, "{status:#}");
    assert_eq!(calls(&tools), 4, "no answer was paid twice: the conversation went on");
    let pods = pods(&tools).expect("pods");
    assert!(pods.iter().any(|(name, _)| name.ends_with("-a1-t2")), "a new try of the same attempt: {pods:?}");
    remove();
}
