//! Who may call, and for whom.

use crate::world::{GOAL, World, ask};
use serde_json::{Value, json};
use std::time::Duration;

async fn code(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_newest_try_of_an_open_task_may_call() {
    let world = World::new().await;
    let task = world.task(0).await;
    assert_eq!(world.call(0, &ask(0, false)).send().await.unwrap().status(), 200);
    world.attempt(task, 1, 2, "developer").await;
    refused_soon(&world, 0).await;
    assert_eq!(world.call(1, &ask(1, false)).send().await.unwrap().status(), 200);
    sqlx::query("UPDATE tasks SET outcome = 'Cancelled', ended_at = now()")
        .execute(&world.pool)
        .await
        .unwrap();
    refused_soon(&world, 1).await;
}

/// A pod that has called before is known for a second.
async fn refused_soon(world: &World, pod: usize) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = world.model.tally().totals.calls;
    let refused = world.call(pod, &ask(1, false)).send().await.unwrap();
    assert_eq!(code(refused).await, (409, "superseded".into()));
    assert_eq!(world.model.tally().totals.calls, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused() {
    let world = World::new().await;
    world.task(0).await;
    for (token, want) in [("stranger", 403), ("nobody", 401), ("pod-3", 403), ("forged-0", 403)] {
        let call = world.http.post(format!("{}/v1/chat/completions", world.url)).bearer_auth(token);
        assert_eq!(call.json(&ask(0, false)).send().await.unwrap().status(), want, "{token}");
    }
    assert_eq!(world.http.get(format!("{}/v1/models", world.url)).send().await.unwrap().status(), 401);
    assert_eq!(world.model.tally().totals.calls, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voter_is_called_for_by_peer_hub_alone() {
    let world = World::new().await;
    let task = world.task(0).await;
    let body = json!({"messages": [
        {"role": "system", "content": "Role: security\nAttempt: 1"}, {"role": "user", "content": GOAL}]});
    let voter = |token: &str, team: String| {
        world
            .http
            .post(format!("{}/v1/chat/completions", world.url))
            .bearer_auth(token)
            .header("x-golden-team", team)
            .header("x-golden-task", task.to_string())
            .header("x-golden-attempt", "1")
            .header("x-golden-role", "voter:security")
            .header("x-golden-operation", "review/1/1/security")
            .json(&body)
            .send()
    };
    assert_eq!(voter("hub", world.team.to_string()).await.unwrap().status(), 200);
    let role: String =
        sqlx::query_scalar("SELECT role FROM reservations").fetch_one(&world.pool).await.unwrap();
    assert_eq!(role, "voter:security");
    assert_eq!(voter("hub", uuid::Uuid::new_v4().to_string()).await.unwrap().status(), 403);
    // The same headers from an attempt's pod change nothing: it speaks for its own role.
    let own = voter("pod-0", world.team.to_string()).await.unwrap();
    assert_ne!(own.status(), 403);
    let roles: Vec<String> = sqlx::query_scalar("SELECT role FROM reservations ORDER BY created_at")
        .fetch_all(&world.pool)
        .await
        .unwrap();
    assert_eq!(roles, ["voter:security", "developer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_models_list_is_the_roles_own() {
    let world = World::new().await;
    world.task(0).await;
    let list = world.http.get(format!("{}/v1/models", world.url)).bearer_auth("pod-0").send().await.unwrap();
    let list: Value = list.json().await.unwrap();
    assert_eq!(list["data"][0]["id"], "standard");
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
}
