use crate::objects::{admitted, budget, home, of_task, orchestrate, task, team, uid, unwant, view, want};
use crate::world::{GOLDEN, SOON, shared};
use golden_crds::AgentTask;
use golden_crds::conditions::{ADMITTED, STALLED};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_lacks_something_says_what_and_begins_when_it_is_there() {
    let world = &shared().await;
    let home = world.namespace("task-lacks").await;
    world.apply(&task(&home, "fix", "core")).await;
    world.until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, ADMITTED) == "False/TeamNotFound").await;
    world.told(&home, "Warning/TeamNotFound").await;
    world.apply(&team(&home, "core")).await;
    world.until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, ADMITTED) == "False/NoBudget").await;
    world.apply(&budget(&home, "all")).await;
    let begun =
        world.until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, ADMITTED) == "True/Admitted").await;
    assert_eq!(of_task(&begun, STALLED), "absent");

    let id = uid(&begun);
    let body: Value =
        sqlx::query_scalar("SELECT body FROM facts WHERE object_uid = $1 AND fact_key = 'admitted'")
            .bind(id)
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!(body["spec"]["source"]["inline"]["files"][0]["content"], "inline content");
    assert_eq!(
        body["models"]["voter:security"],
        json!({"namespace": GOLDEN, "provider": "default", "model": "m", "contextWindow": 1000})
    );
    world.count("SELECT cardinality(path)::bigint FROM task_accounts WHERE task_uid = $1", id, 2).await;
    world.count("SELECT count(*) FROM accounts WHERE account_uid = $1 AND kind = 'Task'", id, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_change_in_a_spec_is_told_with_its_generation() {
    let world = &shared().await;
    let home = home(world, "task-edit").await;
    let mut limited = task(&home, "fix", "core");
    limited["spec"]["limits"] = json!({"costMicroUSD": 5});
    world.apply(&limited).await;
    let begun =
        world.until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, ADMITTED) == "True/Admitted").await;
    let id = uid(&begun);
    world.count("SELECT limit_cost FROM accounts WHERE account_uid = $1", id, 5).await;
    let patch = Patch::Merge(json!({"spec": {"desiredState": "Suspended", "limits": {"costMicroUSD": 7}}}));
    world.of::<AgentTask>(&home).patch("fix", &PatchParams::default(), &patch).await.unwrap();
    world.count("SELECT count(*) FROM facts WHERE object_uid = $1 AND fact_key = 'spec/2' AND body->>'desiredState' = 'Suspended'", id, 1).await;
    world.count("SELECT limit_cost FROM accounts WHERE account_uid = $1", id, 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn desired_pods_are_made_followed_and_taken_away() {
    let world = &shared().await;
    let home = home(world, "task-pods").await;
    let (task, id) = admitted(world, &home, "fix").await;
    want(world, &task, "AttemptPod", &home, "fix-a1-t1").await;
    let pod = world.until::<Pod>(&home, "fix-a1-t1", SOON, |_| true).await;
    assert_eq!(pod.owner_references()[0].uid, id.to_string());
    world.count("SELECT count(*) FROM desired WHERE object_uid = $1", uid(&pod), 1).await;
    world
        .count("SELECT count(*) FROM facts WHERE object_uid = $1 AND fact_key = 'pod/Created'", uid(&pod), 1)
        .await;

    let waiting = json!({"phase": "Pending", "initContainerStatuses": [{"name": "install", "image": "i", "imageID": "",
        "ready": false, "restartCount": 0, "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}]});
    world.kubelet(&home, "fix-a1-t1", &waiting).await;
    world.count("SELECT count(*) FROM facts WHERE object_uid = $1 AND fact_key = 'pod/Blocked' AND body->>'reason' = 'ImagePullFailed'", uid(&pod), 1).await;
    world.kubelet(&home, "fix-a1-t1", &json!({"phase": "Running"})).await;
    world
        .count("SELECT count(*) FROM facts WHERE object_uid = $1 AND fact_key = 'pod/Running'", uid(&pod), 1)
        .await;

    // Not wanted while it runs: it goes.
    unwant(world, &task, "fix-a1-t1").await;
    world.gone::<Pod>(&home, "fix-a1-t1").await;

    // A wanted one that somebody takes away is lost: the orchestrator makes another try.
    want(world, &task, "AttemptPod", &home, "fix-a1-t2").await;
    let second = world.until::<Pod>(&home, "fix-a1-t2", SOON, |_| true).await;
    force(world, &home, "fix-a1-t2").await;
    world
        .count("SELECT count(*) FROM facts WHERE object_uid = $1 AND fact_key = 'pod/Lost'", uid(&second), 1)
        .await;

    // A fetch pod stands in Golden's namespace, and its end is told with its exit code.
    want(world, &task, "FetchPod", GOLDEN, "fix-fetch-t1").await;
    let fetch = world.until::<Pod>(GOLDEN, "fix-fetch-t1", SOON, |_| true).await;
    let failed = json!({"phase": "Failed", "containerStatuses": [{"name": "job", "image": "i", "imageID": "", "ready": false,
        "restartCount": 0, "state": {"terminated": {"exitCode": 7, "reason": "Error"}}}]});
    world.kubelet(GOLDEN, "fix-fetch-t1", &failed).await;
    world.count("SELECT (body->>'exitCode')::bigint FROM facts WHERE object_uid = $1 AND fact_key = 'pod/Failed' UNION ALL SELECT -1 LIMIT 1", uid(&fetch), 7).await;
}

async fn force(world: &crate::world::World, namespace: &str, name: &str) {
    let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    world.of::<Pod>(namespace).delete(name, &now).await.unwrap();
    world.gone::<Pod>(namespace, name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_task_is_told_of_and_its_pods_go() {
    let world = &shared().await;
    let home = home(world, "task-gone").await;
    let (task, id) = admitted(world, &home, "fix").await;
    want(world, &task, "FetchPod", GOLDEN, "gone-fetch-t1").await;
    world.until::<Pod>(GOLDEN, "gone-fetch-t1", SOON, |_| true).await;
    world.of::<AgentTask>(&home).delete("fix", &DeleteParams::default()).await.unwrap();
    world.gone::<AgentTask>(&home, "fix").await;
    world.count("SELECT count(*) FROM facts WHERE object_uid = $1 AND fact_key = 'deleted'", id, 1).await;
    world.gone::<Pod>(GOLDEN, "gone-fetch-t1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_of_a_missing_runtime_class_stalls_the_task_and_is_made_when_it_exists() {
    let world = &shared().await;
    let home = home(world, "task-class").await;
    let (task, id) = admitted(world, &home, "fix").await;
    crate::objects::orchestrate(
        world,
        &task,
        &crate::objects::view(
            "Producing",
            &[
                ("Admitted", "True", "Admitted"),
                ("Complete", "False", "Producing"),
                ("Reconciling", "True", "Producing"),
            ],
        ),
    )
    .await;
    want(world, &task, "AttemptPod", &home, "late").await;
    world.until::<Pod>(&home, "late", SOON, |_| true).await;
    sqlx::query(
        "INSERT INTO desired (namespace, name, team_uid, task_uid, kind, attempt, try, spec)
         SELECT namespace, 'later', team_uid, task_uid, kind, 1, 2, jsonb_set(spec, '{runtimeClassName}', '\"newclass\"')
         FROM desired WHERE task_uid = $1",
    )
    .bind(id)
    .execute(&world.pool)
    .await
    .unwrap();
    sqlx::query("SELECT pg_notify('golden_tasks', $1)")
        .bind(id.to_string())
        .execute(&world.pool)
        .await
        .unwrap();
    world
        .until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, STALLED) == "True/RuntimeClassNotFound")
        .await;
    world
        .apply(&json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "newclass"}, "handler": "runsc"}))
        .await;
    world.until::<Pod>(&home, "later", SOON * 2, |_| true).await;
    world.until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, STALLED) == "absent").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_ended_long_ago_go_once_their_task_has_ended() {
    let world = &shared().await;
    let home = home(world, "task-old-pods").await;
    let (task, _) = admitted(world, &home, "fix").await;
    for (kind, namespace, name) in
        [("AttemptPod", home.as_str(), "fix-old-a1-t1"), ("FetchPod", GOLDEN, "fix-old-fetch-t1")]
    {
        want(world, &task, kind, namespace, name).await;
        world.until::<Pod>(namespace, name, SOON, |_| true).await;
        let ended = json!({"phase": "Succeeded", "containerStatuses": [{"name": "job", "image": "i", "imageID": "",
            "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 0, "finishedAt": "2026-01-01T00:00:00Z"}}}]});
        world.kubelet(namespace, name, &ended).await;
    }
    orchestrate(world, &task, &view("Complete", &[("Complete", "True", "Delivered")])).await;
    // They are looked for every half minute.
    let sweep = std::time::Duration::from_mins(1);
    world.gone_within::<Pod>(&home, "fix-old-a1-t1", sweep).await;
    world.gone_within::<Pod>(GOLDEN, "fix-old-fetch-t1", sweep).await;
}
