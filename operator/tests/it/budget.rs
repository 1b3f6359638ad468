use crate::objects::{admitted, budget, home, of_task, orchestrate, shown, uid, view};
use crate::world::{SOON, World, shared};
use golden_crds::conditions::{ACCEPTED, ANSWERED, BUDGET_AVAILABLE, READY, STALLED};
use golden_crds::{AgentTask, Budget, Decision};
use kube::api::DeleteParams;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

fn of(budget: &Budget, type_: &str) -> String {
    shown(budget.status.as_ref().map(|s| s.conditions.as_slice()), type_)
}

/// The ledger changes an account, and says so.
async fn ledger(world: &World, account: Uuid, set: &str) {
    let sql = format!("UPDATE accounts SET {set} WHERE account_uid = '{account}'");
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&world.pool).await.unwrap();
    sqlx::query("SELECT pg_notify('golden_accounts', $1)")
        .bind(account.to_string())
        .execute(&world.pool)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_an_account_that_follows_edits_and_shows_what_is_left() {
    let world = &shared().await;
    let home = world.namespace("budget-life").await;
    let mut all = budget(&home, "all");
    all["spec"]["alertPercents"] = json!([50, 100]);
    world.apply(&all).await;
    let made = world.until::<Budget>(&home, "all", SOON, |b| of(b, READY) == "True/Active").await;
    assert_eq!(made.status.as_ref().unwrap().available.as_deref(), Some("$1.00"));
    let id = uid(&made);
    ledger(world, id, "spent_cost = 1000000").await;
    let spent = world.until::<Budget>(&home, "all", SOON, |b| of(b, READY) == "True/Exhausted").await;
    let spent = spent.status.unwrap();
    assert_eq!((spent.spent.as_deref(), &spent.alerts_reached[..]), (Some("$1.00 of $1.00"), &[50, 100][..]));
    world.told(&home, "Warning/AlertPercentReached").await;
    // A provider charges more than was reserved for the last call.
    ledger(world, id, "overage_cost = 2500").await;
    let over = world.until::<Budget>(&home, "all", SOON, |b| of(b, READY) == "True/OverageUnconfirmed").await;
    assert_eq!(over.status.unwrap().overage_micro_usd, Some(2_500));
    world.told(&home, "Warning/OverageCharged").await;
    let mut raised = all;
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
async fn a_budget_shows_who_spends_it() {
    let world = &shared().await;
    let home = home(world, "budget-showback").await;
    let (_, task_uid) = admitted(world, &home, "fix").await;
    let id = uid(&world.of::<Budget>(&home).get("all").await.unwrap());
    sqlx::query(
        "INSERT INTO reservations (op_key, request_hash, team_uid, task_uid, attempt, role, provider, model,
             prompt_digest, path, state, cost, tokens, actual_cost, input_tokens, output_tokens, lease_until, ended_at)
         SELECT $1::text, 'h', team_uid, task_uid, 1, 'developer', 'p', 'large', 'd', path, 'Settled', 40, 1, 40, 1, 0,
                now(), now()
         FROM task_accounts WHERE task_uid = $1",
    )
    .bind(task_uid)
    .execute(&world.pool)
    .await
    .unwrap();
    ledger(world, id, "spent_cost = 40").await;
    let told = |b: &Budget| b.status.as_ref().is_some_and(|s| s.spent_by.is_some());
    let shown = world.until::<Budget>(&home, "all", Duration::from_secs(40), told).await;
    let by = shown.status.unwrap().spent_by.unwrap();
    let pairs = |shares: Vec<golden_crds::budget::Share>| -> Vec<(String, i64)> {
        shares.into_iter().map(|share| (share.name, share.micro_usd)).collect()
    };
    assert_eq!(pairs(by.roles), [("developer".into(), 40)]);
    assert_eq!(pairs(by.models), [("large".into(), 40)]);
    assert_eq!(pairs(by.tasks), [(format!("{home}/fix"), 40)]);
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

/// A namespace whose budget of one dollar asks, and is spent; its task's call needs half a dollar more.
async fn asking(world: &World, name: &str, rules: &Value) -> (String, AgentTask, Uuid) {
    let namespace = home(world, name).await;
    let (task, task_uid) = admitted(world, &namespace, "fix").await;
    let mut asks = budget(&namespace, "all");
    asks["spec"]["onExhausted"] = json!("Ask");
    asks["spec"]["ask"] = rules.clone();
    world.apply(&asks).await;
    let id = uid(&world.of::<Budget>(&namespace).get("all").await.unwrap());
    sqlx::query("UPDATE accounts SET spent_cost = 1000000 WHERE account_uid = $1")
        .bind(id)
        .execute(&world.pool)
        .await
        .unwrap();
    hold(world, &task, task_uid, &namespace, 500_000).await;
    (namespace, task, id)
}

/// Plays gateway and orchestrator: a call of the task is held, which needs this much.
async fn hold(world: &World, task: &AgentTask, task_uid: Uuid, namespace: &str, needs: i64) {
    let held = view(
        "Producing",
        &[("Admitted", "True", "Admitted"), ("BudgetAvailable", "False", "BudgetExhausted")],
    );
    orchestrate(world, task, &held).await;
    let state = json!({"held": {"op/h1": {"account": format!("Budget {namespace}/all"), "missingMicroUsd": needs,
        "missingTokens": 0, "onExhausted": "Ask", "needsMicroUsd": needs, "needsTokens": 0}}});
    sqlx::query("UPDATE tasks SET state = $1 WHERE task_uid = $2")
        .bind(state)
        .bind(task_uid)
        .execute(&world.pool)
        .await
        .unwrap();
}

fn answer(namespace: &str, name: &str, target: &Budget, digest: &str, verdict: &str, by: &str) -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "Decision",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"target": {"kind": "Budget", "name": "all", "uid": uid(target), "digest": digest},
            "verdict": verdict, "decidedBy": by},
    })
}

