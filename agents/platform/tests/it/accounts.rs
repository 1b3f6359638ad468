//! Accounts as the operator keeps them.

use golden_platform::budget_questions::{Waiting, waiting};
use golden_platform::ledger_accounts::{
    BudgetAccount, TaskAccount, balance, mark_deleted, set_path, upsert_budget, upsert_task,
};
use golden_platform::wire::{Fact, NewFact};
use serde_json::json;
use uuid::Uuid;

use crate::support::pool;

fn budget(limit: Option<i64>) -> BudgetAccount {
    BudgetAccount {
        uid: Uuid::new_v4(),
        team_uid: None,
        namespace: "shop".into(),
        name: "monthly".into(),
        parent_uid: None,
        on_exhausted: "Pause".into(),
        limit_cost: limit,
        limit_tokens: None,
        period: "Total".into(),
        time_zone: "UTC".into(),
    }
}

#[tokio::test]
async fn a_limit_may_be_lowered_below_what_is_spent_and_an_edit_takes_the_overage_in() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let mut account = budget(Some(100));
    assert!(upsert_budget(&mut conn, &account).await.unwrap());
    assert!(!upsert_budget(&mut conn, &account).await.unwrap(), "the same again changes nothing");
    sqlx::query(
        "UPDATE accounts SET spent_cost = 70, reserved_cost = 20, overage_cost = 5 WHERE account_uid = $1",
    )
    .bind(account.uid)
    .execute(&mut *conn)
    .await
    .unwrap();
    account.limit_cost = Some(50);
    assert!(upsert_budget(&mut conn, &account).await.unwrap());
    let now = balance(&mut conn, account.uid).await.unwrap().unwrap();
    assert_eq!((now.limit_cost, now.spent_cost, now.overage_cost, now.version), (Some(50), 75, 0, 2));
    let spend = sqlx::query("UPDATE accounts SET spent_cost = spent_cost + 1 WHERE account_uid = $1")
        .bind(account.uid)
        .execute(&mut *conn)
        .await;
    assert!(spend.unwrap_err().to_string().contains("cost_within_limit"), "the table itself refuses more");
    account.on_exhausted = "Fail".into();
    assert!(upsert_budget(&mut conn, &account).await.unwrap());
    assert!(mark_deleted(&mut conn, account.uid).await.unwrap());
    assert!(!mark_deleted(&mut conn, account.uid).await.unwrap());
}

#[tokio::test]
async fn the_tables_refuse_what_no_service_writes() {
    let pool = pool().await;
    let uid = Uuid::new_v4();
    let account = format!(
        "INSERT INTO accounts (account_uid, kind, namespace, name) VALUES ('{uid}', 'Budget', 'shop', 'b')"
    );
    let call = |key: &str, state: &str, cost: i64, actual: &str| {
        format!(
            "INSERT INTO reservations (op_key, request_hash, team_uid, task_uid, attempt, role, provider, model,
                 prompt_digest, path, state, cost, tokens, actual_cost, lease_until)
             VALUES ('{key}', 'h', '{uid}', '{uid}', 1, 'r', 'p', 'm', 'd', '{{{uid}}}', '{state}', {cost}, 1, {actual}, now())"
        )
    };
    let run = async |sql: String| sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await;
    run(account).await.unwrap();
    run(call("fits", "Dispatched", 0, "NULL")).await.unwrap();
    let mut refused: Vec<(String, &str)> = vec![
        (call(&"k".repeat(254), "Dispatched", 1, "NULL"), "operation_key_check"),
        (call("a", "Sent", 1, "NULL"), "reservation_state_check"),
        (call("b", "Dispatched", -1, "NULL"), "no_amount_is_negative"),
        (call("c", "Settled", 1, "-1"), "no_amount_is_negative"),
        (call("d", "Settled", 1, "NULL"), "ended_with_a_cost"),
    ];
    for (set, why) in [
        ("kind = 'Purse'", "account_kind_check"),
        ("on_exhausted = 'Beg'", "exhaustion_rule_check"),
        ("denied = ''", "refusal_words_check"),
        ("period_start = now()", "a_period_has_both_ends"),
    ] {
        refused.push((format!("UPDATE accounts SET {set} WHERE account_uid = '{uid}'"), why));
    }
    for what in ["limit", "spent", "reserved", "overage", "granted"] {
        for unit in ["cost", "tokens"] {
            let sql = format!("UPDATE accounts SET {what}_{unit} = -1 WHERE account_uid = '{uid}'");
            refused.push((sql, "no_amount_is_negative"));
        }
    }
    for (sql, why) in refused {
        let error = run(sql.clone()).await.unwrap_err().to_string();
        assert!(error.contains(why), "{sql}: {error}");
    }
}

