//! What a task costs the apiserver: its audit log, counted by who wrote.
//!
//! Counted are the requests that changed the AgentTask, its status or one of its own pods (attempt, fetch, delivery).
//! SandboxRuns with their pods and events are reported beside, and so is what every pod of a cluster costs whoever made it: the
//! scheduler's binding and the kubelet's own reports.

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// Writes to a task and its pods over its life.
pub const BAR: u64 = 8;

/// Writes in one group: `user verb resource` and how often.
pub type Counts = BTreeMap<String, u64>;

/// The writes that one task cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Writes {
    /// By people and Golden, to the task and its pods: what the bar is about.
    pub own: Counts,
    /// SandboxRuns of the task and their pods.
    pub sandbox: Counts,
    /// The scheduler and the node, for all those pods.
    pub cluster: Counts,
    /// Events about the task and all those pods, by whoever tells them.
    pub events: Counts,
}

/// Which objects belong to the task.
struct Task<'a> {
    namespace: &'a str,
    name: &'a str,
    /// What the names of its children begin with.
    prefix: String,
}

/// Counts the writes of a task in an audit log.
pub fn count(log: &Path, task: &Value) -> Result<Writes> {
    let text = |path: &str| {
        task["metadata"][path].as_str().with_context(|| format!("the task has no metadata.{path}"))
    };
    let (namespace, name, uid) = (text("namespace")?, text("name")?, text("uid")?);
    let head: String = name.chars().take(30).collect();
    let prefix = format!("{}-{}-", head.trim_end_matches(['-', '.']), uid.get(..8).context("no uid")?);
    // An earlier task of the name is not counted: names of children carry the uid, the task's own time tells.
    let task = Task { namespace, name, prefix };
    let created = text("creationTimestamp")?;
    let file = std::fs::File::open(log).with_context(|| format!("cannot read {}", log.display()))?;
    let mut writes = Writes::default();
    for line in BufReader::new(file).lines() {
        // A line that is being written is not JSON yet; it is of no time we count.
        if let Ok(entry) = serde_json::from_str::<Value>(&line?)
            && succeeded(&entry)
            && entry["requestReceivedTimestamp"].as_str().is_some_and(|at| at.get(..19) >= created.get(..19))
        {
            writes.add(&entry, &task);
        }
    }
    Ok(writes)
}

impl Writes {
    /// Writes to the task and its pods by people and Golden.
    pub fn total(&self) -> u64 {
        self.own.values().sum()
    }

    /// For people: one line a group.
    pub fn text(&self, name: &str) -> String {
        let group = |counts: &Counts| {
            let parts: Vec<_> = counts.iter().map(|(what, n)| format!("{n} {what}")).collect();
            if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
        };
        format!(
            "apiserver writes to {name} and its pods (audit log): {} (bar {BAR}): {}\n  its sandbox runs, beside: {}\n  scheduler and node, beside: {}\n  events, beside: {}",
            self.total(),
            group(&self.own),
            group(&self.sandbox),
            group(&self.cluster),
            group(&self.events),
        )
    }

    fn add(&mut self, entry: &Value, task: &Task<'_>) {
        let object = &entry["objectRef"];
        let of = |field: &str| object[field].as_str().unwrap_or_default();
        let (resource, name) = (of("resource"), of("name"));
        if resource == "events" {
            return self.add_event(entry, task);
        }
        let child = name.starts_with(&task.prefix);
        let sandbox = child && (resource == "sandboxruns" || !is_own_pod(&name[task.prefix.len()..]));
        let own = match resource {
            "agenttasks" => name == task.name && of("namespace") == task.namespace,
            "pods" | "sandboxruns" => child,
            _ => false,
        };
        if !own {
            return;
        }
        let user = entry["user"]["username"].as_str().unwrap_or("?");
        let counts = match (is_clusters(user), sandbox) {
            (true, _) => &mut self.cluster,
            (false, true) => &mut self.sandbox,
            (false, false) => &mut self.own,
        };
        let subresource = of("subresource");
        let slash = if subresource.is_empty() { "" } else { "/" };
        let verb = entry["verb"].as_str().unwrap_or("?");
        *counts.entry(format!("{} {verb} {resource}{slash}{subresource}", short(user))).or_default() += 1;
    }
}

