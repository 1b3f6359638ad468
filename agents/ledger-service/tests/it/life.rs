//! A call is charged exactly once, however often each step is sent.

use golden_ledger_service::Error;
use golden_platform::wire::ReserveAnswer;
use uuid::Uuid;

use crate::support::{World, granted, request, settlement};

async fn world() -> (World, Uuid, Uuid) {
    let world = World::new().await;
    let root = world.budget(Uuid::new_v4(), None, Some(1000)).await;
    let task = world.task(&[root], None).await;
    (world, root, task)
}

#[tokio::test]
async fn every_step_may_be_sent_again() {
    let (world, root, task) = world().await;
    for _ in 0..2 {
        assert_eq!(world.reserve(task, "a", 100).await, granted("Reserved"));
    }
    for _ in 0..2 {
        assert_eq!(world.ledger.dispatch("a").await.unwrap().state, "Dispatched");
    }
    assert_eq!(world.reserve(task, "a", 100).await, granted("Dispatched"), "the state tells how far it is");
    for cost in [60, 99] {
        assert_eq!(world.ledger.settle(&settlement("a", cost)).await.unwrap().state, "Settled");
    }
    assert_eq!(world.money(root).await, (60, 0, 0), "the first report counts");
    assert_eq!(world.money(task).await, (60, 0, 0));
    assert_eq!(world.reserve(task, "a", 100).await, granted("Settled"));
    let kept: (i64, i64, i64) =
        sqlx::query_as("SELECT actual_cost, input_tokens, latency_ms FROM reservations WHERE op_key = 'a'")
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!(kept, (60, 60, 5));
}

#[tokio::test]
async fn a_released_call_costs_nothing_and_cannot_go_upstream() {
    let (world, root, task) = world().await;
    world.reserve(task, "a", 100).await;
    for _ in 0..2 {
        assert_eq!(world.ledger.release("a").await.unwrap().state, "Released");
    }
    assert_eq!(world.money(root).await, (0, 0, 0));
    assert!(matches!(world.ledger.dispatch("a").await, Err(Error::Illegal(_))));
    assert_eq!(world.reserve(task, "a", 100).await, granted("Released"));
}

#[tokio::test]
async fn money_that_may_be_spent_is_not_given_back() {
    let (world, root, task) = world().await;
    world.reserve(task, "a", 100).await;
    assert!(
        matches!(world.ledger.settle(&settlement("a", 1)).await, Err(Error::Illegal(_))),
        "never dispatched"
    );
    world.ledger.dispatch("a").await.unwrap();
    assert!(matches!(world.ledger.release("a").await, Err(Error::Illegal(_))));
    assert_eq!(world.money(root).await, (0, 100, 0));
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let (world, root, task) = world().await;
    world.reserve(task, "a", 100).await;
    let mut other = request(world.team, task, "a", 100);
    other.request_hash = "sha256:other".into();
    assert_eq!(world.ledger.reserve(&other).await.unwrap(), ReserveAnswer::OtherRequest);
    let stranger = world.task(&[], None).await;
    let mut other = request(world.team, stranger, "a", 100);
    other.request_hash = "sha256:other".into();
    assert_eq!(
        world.ledger.reserve(&other).await.unwrap(),
        ReserveAnswer::OtherRequest,
        "also from another task"
    );
    assert_eq!(world.money(root).await, (0, 100, 0));
}

#[tokio::test]
async fn an_older_try_is_not_paid_any_more() {
    let (world, _, task) = world().await;
    let (old, new) = (Uuid::new_v4(), Uuid::new_v4());
    for (r#try, pod) in [(1, old), (2, new)] {
        sqlx::query(
            "INSERT INTO desired (namespace, name, team_uid, task_uid, kind, attempt, try, spec, object_uid)
             VALUES ('shop', $1, $2, $3, 'AttemptPod', 1, $4, '{}', $5)",
        )
        .bind(format!("t{try}"))
        .bind(world.team)
        .bind(task)
        .bind(r#try)
        .bind(pod)
        .execute(&world.pool)
        .await
        .unwrap();
    }
    let mut call = request(world.team, task, "a", 1);
    call.try_uid = Some(old);
    assert!(matches!(world.ledger.reserve(&call).await, Err(Error::StaleTry(pod)) if pod == old));
    call.try_uid = Some(new);
    assert_eq!(world.ledger.reserve(&call).await.unwrap(), granted("Reserved"));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_fields_name() {
    let (world, root, task) = world().await;
    let mut negative = request(world.team, task, "a", 1);
    negative.cost_micro_usd = -1;
    let refused = world.ledger.reserve(&negative).await.unwrap_err().to_string();
    assert!(refused.contains("costMicroUsd"), "{refused}");
    let long = request(world.team, task, &"k".repeat(254), 1);
    assert!(matches!(world.ledger.reserve(&long).await, Err(Error::Invalid { field: "opKey", .. })));
    assert!(matches!(world.ledger.dispatch("nobody's").await, Err(Error::UnknownKey(_))));
    let huge = request(world.team, task, "huge", i64::MAX);
    assert!(world.ledger.reserve(&huge).await.is_ok_and(|a| matches!(a, ReserveAnswer::Exhausted { .. })));
    assert_eq!(world.money(root).await, (0, 0, 0));
}
