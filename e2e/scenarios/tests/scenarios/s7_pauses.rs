//! A call that waits too long for money: its pod is freed with the work saved, and another goes on from there, be it the
//! built-in agent's or one of the team's own.

use crate::support::tools;
use golden_scenarios::faults::{delete, wait_condition};
use golden_scenarios::stories::{self, NAMESPACE};
use golden_scenarios::tools::{Tools, wait_for};
use serde_json::{Value, json};
use std::time::Duration;

/// A task, its team and its goal. The first is of a team that works with the built-in agent, whose first call of two
/// takes eight seconds; the other's team has an agent of its own. Each has a Budget of its name.
const TASKS: [(&str, &str, &str); 2] = [
    ("patient", "core", "Chaos drill. The developer thinks a while."),
    ("patient-shell", "shell", "Write a CONTRIBUTING guide for this repository."),
];
/// Enough for all calls, and for none, in micro-USD.
const ENOUGH: i64 = 500_000;
const NOTHING: i64 = 1;

/// An agent that asks once, and knows what it did before.
const AGENT: &str = r##"
import json, os, pathlib, subprocess, urllib.request
begun, prompt = pathlib.Path("begun.md"), pathlib.Path("/golden/prompt.md").read_text()
assert begun.exists() == ("was interrupted and goes on now" in prompt)
if not begun.exists():
    begun.write_text("begun\n")
    subprocess.Popen(["sleep", "1000"])
ask = {"model": "m", "max_tokens": 4096, "stream": True, "messages": [
    {"role": "system", "content": "Role: developer\nAttempt: 1"},
    {"role": "user", "content": "Write a CONTRIBUTING guide for this repository."}]}
call = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps(ask).encode(),
    {"content-type": "application/json"})
urllib.request.urlopen(call).read()
pathlib.Path("CONTRIBUTING.md").write_text("# Contributing\n\n## Run the tests\n`python3 -m pytest`\n")
"##;

/// The shortest grace there is.
fn policy() -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "GovernancePolicy", "metadata": {"name": "patient"},
        "spec": {
            "priority": 20,
            "taskSelector": {"matchLabels": {"patience": "short"}},
            "review": {"voters": [{"role": "reviewer"}], "quorumPercent": 50, "approvePercent": 50},
            "pause": {"graceSeconds": 10},
        }
    })
}

fn team() -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTeam",
        "metadata": {"name": "shell", "namespace": NAMESPACE},
        "spec": {"maxConcurrentTasks": 1, "roles": [{
            "name": "developer", "modelRef": {"provider": "shared", "model": "standard"},
            "agent": {"image": "golden.local/golden-python:dev", "command": ["python3", "-c", AGENT]},
        }]}
    })
}

fn budget(name: &str, limit: i64) -> Value {
    json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "Budget",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"limits": {"costMicroUSD": limit}, "period": "Total", "onExhausted": "Pause",
            "selector": {"matchLabels": {"pays": name}}}})
}

fn task(name: &str, team: &str, goal: &str) -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTask",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"pays": name, "patience": "short"}},
        "spec": {"teamRef": {"name": team}, "goal": goal,
            "source": {"inline": {"files": [{"path": "README.md", "content": "# shop\nTests: `python3 -m pytest`.\n"}]}}}
    })
}

/// Run pods of a task: name and phase.
fn pods(tools: &Tools, task: &str) -> anyhow::Result<Vec<(String, String)>> {
    let pods = tools.get(&["-n", NAMESPACE, "pods"])?;
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let of_task = |p: &&Value| p["metadata"]["ownerReferences"][0]["name"] == task;
    let found = pods["items"].as_array().into_iter().flatten().filter(of_task);
    Ok(found.map(|p| (text(&p["metadata"]["name"]), text(&p["status"]["phase"]))).collect())
}

/// Calls of the task's agent that are in this state.
fn calls(tools: &Tools, task: &str, state: &str) -> anyhow::Result<i64> {
    let text = tools.golden(&["cost", task, "-n", NAMESPACE, "-o", "json"])?;
    let lines: Vec<Value> = serde_json::from_str(&text)?;
    let of_agent = lines.iter().filter(|l| l["role"] == "developer" && l["state"] == state);
    Ok(of_agent.filter_map(|l| l["calls"].as_i64()).sum())
}

fn remove(tools: &Tools) {
    let mut objects: Vec<(&str, &str)> = TASKS.iter().map(|(name, ..)| ("agenttask", *name)).collect();
    objects.extend(TASKS.iter().map(|(name, ..)| ("budget", *name)));
    objects.extend([("agentteam", "shell"), ("governancepolicy", "patient")]);
    delete(tools, NAMESPACE, &objects).expect("what an earlier run left is removed");
}

/// What a person sees of a pause, and that nothing runs meanwhile.
fn is_freed(tools: &Tools, name: &str) {
    let words = [&format!("Budget {NAMESPACE}/{name} lacks"), "its pod was freed at"];
    wait_condition(tools, name, ("Stalled", "True", "PodFreed"), &words).expect("its pod is freed");
    wait_condition(tools, name, ("BudgetAvailable", "False", "BudgetExhausted"), &words).expect("told");
    wait_for("the pod to end", Duration::from_secs(30), || {
        let runs = |(_, phase): &(String, String)| phase == "Running" || phase == "Pending";
        Ok((!pods(tools, name)?.iter().any(runs)).then_some(()))
    })
    .expect("nothing of it runs");
}

#[test]
fn a_pod_that_waits_too_long_for_money_is_freed_and_its_work_goes_on() {
    let tools = tools();
    remove(&tools);
    for object in [team(), policy(), budget("patient", ENOUGH), budget("patient-shell", NOTHING)] {
        tools.apply(&object.to_string(), &[]).expect("accepted");
    }
    for (name, team, goal) in TASKS {
        tools.apply(&task(name, team, goal).to_string(), &[]).expect("accepted");
    }
    wait_for("the first call to be under way", Duration::from_mins(1), || {
        Ok((calls(&tools, "patient", "Dispatched")? == 1).then_some(()))
    })
    .expect("it is");
    tools.apply(&budget("patient", NOTHING).to_string(), &[]).expect("the budget is lowered");
    for (name, ..) in TASKS {
        is_freed(&tools, name);
    }
    let settled = |name: &str| calls(&tools, name, "Settled").expect("cost");
    assert_eq!(
        (settled("patient"), settled("patient-shell")),
        (1, 0),
        "the work was under way, or had begun"
    );

    for (name, ..) in TASKS {
        tools.apply(&budget(name, ENOUGH).to_string(), &[]).expect("the budget is raised");
    }
    for (name, ..) in TASKS {
        stories::wait_complete(&tools, name).expect("it goes on by itself");
        let status = &stories::task(&tools, name).expect("the task")["status"];
        assert_eq!(status["attempt"], 1, "{status:#}");
        let pods = pods(&tools, name).expect("pods");
        assert!(pods.iter().any(|(pod, _)| pod.ends_with("-a1-t2")), "a try of the same attempt: {pods:?}");
    }
    assert_eq!(settled("patient"), 2, "no answer was paid twice: the conversation went on");
    let diff = tools.golden(&["diff", "patient-shell", "-n", NAMESPACE]).expect("a diff");
    assert!(diff.contains("+begun"), "what the first pod wrote is there: {diff}");
    remove(&tools);
}