impl Writes {
    /// An event is named after what it is about, and a part of its own behind the last dot.
    fn add_event(&mut self, entry: &Value, task: &Task<'_>) {
        let name = entry["objectRef"]["name"].as_str().unwrap_or_default();
        let about = name.rsplit_once('.').map_or(name, |(about, _)| about);
        if about == task.name || about.starts_with(&task.prefix) {
            let user = short(entry["user"]["username"].as_str().unwrap_or("?"));
            let verb = entry["verb"].as_str().unwrap_or("?");
            *self.events.entry(format!("{user} {verb}")).or_default() += 1;
        }
    }
}

/// Whether what follows the task's part of a pod's name is `‹what›-t‹try›`; a guard's name would stand behind that.
fn is_own_pod(rest: &str) -> bool {
    rest.split('-').count() == 2
}

fn succeeded(entry: &Value) -> bool {
    entry["stage"] == "ResponseComplete" && entry["responseStatus"]["code"].as_i64().is_some_and(|c| c < 300)
}

/// Kubernetes' own parts, which handle every pod alike.
fn is_clusters(user: &str) -> bool {
    user.starts_with("system:node:")
        || user.starts_with("system:kube-")
        || user.starts_with("system:serviceaccount:kube-system:")
}

/// `golden-operator` of `system:serviceaccount:golden-system:golden-operator`.
fn short(user: &str) -> &str {
    user.strip_prefix("system:serviceaccount:")
        .map_or(user, |rest| rest.split_once(':').map_or(rest, |(_, n)| n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(user: &str, verb: &str, resource: &str, name: &str, subresource: &str, code: i64) -> Value {
        json!({"stage": "ResponseComplete", "verb": verb, "user": {"username": user},
            "requestReceivedTimestamp": "2026-01-01T00:00:05.000000Z", "responseStatus": {"code": code},
            "objectRef": {"resource": resource, "namespace": "checkout", "name": name, "subresource": subresource}})
    }

    #[test]
    fn a_task_and_its_pods_are_counted_by_user() {
        let operator = "system:serviceaccount:golden-system:golden-operator";
        let mut old = entry("alice", "create", "agenttasks", "fix", "", 201);
        old["requestReceivedTimestamp"] = json!("2025-01-01T00:00:00.000000Z");
        let entries = [
            old,
            entry("alice", "create", "agenttasks", "fix", "", 201),
            entry("alice", "create", "agenttasks", "another", "", 201),
            entry(operator, "patch", "agenttasks", "fix", "status", 200),
            entry(operator, "patch", "agenttasks", "fix", "status", 409),
            entry(operator, "create", "pods", "fix-01234567-a1-t1", "", 201),
            entry(operator, "create", "pods", "fix-01234567-fetch-t1", "", 201),
            entry(operator, "create", "pods", "fix-01234567-a1-t1-unit-tests", "", 201),
            entry(operator, "create", "pods", "fix-76543210-a1-t1", "", 201),
            entry("system:kube-scheduler", "create", "pods", "fix-01234567-a1-t1", "binding", 201),
            entry("system:node:n", "patch", "pods", "fix-01234567-a1-t1", "status", 200),
            entry(operator, "create", "events", "fix.18f0a1b2c3", "", 201),
            entry("system:node:n", "create", "events", "fix-01234567-a1-t1.18f0", "", 201),
            entry(operator, "create", "events", "another.18f0a1b2c3", "", 201),
        ];
        let mut log = tempfile::NamedTempFile::new().unwrap();
        for entry in &entries {
            use std::io::Write as _;
            writeln!(log, "{entry}").unwrap();
        }
        let task = json!({"metadata": {"namespace": "checkout", "name": "fix",
            "uid": "01234567-89ab-cdef-0123-456789abcdef", "creationTimestamp": "2026-01-01T00:00:05Z"}});
        let writes = count(log.path(), &task).unwrap();
        let counts =
            |pairs: &[(&str, u64)]| -> Counts { pairs.iter().map(|(k, n)| ((*k).into(), *n)).collect() };
        assert_eq!(
            writes.own,
            counts(&[
                ("alice create agenttasks", 1),
                ("golden-operator create pods", 2),
                ("golden-operator patch agenttasks/status", 1),
            ])
        );
        assert_eq!(writes.total(), 4);
        assert_eq!(writes.sandbox, counts(&[("golden-operator create pods", 1)]));
        assert_eq!(writes.cluster.values().sum::<u64>(), 2);
        assert_eq!(writes.events, counts(&[("golden-operator create", 1), ("system:node:n create", 1)]));
    }
}
