//! Tasks that depend on others which are not admitted, or never will be.

use crate::objects::{admitted, home, of_task, orchestrate, task, team, uid, view};
use crate::world::{SOON, World, shared};
use golden_crds::AgentTask;
use golden_crds::conditions::{ADMITTED, FAILED, RECONCILING, STALLED, find};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use uuid::Uuid;

const FACTS: &str = "SELECT count(*) FROM facts WHERE object_uid = $1";

/// A task that depends on another one.
pub(crate) async fn after(world: &World, home: &str, name: &str, first: &str) {
    let mut dependent = task(home, name, "core");
    dependent["spec"]["dependsOn"] = json!([{"name": first}]);
    world.apply(&dependent).await;
}

/// The task once this holds of it.
pub(crate) async fn comes_to(
    world: &World,
    home: &str,
    name: &str,
    condition: &str,
    shown: &str,
) -> AgentTask {
    world.until::<AgentTask>(home, name, SOON, |t| of_task(t, condition) == shown).await
}

async fn edit(world: &World, home: &str, name: &str, spec: &Value) -> AgentTask {
    let patch = Patch::Merge(json!({"spec": spec}));
    world.of::<AgentTask>(home).patch(name, &PatchParams::default(), &patch).await.unwrap();
    let seen = |t: &AgentTask| t.status.as_ref().and_then(|s| s.observed_generation) == t.metadata.generation;
    world.until::<AgentTask>(home, name, SOON, seen).await
}

async fn delete(world: &World, home: &str, name: &str) {
    world.of::<AgentTask>(home).delete(name, &DeleteParams::default()).await.unwrap();
    world.gone::<AgentTask>(home, name).await;
}

/// The uid of the dependency that an admission bound.
async fn bound(world: &World, task: &AgentTask) -> Uuid {
    let query = "SELECT (body->'dependsOn'->0->>'uid')::uuid FROM facts
                 WHERE object_uid = $1 AND fact_key = 'admitted'";
    sqlx::query_scalar(query).bind(uid(task)).fetch_one(&world.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_cancelled_before_it_began_fails_whoever_depends_on_it_for_good() {
    let world = &shared().await;
    let home = home(world, "dependency-cancelled").await;
    // It lacks a team, so nothing but its cancellation can end it.
    world.apply(&task(&home, "first", "none")).await;
    after(world, &home, "second", "first").await;
    after(world, &home, "third", "second").await;
    let waits = comes_to(world, &home, "second", ADMITTED, "False/DependencyPending").await;
    assert_eq!(
        (of_task(&waits, STALLED), of_task(&waits, RECONCILING)),
        ("absent".into(), "True/DependencyPending".into())
    );
    edit(world, &home, "first", &json!({"desiredState": "Cancelled"})).await;
    let failed = comes_to(world, &home, "second", FAILED, "True/DependencyFailed").await;
    let message = &find(&failed.status.as_ref().unwrap().conditions, FAILED).unwrap().message;
    assert!(message.contains("first") && message.contains("Cancelled"), "{message}");
    comes_to(world, &home, "third", FAILED, "True/DependencyFailed").await;

    // Whoever takes the name later is another task, and an edit is no new one.
    delete(world, &home, "first").await;
    admitted(world, &home, "first").await;
    let still = edit(world, &home, "second", &json!({"priority": 7})).await;
    assert_eq!(of_task(&still, FAILED), "True/DependencyFailed");
    world.count(FACTS, uid(&still), 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependency_may_be_made_anew_until_it_is_admitted() {
    let world = &shared().await;
    let home = home(world, "dependency-anew").await;
    after(world, &home, "second", "first").await;
    comes_to(world, &home, "second", STALLED, "True/DependencyNotFound").await;
    world.apply(&task(&home, "first", "none")).await;
    comes_to(world, &home, "second", ADMITTED, "False/DependencyPending").await;
    delete(world, &home, "first").await;
    comes_to(world, &home, "second", STALLED, "True/DependencyNotFound").await;
    let (_, first) = admitted(world, &home, "first").await;
    let second = comes_to(world, &home, "second", ADMITTED, "True/Admitted").await;
    assert_eq!(bound(world, &second).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependency_that_lacks_something_holds_its_dependents_until_it_is_there() {
    let world = &shared().await;
    let home = home(world, "dependency-lacks").await;
    world.apply(&task(&home, "first", "late")).await;
    after(world, &home, "second", "first").await;
    let told = |t: &AgentTask| {
        let conditions = t.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
        find(conditions, ADMITTED).is_some_and(|c| c.message.contains("TeamNotFound"))
    };
    world.until::<AgentTask>(&home, "second", SOON, told).await;
    world.apply(&team(&home, "late")).await;
    let first = comes_to(world, &home, "first", ADMITTED, "True/Admitted").await;
    let second = comes_to(world, &home, "second", ADMITTED, "True/Admitted").await;
    assert_eq!(bound(world, &second).await, uid(&first));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependency_that_was_deleted_stays_bound_for_whoever_was_admitted_before() {
    let world = &shared().await;
    let home = home(world, "dependency-gone").await;
    let (first, id) = admitted(world, &home, "first").await;
    after(world, &home, "second", "first").await;
    comes_to(world, &home, "second", ADMITTED, "True/Admitted").await;
    orchestrate(world, &first, &view("Complete", &[("Complete", "True", "Delivered")])).await;
    after(world, &home, "third", "first").await;
    let third = comes_to(world, &home, "third", ADMITTED, "True/Admitted").await;
    delete(world, &home, "first").await;
    let second = edit(world, &home, "second", &json!({"priority": 7})).await;
    assert_eq!(of_task(&second, ADMITTED), "True/Admitted");
    assert_eq!((bound(world, &second).await, bound(world, &third).await), (id, id));
    after(world, &home, "late", "first").await;
    comes_to(world, &home, "late", STALLED, "True/DependencyNotFound").await;
}
