//! How calls ended, remembered: the same answers with Redis, without it, and with one that forgot or was written by
//! somebody else.

use std::time::{Duration, Instant};

use golden_cluster::services::{Postgres, Redis};
use golden_ledger_service::{Error, Leases, Ledger};
use golden_platform::cache::Cache;
use golden_platform::telemetry::Metrics;
use uuid::Uuid;

use crate::support::{World, granted, postgres, request, settlement};

/// A ledger that remembers, as a process of its own would.
struct Remembering {
    ledger: Ledger,
    metrics: Metrics,
}

impl Remembering {
    async fn on(world: &World, redis: &Redis) -> Self {
        let metrics = Metrics::new("ledger").unwrap();
        let cache = Cache::patient(&redis.url(), &metrics, Duration::from_millis(500)).unwrap();
        until("Redis answers", async || cache.standing().is_ok()).await;
        let ledger = Ledger::new(world.pool.clone(), Leases::default());
        let ledger = ledger.remembering(Some(&cache), &metrics).unwrap();
        Self { ledger, metrics }
    }

    /// Answers without Postgres, from there.
    fn recalled(&self, from: &str) -> u64 {
        let text = self.metrics.render().unwrap();
        let series = format!("golden_ledger_recalled_total{{from=\"{from}\",service=\"ledger\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |count| count.parse().unwrap())
    }

    /// Reserved, dispatched and settled at 60 of 100.
    async fn settled(&self, world: &World, task: Uuid, key: &str) {
        self.ledger.reserve(&request(world.team, task, key, 100)).await.unwrap();
        self.ledger.dispatch(key).await.unwrap();
        self.ledger.settle(&settlement(key, 60)).await.unwrap();
    }

    /// Once it knows the database and its Redis: calls that end are remembered from then on.
    async fn remembers(&self, world: &World, task: Uuid) {
        let mut n = 0;
        until("an end is recalled", async || {
            n += 1;
            let key = format!("first-{}-{n}", Uuid::new_v4());
            self.settled(world, task, &key).await;
            self.ledger.settle(&settlement(&key, 60)).await.unwrap();
            self.recalled("process") > 0
        })
        .await;
    }
}

async fn until(what: &str, mut found: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !found().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "not seen: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn world(server: &Postgres) -> (World, Uuid, Uuid) {
    let world = World::on(server, Leases::default()).await;
    let root = world.budget(Uuid::new_v4(), None, Some(1_000_000)).await;
    let task = world.task(&[root], None).await;
    (world, root, task)
}

/// What every step of an ended call is answered.
async fn answers(ledger: &Ledger, world: &World, task: Uuid, key: &str) -> Vec<String> {
    let mut other = request(world.team, task, key, 100);
    other.request_hash = "sha256:another".into();
    let say = |answer: Result<String, Error>| answer.unwrap_or_else(|e| e.to_string());
    let state = |answer: Result<golden_platform::wire::OpAnswer, Error>| say(answer.map(|a| a.state));
    vec![
        say(ledger.reserve(&request(world.team, task, key, 100)).await.map(|a| format!("{a:?}"))),
        say(ledger.reserve(&other).await.map(|a| format!("{a:?}"))),
        state(ledger.dispatch(key).await),
        state(ledger.settle(&settlement(key, 99)).await),
        state(ledger.release(key).await),
        state(ledger.abandon(key).await),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_again_is_told_the_same_from_memory_by_another_process_and_by_postgres() {
    let redis = Redis::start().unwrap();
    let (world, root, task) = world(postgres()).await;
    let (one, two) = (Remembering::on(&world, &redis).await, Remembering::on(&world, &redis).await);
    one.remembers(&world, task).await;
    two.remembers(&world, task).await;
    one.settled(&world, task, "settled").await;
    one.ledger.reserve(&request(world.team, task, "released", 100)).await.unwrap();
    one.ledger.release("released").await.unwrap();
    let before = world.money(root).await;
    for key in ["settled", "released"] {
        // Written behind the answer, so that nobody waits for it.
        until("kept in Redis", async || {
            let known = redis.command(&format!("KEYS golden:ended:*:{key}")).unwrap();
            known == "*1"
        })
        .await;
        let by_postgres = answers(&world.ledger, &world, task, key).await;
        let (mine, theirs) = (one.recalled("process"), two.recalled("redis"));
        assert_eq!(answers(&one.ledger, &world, task, key).await, by_postgres);
        assert_eq!(one.recalled("process"), mine + 6, "{key}: all six without Postgres");
        let first = two.ledger.abandon(key).await.unwrap().state;
        assert_eq!(Some(&first), by_postgres.last());
        assert_eq!(two.recalled("redis"), theirs + 1, "{key}: another process has it from Redis");
        assert_eq!(answers(&two.ledger, &world, task, key).await, by_postgres);
    }
    assert_eq!(world.money(root).await, before, "nothing was charged for any of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_far_a_call_is_and_a_refusal_are_never_remembered() {
    let redis = Redis::start().unwrap();
    let (world, root, task) = world(postgres()).await;
    let (one, two) = (Remembering::on(&world, &redis).await, Remembering::on(&world, &redis).await);
    one.remembers(&world, task).await;
    two.remembers(&world, task).await;
    let asked = request(world.team, task, "a", 100);
    assert_eq!(one.ledger.reserve(&asked).await.unwrap(), granted("Reserved"));
    two.ledger.dispatch("a").await.unwrap();
    assert_eq!(one.ledger.reserve(&asked).await.unwrap(), granted("Dispatched"), "or it would be sent twice");
    // Nobody saw its end; then its usage is found.
    assert_eq!(one.ledger.abandon("a").await.unwrap().state, "Unknown");
    assert_eq!(two.ledger.settle(&settlement("a", 60)).await.unwrap().state, "Settled");

    let spent = world.money(root).await.0;
    world.budget(root, None, Some(spent)).await;
    let refused = one.ledger.reserve(&request(world.team, task, "b", 100)).await.unwrap();
    assert!(matches!(refused, golden_platform::wire::ReserveAnswer::Exhausted { .. }));
    world.budget(root, None, Some(spent + 100)).await;
    assert_eq!(one.ledger.reserve(&request(world.team, task, "b", 100)).await.unwrap(), granted("Reserved"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgot_or_is_away_changes_no_answer() {
    let redis = Redis::start().unwrap();
    let (world, root, task) = world(postgres()).await;
    let one = Remembering::on(&world, &redis).await;
    one.remembers(&world, task).await;
    one.settled(&world, task, "a").await;
    let want = answers(&world.ledger, &world, task, "a").await;
    redis.flush().unwrap();
    let other = Remembering::on(&world, &redis).await;
    assert_eq!(answers(&other.ledger, &world, task, "a").await, want);
    redis.stop().unwrap();
    one.settled(&world, task, "b").await;
    assert_eq!(
        answers(&one.ledger, &world, task, "b").await,
        answers(&world.ledger, &world, task, "b").await
    );
    assert_eq!(answers(&other.ledger, &world, task, "a").await, want);
    let (spent, reserved, _) = world.money(root).await;
    assert_eq!((spent, reserved), world.sums().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_somebody_made_up_costs_the_bound_and_frees_nothing() {
    let redis = Redis::start().unwrap();
    let (world, root, task) = world(postgres()).await;
    let (one, two) = (Remembering::on(&world, &redis).await, Remembering::on(&world, &redis).await);
    one.remembers(&world, task).await;
    two.remembers(&world, task).await;
    one.settled(&world, task, "a").await;
    one.ledger.reserve(&request(world.team, task, "b", 100)).await.unwrap();
    one.ledger.dispatch("b").await.unwrap();
    until("kept in Redis", async || redis.command("KEYS golden:ended:*:a").unwrap() == "*1").await;
    // The end of a, under the name of b.
    let forge = "EVAL \"for _, k in ipairs(redis.call('KEYS', 'golden:ended:*:a')) do \
                 redis.call('RENAME', k, (string.gsub(k, ':a$', ':b'))) end return 1\" 0";
    assert_eq!(redis.command(forge).unwrap(), ":1");
    let before = world.money(root).await;
    assert_eq!(two.ledger.settle(&settlement("b", 60)).await.unwrap().state, "Settled");
    assert_eq!(two.recalled("redis"), 1, "it believed Redis");
    assert_eq!((world.state("b").await.as_str(), world.money(root).await), ("Dispatched", before));
    sqlx::query("UPDATE reservations SET lease_until = now() - interval '1 second' WHERE op_key = 'b'")
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(golden_ledger_service::expire(&one.ledger).await.unwrap(), 1);
    let after = world.money(root).await;
    assert_eq!((after.0 - before.0, after.1 - before.1), (100, -100), "its bound");
    assert_eq!((after.0, after.1), world.sums().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_remembered_before_the_database_was_restored_does_not_count() {
    let server = Postgres::start().unwrap();
    let redis = Redis::start().unwrap();
    let (world, root, task) = world(&server).await;
    let one = Remembering::on(&world, &redis).await;
    one.remembers(&world, task).await;
    one.settled(&world, task, "a").await;
    until("kept in Redis", async || redis.command("KEYS golden:ended:*:a").unwrap() == "*1").await;
    // A backup from before its end.
    for statement in [
        "UPDATE accounts SET spent_cost = spent_cost - 60, reserved_cost = reserved_cost + 100,
             spent_tokens = spent_tokens - 60, reserved_tokens = reserved_tokens + 100",
        "UPDATE reservations SET state = 'Dispatched', actual_cost = NULL, input_tokens = NULL, output_tokens = NULL,
             latency_ms = NULL, ended_at = NULL, lease_until = now() + interval '10 minutes' WHERE op_key = 'a'",
    ] {
        sqlx::query(statement).execute(&world.pool).await.unwrap();
    }
    server.restart().unwrap();
    let later = Remembering::on(&world, &redis).await;
    later.remembers(&world, task).await;
    let before = world.money(root).await;
    assert_eq!(later.ledger.settle(&settlement("a", 70)).await.unwrap().state, "Settled");
    let after = world.money(root).await;
    assert_eq!(
        (after.0 - before.0, after.1 - before.1),
        (70, -100),
        "it was settled, and not taken for settled"
    );
}
