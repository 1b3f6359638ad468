//! What pods are refused.

use super::world::{NAMESPACE, Script, World};
use axum::body::Body;
use golden_platform::CancellationToken;
use golden_platform::wire::{DesiredKind, PodPhase};
use http::StatusCode;
use serde_json::{Value, json};
use std::time::Instant;
use uuid::Uuid;

/// A task whose first attempt's pod runs, and that pod's token.
async fn producing(world: &mut World) -> (Uuid, String, String) {
    world.allow_secrets();
    let task = world.admit("ask", |_, _| {}).await;
    let engine = world.engine();
    engine.settle(&CancellationToken::new()).await.unwrap();
    world.react().await;
    engine.settle(&CancellationToken::new()).await.unwrap();
    let name: String =
        sqlx::query_scalar("SELECT name FROM desired WHERE task_uid = $1 AND kind = 'AttemptPod'")
            .bind(task)
            .fetch_one(&world.pool)
            .await
            .unwrap();
    let uid = world.adopt(&name).await;
    (task, name, format!("{NAMESPACE}/{uid}"))
}

fn reason(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body["error"]["reason"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn only_the_newest_try_is_served() {
    let mut world = World::new(Script::default()).await;
    let (task, name, old) = Box::pin(producing(&mut world)).await;
    assert_eq!(world.call(&old, "GET", "/v1/try", Body::empty()).await.0, StatusCode::OK);
    let uid: Uuid = old.split_once('/').unwrap().1.parse().unwrap();
    let lost = World::pod(DesiredKind::AttemptPod, &name, uid, (1, 1), PodPhase::Lost);
    world.tell(task, uid, "pod/Lost", lost).await;
    world.engine().settle(&CancellationToken::new()).await.unwrap();
    world.later(60);
    world.engine().settle(&CancellationToken::new()).await.unwrap();
    let new = format!("{NAMESPACE}/{}", world.adopt(&name.replace("-t1", "-t2")).await);
    assert_eq!(world.call(&new, "GET", "/v1/try", Body::empty()).await.0, StatusCode::OK);
    let body =
        json!({"attempt": 1, "try": 2, "tree": null, "agentExitCode": 0, "summary": "", "transcript": null});
    for (method, path, body) in [
        ("GET", "/v1/try", Body::empty()),
        ("PUT", "/v1/artifacts", Body::from("x")),
        ("POST", "/v1/result", Body::from(body.to_string())),
    ] {
        let (status, body) = world.call(&old, method, path, body).await;
        assert_eq!((status, reason(&body).as_str()), (StatusCode::CONFLICT, "NotTheNewestTry"), "{path}");
    }
}

#[tokio::test]
async fn a_result_told_twice_is_answered_twice_and_taken_once() {
    let mut world = World::new(Script::default()).await;
    let (task, _, token) = Box::pin(producing(&mut world)).await;
    let body =
        json!({"attempt": 7, "try": 7, "tree": null, "agentExitCode": 3, "summary": "", "transcript": null});
    let engine = world.engine();
    for _ in 0..2 {
        let (status, _) = world.call(&token, "POST", "/v1/result", Body::from(body.to_string())).await;
        assert_eq!(status, StatusCode::OK);
        engine.settle(&CancellationToken::new()).await.unwrap();
    }
    assert_eq!(world.view(task).await["attempt"], 2, "the attempt is the pod's, whatever the body says");
}

#[tokio::test]
async fn pods_see_their_own_work_and_namespace_only() {
    let mut world = World::new(Script::default()).await;
    let (_, _, token) = Box::pin(producing(&mut world)).await;
    let elsewhere = world.store.put("other", world.team, None, b"secret".to_vec()).await.unwrap();
    let (status, _) =
        world.call(&token, "GET", &format!("/v1/artifacts/{}", elsewhere.digest), Body::empty()).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "a digest alone opens nothing");
    let (status, body) = world.call(&token, "GET", "/v1/job", Body::empty()).await;
    assert_eq!(
        (status, reason(&body).as_str()),
        (StatusCode::FORBIDDEN, "WrongKind"),
        "an agent gets no credential"
    );
    let uid = token.split_once('/').unwrap().1;
    let (status, _) = world.call(&format!("other/{uid}"), "GET", "/v1/try", Body::empty()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    for account in ["default", "golden-job"] {
        let (status, _) = world.call(&format!("{token}/{account}"), "GET", "/v1/try", Body::empty()).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "a pod that runs as {account} is not Golden's");
    }
    let stranger = format!("{NAMESPACE}/{}", Uuid::new_v4());
    let (status, body) = world.call(&stranger, "GET", "/v1/try", Body::empty()).await;
    assert_eq!((status, reason(&body).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "PodNotKnown"));
}

#[tokio::test]
async fn a_result_must_name_a_stored_tree_and_stay_small() {
    let mut world = World::new(Script::default()).await;
    let (_, _, token) = Box::pin(producing(&mut world)).await;
    let absent = golden_platform::tree::digest(b"never stored");
    let body = json!({"attempt": 1, "try": 1, "tree": absent, "agentExitCode": 0, "summary": "", "transcript": null});
    let (status, _) = world.call(&token, "POST", "/v1/result", Body::from(body.to_string())).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let body = json!({"attempt": 1, "try": 1, "tree": null, "agentExitCode": 0, "summary": "x".repeat(100_000), "transcript": null});
    let (status, _) = world.call(&token, "POST", "/v1/result", Body::from(body.to_string())).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_missing_secret_stalls_the_task_until_it_is_there() {
    let mut world = World::new(Script::default()).await;
    let task = world.admit("secretive", |_, _| {}).await;
    let engine = world.engine();
    engine.settle(&CancellationToken::new()).await.unwrap();
    world.react().await;
    engine.settle(&CancellationToken::new()).await.unwrap();
    assert_eq!(world.condition(task, "Stalled").await, "True/SecretNotFound");
    world.allow_secrets();
    assert_eq!(world.play(&engine, task).await, "Complete");
}

/// The token of the newest pod that is to fetch a task's source.
async fn fetching(world: &World, task: Uuid) -> String {
    let (name, namespace): (String, String) = sqlx::query_as(
        "SELECT name, namespace FROM desired WHERE task_uid = $1 AND kind = 'FetchPod' AND wanted",
    )
    .bind(task)
    .fetch_one(&world.pool)
    .await
    .unwrap();
    format!("{namespace}/{}", world.adopt(&name).await)
}

#[tokio::test]
async fn a_git_host_that_does_not_answer_is_left_alone_and_the_task_says_so() {
    let world = World::new(Script::default()).await;
    world.allow_secrets();
    let task = world.admit("held", |_, _| {}).await;
    let engine = world.engine();
    engine.settle(&CancellationToken::new()).await.unwrap();
    let first = fetching(&world, task).await;
    assert_eq!(world.call(&first, "GET", "/v1/job", Body::empty()).await.0, StatusCode::OK);
    let away =
        json!({"result": "Failed", "reason": "GitUnreachable", "message": "timed out", "retryable": true});
    for _ in 0..2 {
        let (status, _) = world.call(&first, "POST", "/v1/job/result", Body::from(away.to_string())).await;
        assert_eq!(status, StatusCode::OK);
    }
    let host = world.breakers.get("git/git.example");
    let failed = || world.breakers.views(Instant::now())[0].statistics.failed;
    assert_eq!(failed(), 1, "a result told twice counts once");
    // As other tasks' pods would tell.
    (0..4).for_each(|_| host.report(false, Instant::now()));
    engine.settle(&CancellationToken::new()).await.unwrap();
    world.later(60);
    engine.settle(&CancellationToken::new()).await.unwrap();
    let second = fetching(&world, task).await;
    assert_ne!(first, second);
    let (status, body) = world.call(&second, "GET", "/v1/job", Body::empty()).await;
    assert_eq!((status, reason(&body).as_str()), (StatusCode::CONFLICT, "GitHostHeldBack"));
    engine.settle(&CancellationToken::new()).await.unwrap();
    assert_eq!(world.condition(task, "Stalled").await, "True/GitUnreachable");
    let last = world.record(task).await.pop().unwrap();
    assert_eq!(last.kind, "TryFailed");
    assert!(
        last.body["message"].as_str().unwrap().starts_with("git.example did not answer before"),
        "{last:?}"
    );
    assert_eq!(failed(), 5, "a try that was not made counts for nothing");
}