async fn settled(world: &World, namespace: &str, name: &str, want: &str) {
    world
        .until::<Decision>(namespace, name, SOON, |d| {
            shown(d.status.as_ref().map(|s| s.conditions.as_slice()), ACCEPTED) == want
        })
        .await;
}

async fn money(world: &World, id: Uuid) -> (i64, Option<String>) {
    sqlx::query_as("SELECT granted_cost, denied FROM accounts WHERE account_uid = $1")
        .bind(id)
        .fetch_one(&world.pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_asks_puts_one_question_and_one_answer_is_worth_one_grant() {
    let world = &shared().await;
    let (home, task, id) = asking(world, "budget-asks", &json!({"grantPercent": 20})).await;
    let asked = world.until::<Budget>(&home, "all", SOON, |b| of(b, ANSWERED) == "False/QuestionOpen").await;
    let question = asked.status.as_ref().unwrap().question.clone().unwrap();
    assert_eq!((question.missing_micro_usd, question.grant_micro_usd, question.tasks), (500_000, 500_000, 1));
    assert_eq!(of(&asked, READY), "True/Exhausted");
    let conditions = &asked.status.as_ref().unwrap().conditions;
    let message = &golden_crds::conditions::find(conditions, ANSWERED).unwrap().message;
    assert!(message.contains(&format!("golden approve budget/all -n {home}")), "{message}");

    let stale = format!("sha256:{}", "b".repeat(64));
    world.apply(&answer(&home, "stale", &asked, &stale, "Approve", "bob")).await;
    settled(world, &home, "stale", "False/DigestStale").await;
    world.apply(&answer(&home, "own", &asked, &question.digest, "Approve", "alice")).await;
    settled(world, &home, "own", "False/SelfApproval").await;
    assert_eq!(money(world, id).await, (0, None));

    // Both at once: whoever comes second finds it answered.
    let (bob, carol) = (
        answer(&home, "bob", &asked, &question.digest, "Approve", "bob"),
        answer(&home, "carol", &asked, &question.digest, "Approve", "carol"),
    );
    tokio::join!(world.apply(&bob), world.apply(&carol));
    world.until::<Budget>(&home, "all", SOON, |b| of(b, ANSWERED) == "True/MoreGranted").await;
    let mut accepted = 0;
    for name in ["bob", "carol"] {
        let one = world
            .until::<Decision>(&home, name, SOON, |d| {
                ["True/Accepted", "False/NothingToDecide"]
                    .contains(&shown(d.status.as_ref().map(|s| s.conditions.as_slice()), ACCEPTED).as_str())
            })
            .await;
        accepted += usize::from(
            shown(one.status.as_ref().map(|s| s.conditions.as_slice()), ACCEPTED) == "True/Accepted",
        );
    }
    assert_eq!((accepted, money(world, id).await), (1, (500_000, None)));
    let granted = world.of::<Budget>(&home).get("all").await.unwrap().status.unwrap();
    assert_eq!(granted.question, None, "the call that waits can be paid now");
    assert_eq!(granted.spent.as_deref(), Some("$1.00 of $1.00 and $0.50 granted"));

    // It needs more yet: another question, and a refusal.
    hold(world, &task, uid(&task), &home, 800_000).await;
    let again = world
        .until::<Budget>(&home, "all", Duration::from_mins(1), |b| of(b, ANSWERED) == "False/QuestionOpen")
        .await;
    let second = again.status.as_ref().unwrap().question.clone().unwrap();
    assert_eq!(second.missing_micro_usd, 300_000);
    assert_ne!(second.digest, question.digest);
    world.apply(&answer(&home, "no", &again, &second.digest, "Deny", "carol")).await;
    settled(world, &home, "no", "True/Accepted").await;
    let refused = world.until::<Budget>(&home, "all", SOON, |b| of(b, ANSWERED) == "True/MoreDenied").await;
    assert_eq!(money(world, id).await, (500_000, Some("carol (decision no)".into())));
    assert_eq!(refused.status.unwrap().question, None);
    let task = world.of::<AgentTask>(&home).get("fix").await.unwrap();
    assert_eq!(of_task(&task, BUDGET_AVAILABLE), "False/BudgetExhausted", "its orchestrator tells more");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_status_was_not_written_stays_accepted_and_grants_nothing_twice() {
    let world = &shared().await;
    let (home, _, id) = asking(world, "budget-crash", &json!({})).await;
    let asked = world.until::<Budget>(&home, "all", SOON, |b| of(b, ANSWERED) == "False/QuestionOpen").await;
    let question = asked.status.as_ref().unwrap().question.clone().unwrap();
    world.apply(&answer(&home, "yes", &asked, &question.digest, "Approve", "bob")).await;
    settled(world, &home, "yes", "True/Accepted").await;
    // As if the operator had died between its commit and the status.
    let decision: Decision = world.of(&home).get("yes").await.unwrap();
    let forgotten = json!({"conditions": [{"type": "Accepted", "status": "Unknown", "reason": "Pending", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
    world.status::<Decision>(&home, "yes", &forgotten).await;
    settled(world, &home, "yes", "True/Accepted").await;
    assert_eq!(money(world, id).await, (500_000, None), "{}", decision.spec.decided_by);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_nobody_answers_fails_its_calls_after_the_deadline_or_is_withdrawn() {
    let world = &shared().await;
    let rules = json!({"deadlineSeconds": 10, "onDeadline": "Fail"});
    let (home, _, id) = asking(world, "budget-late", &rules).await;
    world.until::<Budget>(&home, "all", SOON, |b| of(b, ANSWERED) == "False/QuestionOpen").await;
    let late = world
        .until::<Budget>(&home, "all", Duration::from_secs(40), |b| {
            of(b, ANSWERED) == "False/QuestionExpired"
        })
        .await;
    let (_, denied) = money(world, id).await;
    assert!(denied.unwrap().starts_with("nobody answered by"));
    assert_eq!(late.status.unwrap().question, None);
    // Another limit is an answer of its own.
    let mut raised = budget(&home, "all");
    raised["spec"]["limits"]["costMicroUSD"] = json!(9_000_000);
    raised["spec"]["onExhausted"] = json!("Ask");
    world.apply(&raised).await;
    world
        .until::<Budget>(&home, "all", SOON, |b| of(b, ANSWERED) == "absent" && of(b, READY) == "True/Active")
        .await;
    assert_eq!(money(world, id).await, (0, None));
}