#[tokio::test]
async fn what_a_task_is_paid_from_does_not_change() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let (task, team) = (Uuid::new_v4(), Uuid::new_v4());
    let own = TaskAccount {
        task_uid: task,
        team_uid: team,
        namespace: "shop".into(),
        name: "t".into(),
        limit_cost: None,
        limit_tokens: Some(5),
    };
    assert!(upsert_task(&mut conn, &own).await.unwrap());
    let path = [Uuid::new_v4(), task];
    assert_eq!(set_path(&mut conn, task, team, &path).await.unwrap(), path);
    assert_eq!(set_path(&mut conn, task, team, &[task]).await.unwrap(), path);
}

#[tokio::test]
async fn calls_that_wait_are_those_of_open_tasks_on_this_budget_that_were_not_told_to_go_on() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let (account, team) = (budget(Some(100)), Uuid::new_v4());
    let held = |account: &str| json!({"account": account, "missingMicroUsd": 3, "needsMicroUsd": 5, "onExhausted": "Ask"});
    let mut shorter = held("Budget shop/monthly");
    (shorter["leastMicroUsd"], shorter["leastTokens"]) = (json!(2), json!(0));
    let state = json!({"held": {"a/h1": held("Budget shop/monthly"), "b/h1": shorter,
        "c/h1": held("Budget shop/other")}});
    let mut tasks = vec![];
    for (paid_from, ended) in [(account.uid, false), (account.uid, true), (Uuid::new_v4(), false)] {
        let task = Uuid::new_v4();
        set_path(&mut conn, task, team, &[paid_from, task]).await.unwrap();
        sqlx::query(
            "INSERT INTO tasks (task_uid, team_uid, namespace, name, submitted_by, spec, policy, models, state, view, stage,
                                version, outcome, ended_at)
             VALUES ($1, $2, 'shop', 't', 'alice', '{}', '{}', '{}', $3, '{}', 'Producing', 1,
                     CASE WHEN $4 THEN 'Complete' END, CASE WHEN $4 THEN now() END)",
        )
        .bind(task)
        .bind(team)
        .bind(&state)
        .bind(ended)
        .execute(&mut *conn)
        .await
        .unwrap();
        tasks.push(task);
    }
    let waits = waiting(&mut conn, account.uid, "Budget shop/monthly").await.unwrap();
    let one = Waiting {
        task_uid: tasks[0],
        submitted_by: "alice".into(),
        missing_cost: 3,
        missing_tokens: 0,
        needs_cost: 5,
        needs_tokens: 0,
    };
    let least = Waiting { needs_cost: 2, ..one.clone() };
    assert_eq!(waits, [one, least.clone()], "of a call that may be made with less, the least");
    let resumed = NewFact {
        team_uid: team,
        task_uid: tasks[0],
        object_uid: tasks[0],
        fact_key: "resumed/a/h1".into(),
        fact: Fact::BudgetResumed { op_key: "a/h1".into(), moved: false },
    };
    golden_platform::facts::insert(&mut conn, &resumed).await.unwrap();
    assert_eq!(waiting(&mut conn, account.uid, "Budget shop/monthly").await.unwrap(), [least]);
}
