//! `golden watch`: one line for every change of a task, until it ends.

use super::client::{Cluster, Connection};
use anyhow::bail;
use futures::{StreamExt as _, pin_mut};
use golden_crds::agent_task::GuardStatus;
use golden_crds::{AgentTask, conditions};
use kube::runtime::{WatchStreamExt as _, watcher};

/// Which task to follow.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Name of the AgentTask.
    name: String,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<u8> {
    let cluster = args.connection.connect().await?;
    cluster.api::<AgentTask>().get(&args.name).await?;
    follow(&cluster, &args.name).await
}

/// Prints each change; 0 when the task completes, 1 when it fails or vanishes.
pub(crate) async fn follow(cluster: &Cluster, name: &str) -> anyhow::Result<u8> {
    let stream = watcher(
        cluster.api::<AgentTask>(),
        watcher::Config::default().fields(&format!("metadata.name={name}")),
    )
    .default_backoff();
    pin_mut!(stream);
    let mut last = String::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(watcher::Event::Apply(task) | watcher::Event::InitApply(task)) => {
                let line = describe(&task);
                if line != last {
                    println!("{line}");
                    last = line;
                }
                if let Some(code) = ended(&task) {
                    return Ok(code);
                }
            }
            Ok(watcher::Event::Delete(_)) => bail!("agenttask/{name} was deleted"),
            Ok(_) => {}
            Err(error) => eprintln!("watch interrupted, trying again: {error}"),
        }
    }
    Ok(1)
}

fn condition<'a>(
    task: &'a AgentTask,
    type_: &str,
) -> Option<&'a k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    task.status.as_ref()?.conditions.iter().find(|c| c.type_ == type_)
}

fn ended(task: &AgentTask) -> Option<u8> {
    let is_true = |type_| condition(task, type_).is_some_and(|c| c.status == "True");
    if is_true(conditions::COMPLETE) {
        return Some(0);
    }
    is_true(conditions::FAILED).then_some(1)
}

/// A guard with its verdict, and what that is worth.
fn guard(guard: &GuardStatus) -> String {
    let flaky = guard.verdict == "Passed" && !guard.failed_runs.is_empty();
    let aside = match &guard.quarantine {
        Some(_) => " (in quarantine)",
        None if flaky => " (flaky)",
        None => "",
    };
    format!("{} {}{aside}", guard.name, guard.verdict)
}

/// One line: stage, attempt, guards, review, cost, and what holds the task up, if anything does.
fn describe(task: &AgentTask) -> String {
    let Some(status) = &task.status else { return "waiting to be seen".into() };
    let mut parts = vec![status.stage.clone().unwrap_or_else(|| "Pending".into())];
    if let Some(attempt) = status.attempt.filter(|a| *a > 0) {
        parts.push(format!("attempt {attempt}"));
    }
    parts.extend(status.guards.iter().map(guard));
    if let Some(review) = &status.review {
        parts.push(format!(
            "review {} ({} for, {} against)",
            review.decision, review.approve_weight, review.reject_weight
        ));
    }
    if let Some(usage) = &status.usage {
        parts.push(usage.cost.clone());
    }
    let hindered = status.conditions.iter().find(|c| {
        (c.type_ == conditions::STALLED && c.status == "True")
            || (c.status == "False"
                && [conditions::ADMITTED, conditions::BUDGET_AVAILABLE, conditions::APPROVED]
                    .contains(&c.type_.as_str()))
            || (c.type_ == conditions::FAILED && c.status == "True")
    });
    if let Some(c) = hindered {
        parts.push(format!("{}: {}", c.reason, c.message));
    }
    parts.join(", ")
}
