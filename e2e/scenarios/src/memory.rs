//! What Golden's pods need of memory, as the node counts it.
//!
//! The figure is the working set of a pod's cgroup (`memory.current` without the inactive part of the page cache),
//! which is what the kubelet reports, evicts by, and `kubectl top` shows. It holds the pod's sandbox process too.

use crate::install::NAMESPACE;
use crate::tools::Tools;
use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

/// The operator, idle, may use so much.
pub const OPERATOR_BAR: u64 = 60_000_000;
/// All of Golden's pods with one team, in the small profile and without stores, may use so much.
pub const TEAM_BAR: u64 = 250_000_000;

/// The stores that the chart can bring along.
const STORES: [&str; 3] = ["golden-postgres", "golden-redis", "golden-nats"];

/// Working sets in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    pub operator_bytes: u64,
    /// The operator and every other service of Golden, the team's included.
    pub golden_bytes: u64,
    pub golden_pods: usize,
    pub store_bytes: u64,
}

/// Asks every node's kubelet.
pub fn measure(tools: &Tools) -> Result<Memory> {
    let nodes = tools.get(&["nodes"])?;
    let names = nodes["items"].as_array().into_iter().flatten();
    let mut memory = Memory::default();
    for node in names.filter_map(|n| n["metadata"]["name"].as_str()) {
        let path = format!("/api/v1/nodes/{node}/proxy/stats/summary");
        memory.add(&tools.json(&["get", "--raw", &path])?);
    }
    Ok(memory)
}

impl Memory {
    /// Whether both figures keep their bars.
    pub fn holds(&self) -> bool {
        self.operator_bytes <= OPERATOR_BAR && self.golden_bytes <= TEAM_BAR
    }

    /// For people.
    pub fn text(&self) -> String {
        let mb = |bytes: u64| format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000);
        format!(
            "memory (working set of the pods' cgroups): operator {} (bar {}), Golden's {} pods with one team {} (bar {}), stores {}",
            mb(self.operator_bytes),
            mb(OPERATOR_BAR),
            self.golden_pods,
            mb(self.golden_bytes),
            mb(TEAM_BAR),
            mb(self.store_bytes),
        )
    }

    fn add(&mut self, summary: &Value) {
        for pod in summary["pods"].as_array().into_iter().flatten() {
            let name = pod["podRef"]["name"].as_str().unwrap_or_default();
            if pod["podRef"]["namespace"] != NAMESPACE {
                continue;
            }
            // A pod that has ended has no figure.
            let Some(bytes) = pod["memory"]["workingSetBytes"].as_u64() else { continue };
            if STORES.iter().any(|store| name.starts_with(store)) {
                self.store_bytes += bytes;
                continue;
            }
            self.golden_bytes += bytes;
            self.golden_pods += 1;
            if name.starts_with("golden-operator-") {
                self.operator_bytes += bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stores_and_strangers_are_not_goldens() {
        let pod = |namespace: &str, name: &str, bytes: u64| json!({"podRef": {"namespace": namespace, "name": name}, "memory": {"workingSetBytes": bytes}});
        let mut memory = Memory::default();
        memory.add(&json!({"pods": [
            pod(NAMESPACE, "golden-operator-7f-x", 8),
            pod(NAMESPACE, "orchestrator-core-1a2b3c4d-x", 4),
            pod(NAMESPACE, "golden-postgres-0", 100),
            pod("kube-system", "coredns-x", 1000),
            {"podRef": {"namespace": NAMESPACE, "name": "fetch-that-ended"}},
        ]}));
        let wanted = Memory { operator_bytes: 8, golden_bytes: 12, golden_pods: 2, store_bytes: 100 };
        assert_eq!(memory, wanted);
    }
}
