//! What was told is on the disk, though batches are committed before they are.

use futures::future::{join_all, try_join_all};
use golden_cluster::services::Postgres;
use golden_ledger_service::Leases;
use golden_platform::ledger_accounts::mark_deleted;
use golden_platform::wire::{ReserveAnswer, SettleRequest};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::support::{World, granted, postgres, request, settlement};

/// A server that brings nothing to the disk by itself for the next seconds.
fn lazy() -> Postgres {
    let server = Postgres::start().unwrap();
    server.execute("ALTER SYSTEM SET wal_writer_delay = '10s'").unwrap();
    server.execute("SELECT pg_reload_conf()").unwrap();
    server
}

/// The server is killed and comes back. The ledger's connections are gone then, which a call of another task finds out.
async fn crash(world: &World, server: &Postgres, task: Uuid) {
    server.kill().unwrap();
    server.restart().unwrap();
    let call = request(world.team, task, &Uuid::new_v4().to_string(), 1);
    for _ in 0..10 {
        if world.ledger.reserve(&call).await.is_ok() {
            return;
        }
    }
    panic!("the ledger did not come back");
}

/// A Budget and a task that it pays, whose first call is paid and remembered.
async fn begun(world: &World) -> (Uuid, Uuid) {
    let root = world.budget(Uuid::new_v4(), None, Some(100)).await;
    let task = world.task(&[root], None).await;
    assert_eq!(world.reserve(task, &format!("first-{task}"), 10).await, granted("Reserved"));
    (root, task)
}

/// A lone step, and steps that come together, which are written without waiting for the disk.
#[tokio::test]
async fn a_step_is_told_when_it_is_on_the_disk() {
    const KEYS: [&[&str]; 3] = [&["alone"], &["a", "b"], &["c", "d", "e"]];
    let server = lazy();
    let world = World::on(&server, Leases::default()).await;
    let (root, task) = begun(&world).await;
    let (_, other) = begun(&world).await;
    for keys in KEYS {
        let told = join_all(keys.iter().map(|key| world.reserve(task, key, 10))).await;
        assert!(told.iter().all(|answer| *answer == granted("Reserved")), "{told:?}");
        crash(&world, &server, other).await;
        for key in keys {
            assert_eq!(world.state(key).await, "Reserved", "{key}");
        }
        try_join_all(keys.iter().map(|key| world.ledger.dispatch(key))).await.unwrap();
        let settlements: Vec<SettleRequest> = keys.iter().map(|key| settlement(key, 7)).collect();
        try_join_all(settlements.iter().map(|settled| world.ledger.settle(settled))).await.unwrap();
        crash(&world, &server, other).await;
        for key in keys {
            assert_eq!(world.state(key).await, "Settled", "{key}");
        }
    }
    assert_eq!(world.money(root).await, (42, 10, 0));
}

#[tokio::test]
async fn what_is_told_of_a_call_that_another_ledger_has_just_begun_is_on_the_disk() {
    let server = lazy();
    let world = World::on(&server, Leases::default()).await;
    let (root, task) = begun(&world).await;
    let (_, other) = begun(&world).await;
    // Committed by another ledger, which waits for the disk.
    let mut theirs = PgConnection::connect(&world.url).await.unwrap();
    sqlx::query("SET synchronous_commit = off").execute(&mut theirs).await.unwrap();
    sqlx::query(
        "WITH paid AS (UPDATE accounts SET reserved_cost = reserved_cost + 10, reserved_tokens = reserved_tokens + 10
                       WHERE account_uid IN ($1, $2))
         INSERT INTO reservations (op_key, request_hash, team_uid, task_uid, attempt, role, provider, model,
                                   prompt_digest, path, state, cost, tokens, lease_until)
         SELECT 'theirs', 'sha256:theirs', team_uid, task_uid, attempt, role, provider, model, prompt_digest, path,
                'Reserved', 10, 10, lease_until
         FROM reservations WHERE task_uid = $2",
    )
    .bind(root)
    .bind(task)
    .execute(&mut theirs)
    .await
    .unwrap();
    assert_eq!(world.reserve(task, "theirs", 10).await, granted("Reserved"));
    crash(&world, &server, other).await;
    assert_eq!(world.state("theirs").await, "Reserved");
    assert_eq!(world.money(root).await, (0, 20, 0));
}

#[tokio::test]
async fn an_account_that_a_crash_took_back_is_not_taken_for_the_one_that_is_remembered() {
    let world = World::on(postgres(), Leases::default()).await;
    let (root, task) = begun(&world).await;
    let before: Vec<(Uuid, i64)> =
        sqlx::query_as("SELECT account_uid, revision FROM accounts").fetch_all(&world.pool).await.unwrap();
    assert_eq!(world.reserve(task, "lost", 20).await, granted("Reserved"));
    // The call is lost, as where a standby takes over that had not heard of it yet.
    sqlx::query("DELETE FROM reservations WHERE op_key = 'lost'").execute(&world.pool).await.unwrap();
    for (uid, revision) in before {
        sqlx::query(
            "UPDATE accounts SET reserved_cost = 10, reserved_tokens = 10, revision = $2 WHERE account_uid = $1",
        )
        .bind(uid)
        .bind(revision)
        .execute(&world.pool)
        .await
        .unwrap();
    }
    // One change of each, as the lost call was: by counting they would be where they were left.
    mark_deleted(&mut world.pool.acquire().await.unwrap(), root).await.unwrap();
    sqlx::query("UPDATE accounts SET name = name WHERE account_uid = $1")
        .bind(task)
        .execute(&world.pool)
        .await
        .unwrap();
    let call = request(world.team, task, "next", 20);
    assert_eq!(world.ledger.reserve(&call).await.unwrap(), ReserveAnswer::NoAccount);
    assert_eq!(world.money(root).await, (0, 10, 0));
}
