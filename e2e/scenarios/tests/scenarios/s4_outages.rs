//! What fails around a task: stores, the model, a pod. It is said, and the task goes on by itself once that is over.

use crate::support::{asked_only_what_is_recorded, tools};
use golden_scenarios::faults::{
    EVENT, delete, drill, inline, running_pod, wait_condition, wait_event, wait_stalled,
};
use golden_scenarios::install::{NAMESPACE as GOLDEN, find_condition};
use golden_scenarios::stories::{self, NAMESPACE};
use golden_scenarios::tools::{Tools, wait_for};
use serde_json::json;
use std::time::Duration;

const TASKS: [&str; 5] = ["no-model", "evicted", "no-database", "no-messaging", "no-cache"];

fn remove(tools: &Tools) {
    let tasks = TASKS.map(|name| ("agenttask", name));
    delete(tools, NAMESPACE, &tasks).expect("what an earlier run left is removed");
}

fn submit(tools: &Tools, name: &str, words: &str) {
    tools.apply(&drill(name, "core", &inline(), words).to_string(), &[]).expect("a task is accepted");
}

fn scale(tools: &Tools, namespace: &str, what: &str, replicas: u8) {
    let to = format!("--replicas={replicas}");
    tools.kubectl(&["-n", namespace, "scale", what, &to, "--timeout=60s"]).expect("scaled");
}

fn back(tools: &Tools, namespace: &str, what: &str) {
    scale(tools, namespace, what, 1);
    tools.kubectl(&["-n", namespace, "rollout", "status", what, "--timeout=120s"]).expect("it is back");
}

fn see(result: anyhow::Result<()>) {
    result.unwrap_or_else(|e| panic!("{e:#}"));
}

/// The eviction API, as a drain of the node uses it.
fn evict(tools: &Tools, pod: &str) {
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": {"name": pod, "namespace": NAMESPACE}});
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), eviction.to_string()).expect("written");
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction");
    tools
        .kubectl(&["create", "--raw", &path, "-f", &file.path().display().to_string()])
        .expect("the eviction is granted");
}

#[test]
fn a_model_that_is_away_and_an_evicted_pod_are_said_and_cost_no_attempt() {
    let tools = tools();
    remove(&tools);
    submit(&tools, "evicted", "The developer thinks a while.");
    let pod = running_pod(&tools, "evicted").expect("its agent works");
    evict(&tools, &pod);
    see(wait_event(&tools, "evicted", "PodEvicted", EVENT));
    see(wait_condition(&tools, "evicted", ("Reconciling", "True", "Retrying"), &["pod", "lost"]));
    see(stories::wait_complete(&tools, "evicted"));

    asked_only_what_is_recorded(&tools);
    scale(&tools, "golden-demo", "deployment/golden-model", 0);
    submit(&tools, "no-model", "");
    let seen = wait_stalled(&tools, "no-model", "ModelUnreachable", &["golden-system/shared", "check"]);
    back(&tools, "golden-demo", "deployment/golden-model");
    see(seen);
    for name in ["evicted", "no-model"] {
        see(stories::wait_complete(&tools, name));
        let attempt = &stories::task(&tools, name).expect("the task")["status"]["attempt"];
        assert_eq!(*attempt, 1, "{name}: an outage is no fault of the attempt");
    }
    remove(&tools);
}

#[test]
fn a_store_that_is_away_is_said_and_nothing_is_lost() {
    let tools = tools();
    remove(&tools);
    // Nothing of a task rests in Redis, so that its outage is none of a task.
    scale(&tools, GOLDEN, "statefulset/golden-redis", 0);
    submit(&tools, "no-cache", "");
    let complete = stories::wait_complete(&tools, "no-cache");
    // The provider's limits are counted by each replica of the gateway for itself meanwhile, which the provider says.
    let alone = limits_are(&tools, "False", "CacheUnreachable");
    let doctor = tools.golden(&["doctor"]);
    back(&tools, GOLDEN, "statefulset/golden-redis");
    see(complete);
    see(alone);
    // It complains of Redis too, and prints what it saw first.
    let told = doctor.unwrap_or_else(|error| format!("{error:#}"));
    assert!(told.contains("CacheUnreachable"), "{told}");
    see(limits_are(&tools, "True", "Shared"));

    // Sources and results rest in NATS.
    scale(&tools, GOLDEN, "statefulset/golden-nats", 0);
    submit(&tools, "no-messaging", "");
    let seen = any_stalled(&tools, "no-messaging", &["ArtifactStoreUnreachable", "MessagingUnreachable"]);
    back(&tools, GOLDEN, "statefulset/golden-nats");
    see(seen);
    see(stories::wait_complete(&tools, "no-messaging"));

    // Left alone, the server waits for its clients to go.
    scale(&tools, GOLDEN, "statefulset/golden-postgres", 0);
    let now = ["-n", GOLDEN, "delete", "pod", "golden-postgres-0", "--grace-period=1", "--ignore-not-found"];
    tools.kubectl(&now).expect("it goes at once");
    submit(&tools, "no-database", "");
    let seen = any_stalled(&tools, "no-database", &["DatabaseUnreachable"]);
    back(&tools, GOLDEN, "statefulset/golden-postgres");
    see(seen);
    see(stories::wait_complete(&tools, "no-database"));
    remove(&tools);
}

/// Waits until the recorded model's provider says so of its limits.
fn limits_are(tools: &Tools, status: &str, reason: &str) -> anyhow::Result<()> {
    wait_for(&format!("shared to be LimitsShared={status} with {reason}"), Duration::from_mins(1), || {
        let provider = tools.get(&["-n", GOLDEN, "modelprovider", "shared"])?;
        let limits = find_condition(&provider, "LimitsShared");
        Ok(limits.filter(|c| c["status"] == status && c["reason"] == reason).map(|_| ()))
    })
}

/// One of these: which store call comes first is chance.
fn any_stalled(tools: &Tools, name: &str, reasons: &[&str]) -> anyhow::Result<()> {
    let reason = wait_for(&format!("{name} to be stalled for {reasons:?}"), Duration::from_secs(90), || {
        let task = stories::task(tools, name)?;
        let stalled = find_condition(&task, "Stalled").filter(|c| c["status"] == "True");
        let why = stalled.and_then(|c| c["reason"].as_str()).unwrap_or_default();
        Ok(reasons.iter().find(|r| **r == why).map(|r| (*r).to_owned()))
    })?;
    wait_event(tools, name, &reason, EVENT)
}
