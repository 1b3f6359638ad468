//! Budgets whose limits count for a day, a week or a month.

use std::time::Duration;

use golden_ledger_service::{Leases, expire};
use golden_platform::ledger_accounts::{BudgetAccount, upsert_budget};
use golden_platform::wire::ReserveAnswer;
use uuid::Uuid;

use crate::support::{NO_LEASE, World, granted, midnight, postgres, settlement};

async fn daily(world: &World, uid: Uuid, limit: i64, zone: &str) {
    let account = BudgetAccount {
        uid,
        team_uid: None,
        namespace: "shop".into(),
        name: "daily".into(),
        parent_uid: None,
        on_exhausted: "Pause".into(),
        limit_cost: Some(limit),
        limit_tokens: None,
        period: "Day".into(),
        time_zone: zone.into(),
    };
    upsert_budget(&mut world.pool.acquire().await.unwrap(), &account).await.unwrap();
}

async fn days_left(world: &World, uid: Uuid) -> bool {
    sqlx::query_scalar(
        "SELECT period_end > now() AND period_start <= now() FROM accounts WHERE account_uid = $1",
    )
    .bind(uid)
    .fetch_one(&world.pool)
    .await
    .unwrap()
}

async fn spend(world: &World, task: Uuid, key: &str, cost: i64) {
    assert_eq!(world.reserve(task, key, cost).await, granted("Reserved"));
    world.ledger.dispatch(key).await.unwrap();
    world.ledger.settle(&settlement(key, cost)).await.unwrap();
}

#[tokio::test]
async fn a_new_day_has_the_whole_limit_less_what_is_under_way() {
    let world = World::new().await;
    let root = Uuid::new_v4();
    daily(&world, root, 100, "Europe/Berlin").await;
    let task = world.task(&[root], None).await;
    spend(&world, task, "morning", 60).await;
    assert_eq!(world.reserve(task, "night", 40).await, granted("Reserved"));
    world.ledger.dispatch("night").await.unwrap();
    let held = world.reserve(task, "held", 50).await;
    assert!(matches!(held, ReserveAnswer::Exhausted { missing_micro_usd: 50, .. }), "{held:?}");

    midnight(&world, root).await;
    assert_eq!(world.reserve(task, "held", 50).await, granted("Reserved"), "the same call goes on");
    assert!(days_left(&world, root).await);
    assert_eq!(world.money(root).await, (0, 90, 0), "the call of the night is carried over");
    world.ledger.settle(&settlement("night", 40)).await.unwrap();
    assert_eq!(world.money(root).await, (40, 50, 0), "and counts when it ends");
    let more = world.reserve(task, "more", 11).await;
    assert!(matches!(more, ReserveAnswer::Exhausted { missing_micro_usd: 1, .. }), "{more:?}");
}

#[tokio::test]
async fn a_task_s_own_limit_is_for_ever() {
    let world = World::new().await;
    let root = Uuid::new_v4();
    daily(&world, root, 100, "UTC").await;
    let task = world.task(&[root], Some(70)).await;
    spend(&world, task, "a", 60).await;
    midnight(&world, root).await;
    let refused = world.reserve(task, "b", 20).await;
    assert!(matches!(&refused, ReserveAnswer::Exhausted { account, .. } if account.starts_with("AgentTask")));
}

#[tokio::test]
async fn what_is_found_of_a_call_of_yesterday_is_no_money_of_today() {
    let world = World::on(postgres(), NO_LEASE).await;
    let root = Uuid::new_v4();
    daily(&world, root, 100, "UTC").await;
    let task = world.task(&[root], None).await;
    assert_eq!(world.reserve(task, "lost", 80).await, granted("Reserved"));
    world.ledger.dispatch("lost").await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(expire(&world.ledger).await.unwrap(), 1);
    assert_eq!(world.money(root).await, (80, 0, 0), "Unknown: its bound");
    // A day later.
    sqlx::query("UPDATE reservations SET ended_at = ended_at - interval '1 day' WHERE op_key = 'lost'")
        .execute(&world.pool)
        .await
        .unwrap();
    midnight(&world, root).await;
    let patient = golden_ledger_service::Ledger::new(world.pool.clone(), Leases::default());
    patient.reserve(&crate::support::request(world.team, task, "today", 70)).await.unwrap();
    patient.dispatch("today").await.unwrap();
    patient.settle(&settlement("today", 70)).await.unwrap();
    assert_eq!(patient.settle(&settlement("lost", 10)).await.unwrap().state, "Settled");
    assert_eq!(world.money(root).await, (70, 0, 0), "today's spending stays");
    assert_eq!(world.money(task).await, (80, 0, 0), "the task's own account has no days: 70 and 10");
}

#[tokio::test]
async fn another_period_or_zone_begins_with_what_is_spent() {
    let world = World::new().await;
    let root = world.budget(Uuid::new_v4(), None, Some(100)).await;
    let task = world.task(&[root], None).await;
    spend(&world, task, "a", 60).await;
    daily(&world, root, 100, "UTC").await;
    let refused = world.reserve(task, "b", 50).await;
    assert!(matches!(refused, ReserveAnswer::Exhausted { missing_micro_usd: 10, .. }), "{refused:?}");
    spend(&world, task, "c", 10).await;
    assert!(days_left(&world, root).await);
    midnight(&world, root).await;
    let late = world.reserve(task, "d", 100).await;
    assert!(
        matches!(late, ReserveAnswer::Exhausted { missing_micro_usd: 50, .. }),
        "b waits, and comes first: {late:?}"
    );
    spend(&world, task, "b", 50).await;
    assert_eq!(world.money(root).await, (50, 0, 0));
}
