//! What is kept of a run that failed: enough to understand it after the cluster is gone.

use crate::drill::Drill;
use crate::world::{World, text};
use golden_scenarios::install::NAMESPACE;
use std::path::PathBuf;

/// Lines of each log.
const LINES: &str = "--tail=400";

/// Writes everything into a folder of its own. What cannot be read is left out: the fault may be the reason.
pub(crate) fn keep(world: &World, drill: &Drill) -> PathBuf {
    let folder = world.evidence.join(format!("{}-{}", drill.name, drill.uid.get(..8).unwrap_or_default()));
    let _ = std::fs::create_dir_all(&folder);
    let write = |name: &str, content: String| {
        let _ = std::fs::write(folder.join(name), content);
    };
    let kubectl = |name: &str, args: &[&str]| {
        write(name, world.tools.kubectl(args).unwrap_or_else(|e| format!("{e:#}")));
    };
    let ns = &drill.namespace[..];
    kubectl("task.yaml", &["-n", ns, "get", "agenttask", &drill.name, "-o", "yaml"]);
    kubectl("namespace.txt", &["-n", ns, "get", "golden,pods,events", "-o", "wide"]);
    kubectl("golden-pods.txt", &["-n", NAMESPACE, "get", "pods", "-o", "wide"]);
    let uid = &drill.uid;
    for (table, order) in [
        ("tasks", "task_uid"),
        ("task_events", "seq"),
        ("facts", "id"),
        ("desired", "created_at"),
        ("outbox", "id"),
        ("reservations", "created_at"),
        ("reviews", "round"),
        ("ballots", "at"),
        ("escalations", "created_at"),
    ] {
        let rows = world.sql(&format!("SELECT * FROM {table} WHERE task_uid = '{uid}' ORDER BY {order}"));
        let shown = rows.map_or_else(|e| format!("{e:#}"), |rows| lines(&rows));
        write(&format!("{table}.jsonl"), shown);
    }
    let letters = world.sql(&format!("SELECT * FROM dead_letters WHERE team_uid = '{}'", drill.team_uid));
    write("dead_letters.jsonl", letters.map_or_else(|e| format!("{e:#}"), |rows| lines(&rows)));
    let streams = world.streams().map_or_else(|e| format!("{e:#}"), |all| lines(&all));
    write("streams.jsonl", streams);
    let pods = world.list(&["pods", "-n", NAMESPACE]).unwrap_or_default();
    for pod in pods.iter().map(|p| text(&p["metadata"]["name"])) {
        if pod.contains("golden-") || pod.contains(drill.team_uid.get(..8).unwrap_or_default()) {
            kubectl(&format!("{pod}.log"), &["-n", NAMESPACE, "logs", pod, LINES]);
            let before = world.tools.kubectl(&["-n", NAMESPACE, "logs", pod, LINES, "--previous"]);
            if let Ok(log) = before {
                write(&format!("{pod}.previous.log"), log);
            }
        }
    }
    folder
}

fn lines(rows: &[serde_json::Value]) -> String {
    rows.iter().fold(String::new(), |text, row| text + &row.to_string() + "\n")
}
