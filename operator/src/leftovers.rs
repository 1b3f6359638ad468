//! Pods that nobody needs any more: of tasks that ended a while ago, or that are gone.
//!
//! Ended pods keep their logs for an hour after their task's end. Then the pods of many tasks go in one request a
//! namespace, so that cleaning up costs a task next to no writes.

use crate::caches::label_of;
use crate::context::Context;
use crate::controllers::agent_task::is_terminal;
use crate::effects::bounded;
use crate::error::Error;
use crate::queues;
use crate::sweep::{admitted_task, is_gone};
use golden_crds::AgentTask;
use golden_crds::labels::{COMPONENT, TASK_UID};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// Ended pods are kept so long for their logs.
const KEEP_SECONDS: i64 = 3600;
/// What a pod of a task's own can be; pods of SandboxRuns go with their run.
const COMPONENTS: [&str; 3] = ["attempt", "fetch", "delivery"];
/// Tasks named in one request: the selector stands in its address, which may not grow without bound.
const BATCH: usize = 50;

/// How it stands with the task of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Open,
    Ended,
    Gone,
}

/// Removes what is left over.
pub(crate) async fn remove(ctx: &Context) -> Result<(), Error> {
    let pods: Vec<Arc<Pod>> =
        ctx.caches.pods.state_filter(|p| label_of(p, COMPONENT).is_some_and(|c| COMPONENTS.contains(&c)));
    let mut owners = BTreeMap::new();
    for pod in &pods {
        let uid = label_of(&**pod, TASK_UID).unwrap_or_default();
        if !owners.contains_key(uid) {
            owners.insert(uid.to_owned(), owner(uid, ctx).await?);
        }
    }
    for (namespace, uids) in leftovers(&pods, &owners, Timestamp::now()) {
        for some in uids.chunks(BATCH) {
            delete_all(&namespace, some, ctx).await?;
        }
    }
    Ok(())
}

async fn owner(uid: &str, ctx: &Context) -> Result<Owner, Error> {
    if let Some(task) = ctx.caches.task_by_uid(uid) {
        return Ok(if queues::ended(&task) { Owner::Ended } else { Owner::Open });
    }
    let Ok(parsed) = uid.parse::<Uuid>() else { return Ok(Owner::Open) };
    let gone = match admitted_task(ctx, parsed).await? {
        Some(known) => is_gone::<AgentTask>(&ctx.caches.tasks, &known, ctx).await?,
        None => true,
    };
    Ok(if gone { Owner::Gone } else { Owner::Open })
}

async fn delete_all(namespace: &str, uids: &[String], ctx: &Context) -> Result<(), Error> {
    let selector = format!("{TASK_UID} in ({}),{COMPONENT} in ({})", uids.join(","), COMPONENTS.join(","));
    let api: Api<Pod> = Api::namespaced(ctx.client.clone(), namespace);
    let params = ListParams::default().labels(&selector);
    let action = format!("delete the pods of {} ended tasks in {namespace}", uids.len());
    bounded(&action, api.delete_collection(&DeleteParams::background(), &params)).await?;
    tracing::info!(namespace, tasks = uids.len(), "removed ended pods");
    Ok(())
}

/// By namespace, the tasks all of whose pods there can go. Pure.
fn leftovers(
    pods: &[Arc<Pod>],
    owners: &BTreeMap<String, Owner>,
    now: Timestamp,
) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<(String, String), bool> = BTreeMap::new();
    for pod in pods {
        let uid = label_of(&**pod, TASK_UID).unwrap_or_default();
        let can_go = match owners.get(uid) {
            Some(Owner::Gone) => true,
            Some(Owner::Ended) => ended_long_ago(pod, now),
            Some(Owner::Open) | None => false,
        };
        let all = found.entry((pod.namespace().unwrap_or_default(), uid.to_owned())).or_insert(true);
        *all &= can_go;
    }
    // Those that are on their way out need no further request.
    let leaving: BTreeSet<_> = pods
        .iter()
        .filter(|p| p.metadata.deletion_timestamp.is_none())
        .map(|p| (p.namespace().unwrap_or_default(), label_of(&**p, TASK_UID).unwrap_or_default().to_owned()))
        .collect();
    let mut by_namespace: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, _) in found.into_iter().filter(|(key, all)| *all && leaving.contains(key)) {
        by_namespace.entry(key.0).or_default().push(key.1);
    }
    by_namespace
}

fn ended_long_ago(pod: &Pod, now: Timestamp) -> bool {
    let states = pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten());
    let ends = states.filter_map(|c| c.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref());
    is_terminal(pod)
        && ends.map(|t| t.0).max().is_none_or(|end| now.as_second() - end.as_second() > KEEP_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(uid: &str, name: &str, more: &Value) -> Arc<Pod> {
        let mut pod = json!({
            "metadata": {"name": name, "namespace": "team", "labels": {TASK_UID: uid}},
            "status": {"phase": "Succeeded", "containerStatuses": [{"name": "job", "image": "", "imageID": "",
                "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": 0, "finishedAt": "2026-01-01T00:00:00Z"}}}]},
        });
        for (path, value) in more.as_object().unwrap() {
            *pod.pointer_mut(path).unwrap() = value.clone();
        }
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    fn at(text: &str, pods: &[Arc<Pod>]) -> Vec<String> {
        let owners = [("ended", Owner::Ended), ("open", Owner::Open), ("gone", Owner::Gone)];
        let owners = owners.map(|(uid, owner)| (uid.to_owned(), owner)).into();
        leftovers(pods, &owners, text.parse().unwrap()).remove("team").unwrap_or_default()
    }

    #[test]
    fn ended_pods_of_ended_tasks_are_kept_for_an_hour() {
        let ended = [pod("ended", "a", &json!({})), pod("ended", "b", &json!({}))];
        assert!(at("2026-01-01T00:59:00Z", &ended).is_empty());
        assert_eq!(at("2026-01-01T01:01:00Z", &ended), ["ended"]);
    }

    #[test]
    fn one_pod_that_runs_keeps_those_of_its_task() {
        let running = json!({"/status/phase": "Running"});
        let pods = [pod("ended", "a", &json!({})), pod("ended", "b", &running)];
        assert!(at("2026-01-02T00:00:00Z", &pods).is_empty());
        assert!(at("2026-01-02T00:00:00Z", &[pod("open", "a", &json!({}))]).is_empty());
        assert_eq!(at("2026-01-01T00:00:01Z", &[pod("gone", "a", &running)]), ["gone"]);
    }
}
