//! Calls nobody speaks for any more.

use golden_ledger_service::{Leases, Ledger, expire};
use uuid::Uuid;

use crate::support::{NO_LEASE, World, granted, postgres, settlement};

async fn world() -> (World, Uuid, Uuid) {
    let world = World::on(postgres(), NO_LEASE).await;
    let root = world.budget(Uuid::new_v4(), None, Some(1000)).await;
    let task = world.task(&[root], None).await;
    (world, root, task)
}

#[tokio::test]
async fn reserved_money_comes_back_and_dispatched_money_counts_as_spent_until_the_usage_is_found() {
    let (world, root, task) = world().await;
    for key in ["reserved", "sent"] {
        assert_eq!(world.reserve(task, key, 100).await, granted("Reserved"));
    }
    world.ledger.dispatch("sent").await.unwrap();
    assert_eq!(expire(&world.ledger).await.unwrap(), 2);
    assert_eq!(
        (world.state("reserved").await, world.state("sent").await),
        ("Released".into(), "Unknown".into())
    );
    assert_eq!(world.money(root).await, (100, 0, 0));
    assert_eq!(expire(&world.ledger).await.unwrap(), 0);
    assert_eq!(world.ledger.settle(&settlement("sent", 30)).await.unwrap().state, "Settled");
    assert_eq!(world.money(root).await, (30, 0, 0), "corrected");
    let actual: i64 = sqlx::query_scalar("SELECT actual_cost FROM reservations WHERE op_key = 'sent'")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(actual, 30);
}

#[tokio::test]
async fn leases_end_also_where_the_databases_clock_went_back() {
    let (world, root, task) = world().await;
    sqlx::query("UPDATE lease_sweep SET swept_until = now() + interval '1 hour'")
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(world.reserve(task, "a", 100).await, granted("Reserved"));
    assert_eq!(expire(&world.ledger).await.unwrap(), 1);
    assert_eq!(world.money(root).await, (0, 0, 0));
    assert_eq!(expire(&world.ledger).await.unwrap(), 0);
    let ahead: bool = sqlx::query_scalar("SELECT swept_until > now() FROM lease_sweep")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert!(!ahead, "the mark is of this clock again");
}

#[tokio::test]
async fn a_lease_that_has_not_ended_is_left_alone() {
    let (world, root, task) = world().await;
    let patient = Ledger::new(world.pool.clone(), Leases::default());
    patient.reserve(&crate::support::request(world.team, task, "a", 100)).await.unwrap();
    assert_eq!(expire(&patient).await.unwrap(), 0);
    assert_eq!(world.money(root).await, (0, 100, 0));
}

#[tokio::test]
async fn an_abandoned_call_is_unknown_at_once_and_corrected_when_its_usage_is_found() {
    let (world, root, task) = world().await;
    let patient = Ledger::new(world.pool.clone(), Leases::default());
    patient.reserve(&crate::support::request(world.team, task, "a", 100)).await.unwrap();
    patient.dispatch("a").await.unwrap();
    for _ in 0..2 {
        assert_eq!(patient.abandon("a").await.unwrap().state, "Unknown");
        assert_eq!(world.money(root).await, (100, 0, 0));
    }
    patient.settle(&settlement("a", 30)).await.unwrap();
    assert_eq!(patient.abandon("a").await.unwrap().state, "Settled", "too late to matter");
    assert_eq!(world.money(root).await, (30, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_ledgers_that_end_leases_and_a_late_settlement_end_each_call_once() {
    let (world, root, task) = world().await;
    for n in 0..20 {
        let key = format!("k{n}");
        world.reserve(task, &key, 10).await;
        if n % 2 == 0 {
            world.ledger.dispatch(&key).await.unwrap();
        }
    }
    let (one, two) = (world.ledger.clone(), world.ledger.clone());
    let late = world.ledger.clone();
    let settling = tokio::spawn(async move {
        for n in (0..20).step_by(4) {
            late.settle(&settlement(&format!("k{n}"), 4)).await.unwrap();
        }
    });
    let (a, b) = tokio::join!(
        tokio::spawn(async move { expire(&one).await }),
        tokio::spawn(async move { expire(&two).await })
    );
    a.unwrap().unwrap();
    b.unwrap().unwrap();
    settling.await.unwrap();
    // Ten were sent: five settled at 4, before or after their lease, five are Unknown at 10.
    assert_eq!(world.money(root).await, (5 * 4 + 5 * 10, 0, 0));
}
