//! What there is: rows, pods, the team; and the inputs of an admission while there is none.

use super::inputs::{Inputs, gather};
use super::pods::is_terminal;
use super::rows::{Rows, read};
use crate::context::Context;
use crate::effects::bounded;
use crate::error::Error;
use golden_crds::conditions::{COMPLETE, FAILED, STALLED, find, is_true};
use golden_crds::conditions::{agent_task as task_reasons, sandbox_run};
use golden_crds::labels::TASK_UID;
use golden_crds::{AgentTask, AgentTeam, SandboxRun};
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use std::sync::Arc;
use uuid::Uuid;

/// Everything a decision about a task rests on.
pub(crate) struct Seen {
    pub(crate) task: Arc<AgentTask>,
    pub(crate) uid: Uuid,
    pub(crate) rows: Rows,
    pub(crate) pods: Vec<Arc<Pod>>,
    /// Its guards' runs that cannot go on.
    pub(crate) stalled: Vec<StalledRun>,
    /// NATS, where sources and results rest, does not answer.
    pub(crate) messaging_away: bool,
    /// The admitted team, while it exists.
    pub(crate) team: Option<Arc<AgentTeam>>,
    /// Set while the task is not admitted.
    pub(crate) inputs: Option<Inputs>,
}

/// A run of a guard that waits for something to be mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StalledRun {
    pub(crate) name: String,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// A run's reason, in the task's own documented words.
fn task_reason(of_run: &str) -> &'static str {
    const SAME: [&str; 7] = [
        task_reasons::ISOLATION_UNAVAILABLE,
        task_reasons::POD_UNSCHEDULABLE,
        task_reasons::CONTAINER_START_FAILED,
        task_reasons::CHILD_REFUSED,
        task_reasons::CHILD_NAME_TAKEN,
        task_reasons::NODE_LOST,
        task_reasons::ARTIFACT_STORE_UNREACHABLE,
    ];
    if of_run == sandbox_run::IMAGE_ERROR {
        return task_reasons::IMAGE_PULL_FAILED;
    }
    SAME.into_iter().find(|same| *same == of_run).unwrap_or(task_reasons::GUARD_NOT_RUN)
}

impl StalledRun {
    pub(super) fn of(run: &SandboxRun) -> Option<Self> {
        let conditions = &run.status.as_ref()?.conditions;
        let stalled = find(conditions, STALLED).filter(|c| c.status == "True")?;
        let over = is_true(conditions, COMPLETE) || is_true(conditions, FAILED);
        (!over && run.metadata.deletion_timestamp.is_none()).then(|| Self {
            name: run.name_any(),
            reason: task_reason(&stalled.reason),
            message: stalled.message.clone(),
        })
    }
}

impl Seen {
    /// The task's namespace.
    pub(crate) fn namespace(&self) -> String {
        self.task.namespace().unwrap_or_default()
    }

    /// Whether the team that took the task is gone.
    pub(crate) fn team_gone(&self) -> bool {
        self.rows.admitted.as_ref().is_some_and(|a| a.team_closed || self.team.is_none())
    }

    /// The pod of this name.
    pub(crate) fn pod(&self, namespace: &str, name: &str) -> Option<&Arc<Pod>> {
        self.pods.iter().find(|p| p.name_any() == name && p.namespace().as_deref() == Some(namespace))
    }
}

/// A finished task whose status says so and of which nothing runs: nothing to look up.
pub(crate) fn is_at_rest(task: &AgentTask, ctx: &Context) -> bool {
    let seen = task.status.as_ref().and_then(|s| s.observed_generation) >= task.metadata.generation;
    let uid = task.uid().unwrap_or_default();
    crate::queues::ended(task) && seen && ctx.caches.pods_with(TASK_UID, &uid).iter().all(|p| is_terminal(p))
}

/// Looks at the caches and the database; and at the apiserver before something is taken for gone.
pub(crate) async fn observe(task: &Arc<AgentTask>, ctx: &Context) -> Result<Seen, Error> {
    let uid = task.uid().unwrap_or_default();
    let parsed: Uuid = uid.parse().map_err(|_| Error::Bug(format!("task {} has no uid", task.name_any())))?;
    let rows = read(parsed, ctx).await?;
    let mut pods = ctx.caches.pods_with(TASK_UID, &uid);
    pods.extend(missing_from_cache(&rows, &pods, ctx).await?);
    let inputs = match rows.admitted {
        Some(_) => None,
        None => gather(task, parsed, ctx).await?,
    };
    let stalled = ctx.caches.runs_with(TASK_UID, &uid).iter().filter_map(|r| StalledRun::of(r)).collect();
    Ok(Seen {
        team: team(task, &rows, ctx).await?,
        task: Arc::clone(task),
        uid: parsed,
        rows,
        pods,
        stalled,
        messaging_away: golden_platform::nats::ping(&ctx.jetstream.client()).is_err(),
        inputs,
    })
}

/// Pods that were made and are not cached: the cache may lag, and a pod taken for lost costs a try.
async fn missing_from_cache(rows: &Rows, cached: &[Arc<Pod>], ctx: &Context) -> Result<Vec<Arc<Pod>>, Error> {
    let mut found = Vec::new();
    for row in rows.desired.iter().filter(|r| r.wanted && r.pod_uid.is_some()) {
        let known = cached
            .iter()
            .any(|p| p.name_any() == row.name && p.namespace().as_deref() == Some(&row.namespace));
        if known || super::plan::has_ended(rows, row) {
            continue;
        }
        let api: Api<Pod> = Api::namespaced(ctx.client.clone(), &row.namespace);
        let live = bounded(&format!("read pod {}", row.name), api.get_opt(&row.name)).await?;
        found.extend(live.map(Arc::new));
    }
    Ok(found)
}

/// The team of the admission, by uid.
async fn team(task: &AgentTask, rows: &Rows, ctx: &Context) -> Result<Option<Arc<AgentTeam>>, Error> {
    let Some(admitted) = &rows.admitted else { return Ok(None) };
    let uid = admitted.team_uid.to_string();
    let namespace = task.namespace().unwrap_or_default();
    let cached = ctx.caches.teams.get(&ObjectRef::new(&admitted.team_name).within(&namespace));
    if let Some(team) = cached.filter(|t| t.uid().as_deref() == Some(&uid)) {
        return Ok(Some(team));
    }
    let api: Api<AgentTeam> = Api::namespaced(ctx.client.clone(), &namespace);
    let live =
        bounded(&format!("read team {}", admitted.team_name), api.get_opt(&admitted.team_name)).await?;
    Ok(live.filter(|t| t.uid().as_deref() == Some(&uid)).map(Arc::new))
}
