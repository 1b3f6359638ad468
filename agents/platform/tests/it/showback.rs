//! Who spends a Budget.

use golden_platform::ledger_accounts::{BudgetAccount, TaskAccount, set_path, upsert_budget, upsert_task};
use golden_platform::showback::spenders;
use uuid::Uuid;

use crate::support::pool;

#[tokio::test]
async fn the_lines_add_up_to_all_that_was_spent_however_many_spent_it() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let (budget, team) = (Uuid::new_v4(), Uuid::new_v4());
    let account = BudgetAccount {
        uid: budget,
        team_uid: None,
        namespace: "shop".into(),
        name: "monthly".into(),
        parent_uid: None,
        on_exhausted: "Pause".into(),
        limit_cost: None,
        limit_tokens: None,
        period: "Total".into(),
        time_zone: "UTC".into(),
    };
    upsert_budget(&mut conn, &account).await.unwrap();
    for (namespace, name) in [("shop", "fix"), ("elsewhere", "secret")] {
        let task_uid = Uuid::new_v4();
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        let own =
            TaskAccount { task_uid, team_uid: team, namespace, name, limit_cost: None, limit_tokens: None };
        upsert_task(&mut conn, &own).await.unwrap();
        set_path(&mut conn, task_uid, team, &[budget, task_uid]).await.unwrap();
        // Six hundred models each, the later the dearer.
        sqlx::query(
            "INSERT INTO reservations (op_key, request_hash, team_uid, task_uid, attempt, role, provider, model,
                 prompt_digest, path, state, cost, tokens, actual_cost, input_tokens, output_tokens, lease_until, ended_at)
             SELECT $1 || '/' || n, 'h', $2, $1::uuid, 1, 'developer', 'p', 'm' || n, 'd', ARRAY[$3, $1::uuid],
                    'Settled', n, 3, n, 2, 1, now(), now()
             FROM generate_series(1, 600) AS n",
        )
        .bind(task_uid.to_string())
        .bind(team)
        .bind(budget)
        .execute(&mut *conn)
        .await
        .unwrap();
    }
    let lines = spenders(&mut *conn, "shop", "monthly").await.unwrap();
    let sum = |of: fn(&golden_platform::showback::Spender) -> i64| lines.iter().map(of).sum::<i64>();
    assert_eq!((sum(|l| l.cost), sum(|l| l.calls)), (600 * 601, 1200));
    assert_eq!((sum(|l| l.input_tokens), sum(|l| l.output_tokens)), (2400, 1200));
    assert_eq!(lines.len(), 1000);
    let (first, last) = (&lines[0], &lines[999]);
    assert_eq!((first.namespace.as_str(), first.task.as_deref(), first.cost), ("elsewhere", None, 600));
    assert_eq!((lines[1].task.as_deref(), lines[1].model.as_str()), (Some("fix"), "m600"));
    let others = (last.namespace.as_str(), last.task.as_deref(), last.role.as_str(), last.model.as_str());
    assert_eq!((others, last.calls), (("*", None, "*", "*"), 201));
    assert_eq!(spenders(&mut *conn, "elsewhere", "monthly").await.unwrap(), []);
}
