//! A drill: one small AgentTask whose goal says who takes how long.

use crate::home::{Home, TEAM};
use crate::world::{World, text};
use anyhow::{Context as _, Result, bail};
use golden_scenarios::install::condition;
use golden_scenarios::tools::{Final, wait_for};
use serde_json::{Value, json};
use std::time::Duration;

/// What is ordered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Order {
    /// Sentences of the goal that the recorded model knows.
    pub(crate) words: &'static str,
    /// A guard that takes so many seconds.
    pub(crate) guard_seconds: Option<u32>,
    /// From a git repository and back to it.
    pub(crate) git: bool,
    /// Paid from the budget that is too small.
    pub(crate) small_purse: bool,
    /// A person must approve its result.
    pub(crate) approval: bool,
}

impl Order {
    pub(crate) const PLAIN: Self =
        Self { words: "", guard_seconds: None, git: false, small_purse: false, approval: false };
}

/// A submitted task.
#[derive(Clone, Debug)]
pub(crate) struct Drill {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) team_uid: String,
    pub(crate) git: bool,
}

impl Drill {
    /// Submits a task; what bore its name before goes first.
    pub(crate) fn again(world: &World, home: &Home, name: &str, order: Order) -> Result<Self> {
        let target = ["-n", &home.namespace, "agenttask", name];
        world.tools.kubectl(&[&["delete", "--ignore-not-found", "--timeout=60s"], &target[..]].concat())?;
        Self::submit(world, home, name, order)
    }

    /// Submits a task.
    pub(crate) fn submit(world: &World, home: &Home, name: &str, order: Order) -> Result<Self> {
        let manifest = world.tools.with_images(&manifest(&home.namespace, name, order).to_string());
        let made: Value = serde_json::from_str(&world.tools.apply(&manifest, &["-o", "json"])?)?;
        Ok(Self {
            namespace: home.namespace.clone(),
            name: name.to_owned(),
            uid: text(&made["metadata"]["uid"]).to_owned(),
            team_uid: home.team_uid.clone(),
            git: order.git,
        })
    }

    /// The task as the apiserver has it.
    pub(crate) fn object(&self, world: &World) -> Result<Value> {
        world.tools.get(&["-n", &self.namespace, "agenttask", &self.name])
    }

    /// The stage in the database; none before the orchestrator took the task in.
    pub(crate) fn stage(&self, world: &World) -> Result<Option<String>> {
        let rows = world.sql(&format!("SELECT stage FROM tasks WHERE task_uid = '{}'", self.uid))?;
        Ok(rows.first().map(|row| text(&row["stage"]).to_owned()))
    }

    /// Waits until the status says Complete. A task that Failed ends the wait.
    pub(crate) fn complete(&self, world: &World, limit: Duration) -> Result<()> {
        wait_for(&format!("{} to complete", self.name), limit, || {
            let task = self.object(world)?;
            if condition(&task, "Failed") == Some("True") {
                let conditions = serde_json::to_string(&task["status"]["conditions"])?;
                return Err(Final(format!("{} failed: {conditions}", self.name)).into());
            }
            Ok((condition(&task, "Complete") == Some("True")).then_some(()))
        })
    }

    /// Exports the record and lets `golden record verify` judge it.
    pub(crate) fn verify_record(&self, world: &World) -> Result<String> {
        let target = [&self.name[..], "-n", &self.namespace, "--uid", &self.uid];
        let record = world.tools.golden(&[&["record", "export"], &target[..]].concat())?;
        let file = world.evidence.join(format!("{}-{}.record.jsonl", self.name, self.uid));
        std::fs::create_dir_all(&world.evidence)?;
        std::fs::write(&file, &record).with_context(|| format!("cannot write {}", file.display()))?;
        let said = world.tools.golden(&["record", "verify", &file.display().to_string()])?;
        if record.lines().count() < 2 {
            bail!("the record of {} is empty", self.name);
        }
        // A whole record is no evidence of a fault; a broken one stays where the error says.
        let _ = std::fs::remove_file(&file);
        Ok(said.trim().to_owned())
    }
}

fn manifest(namespace: &str, name: &str, order: Order) -> Value {
    let branch = format!("golden/{namespace}-{name}");
    let mut spec = json!({
        "teamRef": {"name": TEAM},
        "goal": format!("Chaos drill. Write note.md. {}", order.words),
        "source": {"inline": {"files": [{"path": "README.md", "content": "# A drill\n"}]}},
        "limits": {"costMicroUSD": 1_000_000},
        "maxAttempts": 3, "deadlineSeconds": 1800,
    });
    if order.git {
        let git = json!({"url": "http://git.golden-demo/shop.git", "ref": "main", "secretRef": {"name": "git-read"}});
        spec["source"] = json!({"git": git});
        spec["delivery"] = json!({"git": {"branch": branch, "secretRef": {"name": "git-write"}}});
    }
    if let Some(seconds) = order.guard_seconds {
        spec["guards"] = json!([{
            "name": "patience", "image": "golden.local/golden-python:dev",
            "command": ["sleep", seconds.to_string()], "timeoutSeconds": 300,
        }]);
    }
    let purse = if order.small_purse { "small" } else { "full" };
    let approval = if order.approval { "needed" } else { "none" };
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTask",
        "metadata": {"name": name, "namespace": namespace, "labels": {"purse": purse, "approval": approval}},
        "spec": spec,
    })
}
