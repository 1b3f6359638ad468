//! Objects that tests apply, and what tests read of them.

use crate::world::{SOON, World};
use golden_crds::conditions::{ADMITTED, READY, find};
use golden_crds::{AgentTask, AgentTeam, Budget, ModelProvider};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use serde_json::{Value, json};
use uuid::Uuid;

/// A free provider with the model `m`. In Golden's namespace it is offered to all.
pub(crate) fn provider(namespace: &str, name: &str) -> Value {
    let allowed = if namespace == crate::world::GOLDEN { json!(["*"]) } else { json!([]) };
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "ModelProvider",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"protocol": "OpenAI", "baseURL": "http://model.example/v1", "allowedNamespaces": allowed, "models": [
            {"name": "m", "contextWindow": 1000, "maxOutputTokens": 100, "inputMicroUSDPerMToken": 0,
             "outputMicroUSDPerMToken": 0}]},
    })
}

/// A team of one developer, with Golden's default provider.
pub(crate) fn team(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTeam",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"roles": [{"name": "developer", "modelRef": {"provider": "default", "model": "m"}}]},
    })
}

/// A budget of one dollar for all tasks of the namespace.
pub(crate) fn budget(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "Budget",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"limits": {"costMicroUSD": 1_000_000}},
    })
}

/// A task from inline files.
pub(crate) fn task(namespace: &str, name: &str, team: &str) -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTask",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"teamRef": {"name": team}, "goal": "do it", "submittedBy": "alice",
            "source": {"inline": {"files": [{"path": "a.txt", "content": "inline content"}]}}},
    })
}

/// `status/reason` of a condition.
pub(crate) fn shown(conditions: Option<&[Condition]>, type_: &str) -> String {
    conditions
        .and_then(|c| find(c, type_))
        .map_or_else(|| "absent".into(), |c| format!("{}/{}", c.status, c.reason))
}

/// Of a task.
pub(crate) fn of_task(task: &AgentTask, type_: &str) -> String {
    shown(task.status.as_ref().map(|s| s.conditions.as_slice()), type_)
}

/// Of a team.
pub(crate) fn of_team(team: &AgentTeam, type_: &str) -> String {
    shown(team.status.as_ref().map(|s| s.conditions.as_slice()), type_)
}

/// The uid of an object.
pub(crate) fn uid(object: &impl ResourceExt) -> Uuid {
    object.uid().unwrap().parse().unwrap()
}

/// Makes the team's Deployments available, as their controller would.
pub(crate) async fn make_available(world: &World, team_uid: Uuid) {
    let api = world.of::<Deployment>(crate::world::GOLDEN);
    let params = kube::api::ListParams::default().labels(&format!("goldenarch.dev/team-uid={team_uid}"));
    for deployment in api.list(&params).await.unwrap() {
        let replicas = deployment.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
        let status = json!({"observedGeneration": deployment.metadata.generation, "replicas": replicas,
            "readyReplicas": replicas, "availableReplicas": replicas, "updatedReplicas": replicas});
        world.status::<Deployment>(crate::world::GOLDEN, &deployment.name_any(), &status).await;
    }
}

/// A namespace with a team and a budget, ready for tasks.
pub(crate) async fn home(world: &World, name: &str) -> String {
    let namespace = world.namespace(name).await;
    world
        .until::<ModelProvider>(crate::world::GOLDEN, "default", SOON, |p| {
            shown(p.status.as_ref().map(|s| s.conditions.as_slice()), READY) == "True/Available"
        })
        .await;
    world.apply(&team(&namespace, "core")).await;
    world.apply(&budget(&namespace, "all")).await;
    world
        .until::<Budget>(&namespace, "all", SOON, |b| {
            shown(b.status.as_ref().map(|s| s.conditions.as_slice()), READY) == "True/Active"
        })
        .await;
    namespace
}

/// A task that was admitted, with its uid.
pub(crate) async fn admitted(world: &World, namespace: &str, name: &str) -> (AgentTask, Uuid) {
    world.apply(&task(namespace, name, "core")).await;
    let task =
        world.until::<AgentTask>(namespace, name, SOON, |t| of_task(t, ADMITTED) == "True/Admitted").await;
    let uid = uid(&task);
    (task, uid)
}

/// Plays the orchestrator: the task's run with this view, and the notification.
pub(crate) async fn orchestrate(world: &World, task: &AgentTask, view: &Value) {
    let team: Uuid =
        sqlx::query_scalar("SELECT team_uid FROM facts WHERE object_uid = $1 AND fact_key = 'admitted'")
            .bind(uid(task))
            .fetch_one(&world.pool)
            .await
            .unwrap();
    sqlx::query(
        "INSERT INTO tasks (task_uid, team_uid, namespace, name, submitted_by, spec, policy, models, state, view, stage, version)
         VALUES ($1, $2, $3, $4, 'alice', '{}', '{}', '{}', '{}', $5, $6, 1)
         ON CONFLICT (task_uid) DO UPDATE SET view = excluded.view, stage = excluded.stage, version = tasks.version + 1",
    )
    .bind(uid(task))
    .bind(team)
    .bind(task.namespace())
    .bind(task.name_any())
    .bind(view)
    .bind(view["stage"].as_str().unwrap())
    .execute(&world.pool)
    .await
    .unwrap();
    notify(world, uid(task)).await;
}

/// Plays the orchestrator: wants a pod.
pub(crate) async fn want(world: &World, task: &AgentTask, kind: &str, namespace: &str, name: &str) {
    let spec = json!({"kind": kind, "role": "developer", "agent": null, "runtimeClassName": if kind == "AttemptPod" { json!("gvisor") } else { json!(null) },
        "model": "m", "activeDeadlineSeconds": 600});
    sqlx::query(
        "INSERT INTO desired (namespace, name, team_uid, task_uid, kind, attempt, try, spec)
         SELECT $1, $2, team_uid, object_uid, $3, 1, 1, $4 FROM facts WHERE object_uid = $5 AND fact_key = 'admitted'",
    )
    .bind(namespace)
    .bind(name)
    .bind(kind)
    .bind(spec)
    .bind(uid(task))
    .execute(&world.pool)
    .await
    .unwrap();
    notify(world, uid(task)).await;
}

/// Plays the orchestrator: a pod is not wanted any more.
pub(crate) async fn unwant(world: &World, task: &AgentTask, name: &str) {
    sqlx::query("UPDATE desired SET wanted = false WHERE task_uid = $1 AND name = $2")
        .bind(uid(task))
        .bind(name)
        .execute(&world.pool)
        .await
        .unwrap();
    notify(world, uid(task)).await;
}

async fn notify(world: &World, task: Uuid) {
    sqlx::query("SELECT pg_notify('golden_tasks', $1)")
        .bind(task.to_string())
        .execute(&world.pool)
        .await
        .unwrap();
}

/// A view.
pub(crate) fn view(stage: &str, conditions: &[(&str, &str, &str)]) -> Value {
    let one =
        |(t, s, r): &(&str, &str, &str)| json!({"type": t, "status": s, "reason": r, "message": "as said"});
    json!({"stage": stage, "attempt": 1, "conditions": conditions.iter().map(one).collect::<Vec<_>>(), "guards": [],
        "review": null, "escalation": null, "result": null, "record": null, "isolation": "gvisor", "observedGeneration": 1})
}
