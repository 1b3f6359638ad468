use crate::objects::{budget, shown, uid};
use crate::world::{SOON, shared};
use golden_crds::Budget;
use golden_crds::conditions::{READY, STALLED};
use kube::api::DeleteParams;
use serde_json::json;

fn of(budget: &Budget, type_: &str) -> String {
    shown(budget.status.as_ref().map(|s| s.conditions.as_slice()), type_)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_an_account_that_follows_edits_and_shows_what_is_left() {
    let world = &shared().await;
    let home = world.namespace("budget-life").await;
    world.apply(&budget(&home, "all")).await;
    let made = world.until::<Budget>(&home, "all", SOON, |b| of(b, READY) == "True/Active").await;
    assert_eq!(made.status.as_ref().unwrap().available.as_deref(), Some("$1.00"));
    let id = uid(&made);
    // The ledger spends, and says so.
    sqlx::query("UPDATE accounts SET spent_cost = 1000000 WHERE account_uid = $1")
        .bind(id)
        .execute(&world.pool)
        .await
        .unwrap();
    sqlx::query("SELECT pg_notify('golden_accounts', $1)")
        .bind(id.to_string())
        .execute(&world.pool)
        .await
        .unwrap();
    let spent = world.until::<Budget>(&home, "all", SOON, |b| of(b, READY) == "True/Exhausted").await;
    assert_eq!(spent.status.unwrap().spent.as_deref(), Some("$1.00 of $1.00"));
    let mut raised = budget(&home, "all");
    raised["spec"]["limits"]["costMicroUSD"] = json!(3_000_000);
    world.apply(&raised).await;
    world.until::<Budget>(&home, "all", SOON, |b| of(b, READY) == "True/Active").await;
    world.count("SELECT limit_cost FROM accounts WHERE account_uid = $1", id, 3_000_000).await;
    world.of::<Budget>(&home).delete("all", &DeleteParams::default()).await.unwrap();
    world
        .count("SELECT count(*) FROM accounts WHERE account_uid = $1 AND deleted_at IS NOT NULL", id, 1)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_in_another_namespace_must_allow_it() {
    let world = &shared().await;
    let (above, below) = (world.namespace("budget-above").await, world.namespace("budget-below").await);
    let mut child = budget(&below, "child");
    child["spec"]["parentRef"] = json!({"name": "parent", "namespace": above});
    world.apply(&child).await;
    world.until::<Budget>(&below, "child", SOON, |b| of(b, STALLED) == "True/ParentNotFound").await;
    let mut parent = budget(&above, "parent");
    world.apply(&parent).await;
    world.until::<Budget>(&below, "child", SOON, |b| of(b, STALLED) == "True/ParentNotAllowed").await;
    parent["spec"]["allowedNamespaces"] = json!([below]);
    world.apply(&parent).await;
    let child = world.until::<Budget>(&below, "child", SOON, |b| of(b, READY) == "True/Active").await;
    let parent = world.of::<Budget>(&above).get("parent").await.unwrap();
    let linked: Option<uuid::Uuid> =
        sqlx::query_scalar("SELECT parent_uid FROM accounts WHERE account_uid = $1")
            .bind(uid(&child))
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!(linked, Some(uid(&parent)));
}
