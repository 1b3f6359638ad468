//! `golden explain`: what happened to a task and why, told from its record.

use super::one_task::OneTask;
use super::output::{Format, dollars, json};
use super::unadmitted;
use super::votes::{self, one_line, short};
use golden_ledger::MicroUsd;
use golden_ledger::forecast::Forecast;
use serde_json::Value;

pub(crate) async fn run(args: OneTask) -> anyhow::Result<u8> {
    let cluster = args.connection.connect().await?;
    let path = format!("tasks/{}", args.name);
    let task: Value = match cluster.get(&path).await {
        Ok(task) => task,
        Err(error) => return unadmitted::explain(&cluster, &args.name, args.output, error).await,
    };
    let events: Vec<Value> = cluster.get(&format!("{path}/events")).await?;
    let votes: Value = cluster.get(&format!("{path}/votes")).await?;
    let cost: Vec<Value> = cluster.get(&format!("{path}/cost")).await?;
    if args.output == Format::Json {
        return json(&serde_json::json!({"task": task, "events": events, "votes": votes, "cost": cost}));
    }
    print!("{}", render(&task, &events, &votes, &cost));
    Ok(0)
}

fn render(task: &Value, events: &[Value], votes: &Value, cost: &[Value]) -> String {
    let of = |key: &str| task[key].as_str().unwrap_or_default();
    let mut text =
        format!("{}/{}: {}\n", of("namespace"), of("name"), task["outcome"].as_str().unwrap_or(of("stage")));
    text.push_str(&format!(
        "  goal        {}\n",
        one_line(task["spec"]["goal"].as_str().unwrap_or_default(), 90)
    ));
    text.push_str(&format!("  submitted   by {} at {}\n", of("submittedBy"), of("createdAt")));
    if let Some(result) = task["view"]["result"].as_object() {
        let field = |key: &str| result.get(key).and_then(Value::as_str).unwrap_or("-");
        text.push_str(&format!(
            "  result      {} on branch {}, commit {}\n",
            short(field("digest")),
            field("branch"),
            field("commit")
        ));
    }
    let spent: i64 = cost.iter().filter_map(|c| c["costMicroUSD"].as_i64()).sum();
    let calls: i64 = cost.iter().filter_map(|c| c["calls"].as_i64()).sum();
    text.push_str(&format!("  cost        {} in {calls} calls\n", dollars(spent)));
    if let Some(line) = forecast(&task["forecast"], spent, task["outcome"].is_string()) {
        text.push_str(&format!("  forecast    {line}\n"));
    }
    text.push_str("\nconditions\n");
    for c in task["view"]["conditions"].as_array().into_iter().flatten() {
        let of = |key: &str| c[key].as_str().unwrap_or_default();
        text.push_str(&condition([of("type"), of("status"), of("reason"), of("message")], 120));
    }
    text.push_str("\nrecord\n");
    for event in events {
        text.push_str(&format!(
            "  {:>4}  {:.19}  {:<22} {}\n",
            event["seq"].to_string(),
            event["at"].as_str().unwrap_or_default(),
            event["kind"].as_str().unwrap_or_default(),
            one_line(&summary(&event["body"]), 110)
        ));
    }
    text.push('\n');
    text.push_str(&votes::render(votes));
    text
}

/// What the task was expected to cost and, once it has ended, how far off that was.
fn forecast(told: &Value, spent: i64, ended: bool) -> Option<String> {
    let amount = |key: &str| told[key].as_i64().map(MicroUsd);
    let basis = told["basis"].as_u64().and_then(|b| u32::try_from(b).ok())?;
    let told = Forecast { p50: amount("p50CostMicroUSD")?, p90: amount("p90CostMicroUSD")?, basis };
    let mut line = match basis {
        0 => format!("at most {}: too few like tasks were complete", dollars(told.p90.0)),
        _ => format!("{}, p90 {}, from {basis} like tasks", dollars(told.p50.0), dollars(told.p90.0)),
    };
    if let Some(miss) = told.miss(MicroUsd(spent)).filter(|_| ended) {
        let beyond = if miss.covered { "" } else { ", and more than the p90" };
        line.push_str(&format!("; it was off by {} % of the cost{beyond}", miss.percent));
    }
    Some(line)
}

/// The telling fields of an entry, without long texts.
fn summary(body: &Value) -> String {
    let Some(fields) = body.as_object() else { return body.to_string() };
    let parts: Vec<String> = fields
        .iter()
        .filter(|(key, _)| {
            !["excerpt", "patch", "goal", "spec", "policy", "team", "prompt"].contains(&key.as_str())
        })
        .filter_map(|(key, value)| match value {
            Value::String(s) if s.starts_with("sha256:") => Some(format!("{key}={}", short(s))),
            Value::String(s) if !s.is_empty() => Some(format!("{key}={s}")),
            Value::Number(n) => Some(format!("{key}={n}")),
            Value::Bool(b) => Some(format!("{key}={b}")),
            _ => None,
        })
        .collect();
    parts.join(" ")
}

/// A condition on a line: type, status, reason, and so many characters of the message.
pub(super) fn condition([kind, status, reason, message]: [&str; 4], most: usize) -> String {
    format!("  {kind:<18} {status:<8} {reason:<24} {}\n", one_line(message, most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(task: &Value, spent: i64) -> String {
        let cost = [json!({"costMicroUSD": spent, "calls": 3})];
        let text = render(task, &[], &json!({}), &cost);
        text.lines().filter(|line| line.starts_with("  forecast")).collect()
    }

    #[test]
    fn the_forecast_stands_beside_the_cost_with_its_error_once_the_task_has_ended() {
        let forecast = json!({"p50CostMicroUSD": 50_000, "p90CostMicroUSD": 120_000, "basis": 41});
        let mut task = json!({"forecast": forecast, "outcome": null});
        let open = "  forecast    $0.05, p90 $0.12, from 41 like tasks";
        assert_eq!(told(&task, 100_000), open);
        task["outcome"] = json!("Complete");
        assert_eq!(told(&task, 100_000), format!("{open}; it was off by 50 % of the cost"));
        let beyond = "; it was off by 75 % of the cost, and more than the p90";
        assert_eq!(told(&task, 200_000), format!("{open}{beyond}"));
        assert_eq!(told(&task, 0), open, "nothing was spent: of that no share can be taken");
    }

    #[test]
    fn a_bound_says_that_it_is_one_and_an_older_task_has_no_forecast() {
        let bound = json!({"p50CostMicroUSD": 9, "p90CostMicroUSD": 9, "basis": 0});
        let line = told(&json!({"forecast": bound}), 1);
        assert_eq!(line, "  forecast    at most $0.000009: too few like tasks were complete");
        assert_eq!(told(&json!({"forecast": null}), 1), "");
        assert_eq!(told(&json!({}), 1), "");
    }
}
