//! What is known of a task that has not begun: its object says what it waits for, and there is no record yet.

use super::client::Cluster;
use super::explain::condition;
use super::output::{Format, json};
use super::votes::one_line;
use golden_crds::conditions::{ADMITTED, is_true};
use golden_crds::{AgentTask, AgentTaskStatus};
use kube::ResourceExt as _;

/// Tells of the task, or gives the error back if that is not why golden-api knows none.
pub(crate) async fn explain(
    cluster: &Cluster,
    name: &str,
    output: Format,
    error: anyhow::Error,
) -> anyhow::Result<u8> {
    let Some(task) = unadmitted(cluster, name).await else { return Err(error) };
    if output == Format::Json {
        return json(&serde_json::json!({"task": {"name": name, "spec": task.spec, "status": task.status}}));
    }
    print!("{}", render(&task));
    Ok(0)
}

/// Characters of a condition's message, which is the answer here.
const MOST_MESSAGE: usize = 1024;

/// The task of that name, if there is one that was not admitted.
pub(crate) async fn unadmitted(cluster: &Cluster, name: &str) -> Option<AgentTask> {
    let task = cluster.api::<AgentTask>().get_opt(name).await.ok()??;
    let admitted = task.status.as_ref().is_some_and(|status| is_true(&status.conditions, ADMITTED));
    (!admitted).then_some(task)
}

fn render(task: &AgentTask) -> String {
    let none = AgentTaskStatus::default();
    let status = task.status.as_ref().unwrap_or(&none);
    let mut text = format!(
        "{}/{}: {}\n  goal        {}\n  submitted   by {}\n",
        task.namespace().unwrap_or_default(),
        task.name_any(),
        status.stage.as_deref().unwrap_or("Pending"),
        one_line(&task.spec.goal, 90),
        task.spec.submitted_by.as_deref().unwrap_or("nobody"),
    );
    if let Some(forecast) = &status.forecast {
        text.push_str(&format!("  forecast    {}\n", forecast.cost));
    }
    if let Some(asked) = &status.escalation {
        text.push_str(&format!(
            "  question    {}: {} before {}, then {} (golden approve, golden deny)\n",
            asked.reason,
            asked.options.join(", "),
            asked.deadline,
            asked.default_option
        ));
    }
    text.push_str("\nconditions\n");
    for c in &status.conditions {
        text.push_str(&condition([&c.type_, &c.status, &c.reason, &c.message], MOST_MESSAGE));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_task_that_has_not_begun_shows_its_forecast_what_is_asked_and_why_it_waits() {
        let task = serde_json::from_value(json!({
            "apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTask",
            "metadata": {"name": "fix", "namespace": "checkout"},
            "spec": {"teamRef": {"name": "core"}, "goal": "mend it", "submittedBy": "alice",
                "source": {"inline": {"files": []}}},
            "status": {
                "stage": "Pending",
                "conditions": [{"type": "Admitted", "status": "False", "reason": "ForecastExceedsBudget",
                    "message": "Budget a/b has $0.10 left", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                "forecast": {"p50CostMicroUSD": 1, "p90CostMicroUSD": 2, "basis": 5, "cost": "$0.05, p90 $0.12"},
                "escalation": {"reason": "ForecastExceedsBudget", "options": ["Start", "Wait", "Refuse"],
                    "deadline": "2026-01-02T00:00:00Z", "defaultOption": "Wait", "digest": "sha256:a"},
            },
        }))
        .unwrap();
        let text = render(&task);
        for line in [
            "checkout/fix: Pending",
            "  submitted   by alice",
            "  forecast    $0.05, p90 $0.12",
            "  question    ForecastExceedsBudget: Start, Wait, Refuse before 2026-01-02T00:00:00Z, then Wait",
            "  Admitted           False    ForecastExceedsBudget    Budget a/b has $0.10 left",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
