//! What a person sees of a task that cannot go on: a condition, an event, and then its end once it is mended.

use crate::stories::{NAMESPACE, task};
use crate::tools::{Final, Tools, wait_for};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;

/// Events of one reason about one task that still are a series and no flood.
const MOST_EVENTS: usize = 5;

/// An event follows its condition at once.
pub const EVENT: Duration = Duration::from_secs(20);

/// A small task that the recorded model knows: an agent writes a note, four peers approve of it.
pub fn drill(name: &str, team: &str, source: &Value, words: &str) -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTask",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"change": "document", "drill": "faults"}},
        "spec": {"teamRef": {"name": team}, "goal": format!("Chaos drill. {words}"), "source": source}
    })
}

/// A source of one file.
pub fn inline() -> Value {
    json!({"inline": {"files": [{"path": "README.md", "content": "# shop\n"}]}})
}

/// Waits until a condition of the task is true (or has another `status`) with this reason and words in its message.
pub fn wait_condition(
    tools: &Tools,
    name: &str,
    (kind, status, reason): (&str, &str, &str),
    words: &[&str],
) -> Result<()> {
    wait_for(&format!("{name} to be {kind}={status} with {reason}"), Duration::from_mins(2), || {
        let task = task(tools, name)?;
        let conditions = task["status"]["conditions"].as_array().cloned().unwrap_or_default();
        if let Some(failed) = conditions.iter().find(|c| c["type"] == "Failed" && c["status"] == "True") {
            return Err(Final(format!("{name} failed: {failed}")).into());
        }
        let found = conditions.iter().find(|c| c["type"] == kind);
        let Some(condition) = found.filter(|c| c["status"] == status && c["reason"] == reason) else {
            let seen: Vec<String> = conditions
                .iter()
                .map(|c| format!("{}={}/{}: {}", c["type"], c["status"], c["reason"], c["message"]))
                .collect();
            anyhow::bail!("{}", seen.join("; "));
        };
        let message = condition["message"].as_str().unwrap_or_default();
        for word in words {
            if !message.contains(word) {
                return Err(Final(format!("{name}: {reason} does not say {word:?}: {message}")).into());
            }
        }
        Ok(Some(()))
    })
}

/// The run pod of a task, once its agent works.
pub fn running_pod(tools: &Tools, name: &str) -> Result<String> {
    wait_for(&format!("a running pod of {name}"), Duration::from_secs(90), || {
        let pods = tools.get(&["-n", NAMESPACE, "pods"])?;
        let of_task = |p: &&Value| {
            p["metadata"]["ownerReferences"][0]["name"] == name
                && p["metadata"]["deletionTimestamp"].is_null()
                && p["status"]["phase"] == "Running"
        };
        let pods = pods["items"].as_array().cloned().unwrap_or_default();
        Ok(pods.iter().find(of_task).and_then(|p| p["metadata"]["name"].as_str().map(str::to_owned)))
    })
}

/// Waits for a warning of this reason about the task; there are few of it, however long the fault lasted.
pub fn wait_event(tools: &Tools, name: &str, reason: &str, limit: Duration) -> Result<()> {
    let selector = format!("regarding.kind=AgentTask,regarding.name={name},reason={reason}");
    wait_for(&format!("an event {reason} about {name}"), limit, || {
        let events = tools.get(&["-n", NAMESPACE, "events.events.k8s.io", "--field-selector", &selector])?;
        let items = events["items"].as_array().cloned().unwrap_or_default();
        ensure!(items.len() <= MOST_EVENTS, "{} events {reason} about {name}", items.len());
        Ok(items.iter().any(|e| e["type"] == "Warning").then_some(()))
    })
}

/// A fault as it must be seen: stalled, for this reason, in these words, with an event.
pub fn wait_stalled(tools: &Tools, name: &str, reason: &str, words: &[&str]) -> Result<()> {
    wait_condition(tools, name, ("Stalled", "True", reason), words)?;
    wait_event(tools, name, reason, EVENT)
}

/// Deletes what scenarios of faults leave in the namespace of the stories.
pub fn delete(tools: &Tools, namespace: &str, objects: &[(&str, &str)]) -> Result<()> {
    for (kind, name) in objects {
        tools.kubectl(&["-n", namespace, "delete", kind, name, "--ignore-not-found", "--timeout=90s"])?;
    }
    Ok(())
}
