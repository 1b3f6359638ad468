//! `golden submit`: server-side apply of AgentTasks from a manifest.

use super::client::Connection;
use anyhow::{Context as _, bail, ensure};
use golden_crds::AgentTask;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde::Deserialize as _;
use serde_json::Value;
use std::io::Read as _;

/// The largest manifest read, in bytes: above what etcd would keep.
const MAX_MANIFEST: u64 = 2 * 1024 * 1024;

/// What to submit.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Manifest of one AgentTask, YAML or JSON; `-` reads standard input.
    #[arg(short, long)]
    filename: String,
    /// Follow the task until it ends; exit code 1 if it fails.
    #[arg(short, long)]
    watch: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<u8> {
    let text = read(&args.filename)?;
    let (task, written) = parse(&text)?;
    let mut cluster = args.connection.connect().await?;
    if let Some(namespace) = task.namespace() {
        cluster.namespace = namespace;
    }
    let name = task.name_any();
    let applied = cluster
        .api::<AgentTask>()
        // As it was written: what this program does not know must not vanish on the way, but be accepted or refused.
        .patch(&name, &PatchParams::apply("golden-cli").validation_strict(), &Patch::Apply(&written))
        .await
        .with_context(|| format!("AgentTask {}/{name} was refused", cluster.namespace))?;
    println!("agenttask/{name} submitted by {}", applied.spec.submitted_by.as_deref().unwrap_or("(unknown)"));
    if args.watch {
        return super::watch::follow(&cluster, &name).await;
    }
    println!("follow it with: golden watch {name} -n {}", cluster.namespace);
    Ok(0)
}

fn read(filename: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    let size = if filename == "-" {
        std::io::stdin().take(MAX_MANIFEST + 1).read_to_string(&mut text)?
    } else {
        let file = std::fs::File::open(filename).with_context(|| format!("{filename} cannot be opened"))?;
        file.take(MAX_MANIFEST + 1).read_to_string(&mut text)?
    };
    ensure!(size as u64 <= MAX_MANIFEST, "{filename} is larger than {MAX_MANIFEST} bytes");
    Ok(text)
}

/// The task, and the manifest as it was written.
fn parse(text: &str) -> anyhow::Result<(AgentTask, Value)> {
    let value: Value =
        serde_saphyr::from_str(text).context("the manifest is not YAML or JSON of one object")?;
    match value.get("kind").and_then(Value::as_str) {
        Some("AgentTask") => {}
        Some(other) => {
            bail!("the manifest is of kind {other}; only AgentTasks are submitted, apply others with kubectl")
        }
        None => bail!("the manifest names no kind"),
    }
    let task = AgentTask::deserialize(&value)
        .context("the manifest is not an AgentTask: see `kubectl explain agenttask.spec`")?;
    ensure!(task.metadata.name.is_some(), "the manifest has no metadata.name");
    Ok((task, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_kinds_are_refused_by_name() {
        let error = parse("kind: Secret").expect_err("a Secret is no task").to_string();
        assert!(error.contains("Secret"), "{error}");
        assert!(parse("[1, 2]").is_err());
    }

    #[test]
    fn a_task_without_a_name_is_refused() {
        let text = include_str!("../../../../examples/tasks/small-budget.yaml");
        let error = parse(&text.replace("  name: small-budget\n", "")).expect_err("no name").to_string();
        assert!(error.contains("metadata.name"), "{error}");
    }

    #[test]
    fn the_example_is_an_agent_task() {
        let text = include_str!("../../../../examples/tasks/small-budget.yaml");
        assert_eq!(parse(text).expect("the example parses").0.name_any(), "small-budget");
    }
}
