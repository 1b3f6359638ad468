//! The supervisor with real Postgres and NATS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::pull;
use futures::StreamExt;
use golden_cluster::services::{Nats, Postgres};
use golden_platform::auth::{Authenticator, Caller, Fixed};
use golden_platform::consumer::{Consumer, Failure};
use golden_platform::wire::{Envelope, EscalationRaised, Message};
use golden_platform::{CancellationToken, db, dead_letters, nats, streams, subjects, telemetry};
use golden_supervisor::{
    Desk, Escalations, LetterError, Metrics, discard, drain, list, pass, replay, rescue, router,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use uuid::Uuid;

struct Stores {
    postgres: Postgres,
    nats: Nats,
}

/// One pair of servers for the tests that run at the same time; the last one ends them.
fn stores() -> Arc<Stores> {
    static SHARED: Mutex<Weak<Stores>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap();
    shared.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Stores { postgres: Postgres::start().unwrap(), nats: Nats::start().unwrap() });
        *shared = Arc::downgrade(&started);
        started
    })
}

struct World {
    _stores: Arc<Stores>,
    pool: PgPool,
    js: Context,
    team: Uuid,
    stop: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    async fn new() -> Self {
        let stores = stores();
        let database = stores.postgres.create_database().unwrap();
        db::migrate(&database).await.unwrap();
        let pool = db::connect(&database, 4).unwrap();
        let js = nats::jetstream(&nats::connect(&stores.nats.url()).await.unwrap());
        let team = Uuid::new_v4();
        streams::ensure(&js, team).await.unwrap();
        Self { _stores: stores, pool, js, team, stop: CancellationToken::new() }
    }

    fn raised(&self, seconds: i64) -> Envelope {
        let deadline = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        let task = Uuid::new_v4();
        let raised = EscalationRaised {
            escalation_id: Uuid::new_v4(),
            reason: "Tie".into(),
            evidence: json!({"dissent": []}),
            options: vec!["Accept".into(), "Reject".into()],
            owner: "alice".into(),
            digest: "sha256:0".into(),
            deadline: deadline.to_string(),
            default_option: "Reject".into(),
        };
        Envelope {
            v: 1,
            id: format!("{task}/1/escalation"),
            team: self.team,
            task,
            attempt: 1,
            r#try: 1,
            message: Message::EscalationRaised(Box::new(raised)),
        }
    }

    /// The supervisor's consumer at work.
    fn take_in(&self) {
        let registry = telemetry::Metrics::new("supervisor").unwrap();
        let escalations = Escalations { pool: self.pool.clone(), metrics: Metrics::new(&registry).unwrap() };
        let stream = subjects::escalations_stream(self.team);
        let consumer =
            Consumer::new(self.js.clone(), self.pool.clone(), self.team, stream, subjects::SUPERVISOR);
        tokio::spawn(consumer.run(self.stop.clone(), move |delivery| {
            let escalations = escalations.clone();
            async move { escalations.handle(delivery).await }
        }));
    }

    async fn raise(&self, seconds: i64) -> Uuid {
        let envelope = self.raised(seconds);
        let Message::EscalationRaised(raised) = &envelope.message else { panic!("no escalation") };
        nats::publish(&self.js, &envelope, &subjects::escalation(self.team)).await.unwrap();
        raised.escalation_id
    }

    async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    async fn messages(&self, stream: &str) -> u64 {
        self.js.get_stream(stream).await.unwrap().info().await.unwrap().state.messages
    }
}

async fn until<F: AsyncFnMut() -> bool>(what: &str, mut found: F) {
    let begun = Instant::now();
    while !found().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "not seen: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_gives_the_default_once_and_never_before() {
    let world = World::new().await;
    world.take_in();
    let late = world.raise(-1).await;
    world.raise(3600).await;
    until("two rows", async || world.count("SELECT count(*) FROM escalations").await == 2).await;
    // Two replicas at the same time.
    let (first, second) = tokio::join!(pass(&world.pool, world.team), pass(&world.pool, world.team));
    assert_eq!(first.unwrap() + second.unwrap(), 1);
    assert_eq!(pass(&world.pool, world.team).await.unwrap(), 0);
    let facts: Vec<Value> =
        sqlx::query_scalar("SELECT body FROM facts").fetch_all(&world.pool).await.unwrap();
    assert_eq!(facts.len(), 1);
    assert_eq!((&facts[0]["escalationId"], &facts[0]["option"]), (&json!(late), &json!("Reject")));
    let open = "SELECT count(*) FROM escalations WHERE state = 'Open'";
    assert_eq!(world.count(open).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_before_the_first_attempt_is_left_to_who_asked_it() {
    let world = World::new().await;
    sqlx::query(
        "INSERT INTO escalations (escalation_id, team_uid, task_uid, task_name, attempt, reason, evidence, options, owner,
                                  digest, deadline, default_option)
         VALUES (gen_random_uuid(), $1, gen_random_uuid(), 'fix', 0, 'ForecastExceedsBudget', '{}', '[]', 'core',
                 'sha256:0', now() - interval '1 hour', 'Wait')",
    )
    .bind(world.team)
    .execute(&world.pool)
    .await
    .unwrap();
    assert_eq!(pass(&world.pool, world.team).await.unwrap(), 0);
    assert_eq!(world.count("SELECT count(*) FROM escalations WHERE state = 'Open'").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM facts").await, 0, "no orchestrator knows its task");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_deadline_stands() {
    let world = World::new().await;
    world.take_in();
    world.raise(-1).await;
    until("a row", async || world.count("SELECT count(*) FROM escalations").await == 1).await;
    sqlx::query("UPDATE escalations SET state = 'Resolved', chosen = 'Accept', resolved_by = 'bob', resolved_at = now()")
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(pass(&world.pool, world.team).await.unwrap(), 0);
    assert_eq!(world.count("SELECT count(*) FROM facts").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_kept_replayed_once_and_processed() {
    let world = World::new().await;
    let envelope = world.raised(3600);
    // A consumer that cannot process it buries it.
    let stop = CancellationToken::new();
    let stream = subjects::escalations_stream(world.team);
    let consumer =
        Consumer::new(world.js.clone(), world.pool.clone(), world.team, stream.clone(), subjects::SUPERVISOR);
    let failing = tokio::spawn(
        consumer.run(stop.clone(), |_| async { Err(Failure::Poison("no handler for it yet".into())) }),
    );
    nats::publish(&world.js, &envelope, &subjects::escalation(world.team)).await.unwrap();
    until("a dead letter", async || !list(&world.pool, world.team).await.unwrap().is_empty()).await;
    stop.cancel();
    failing.await.unwrap();
    tokio::spawn(drain(world.js.clone(), world.pool.clone(), world.team, world.stop.clone()));
    let dlq = subjects::dlq_stream(world.team);
    until("the letters' stream is drained", async || world.messages(&dlq).await == 0).await;
    let letter = list(&world.pool, world.team).await.unwrap().remove(0);
    assert_eq!((letter.state.as_str(), letter.reason.as_str()), ("Held", "no handler for it yet"));

    replay(&world.pool, &world.js, world.team, letter.id).await.unwrap();
    let again = replay(&world.pool, &world.js, world.team, letter.id).await.unwrap_err();
    assert!(matches!(again, LetterError::NotHeld { .. }), "{again}");
    assert!(matches!(discard(&world.pool, world.team, letter.id).await, Err(LetterError::NotHeld { .. })));
    assert!(matches!(discard(&world.pool, Uuid::new_v4(), letter.id).await, Err(LetterError::Unknown(_))));
    world.take_in();
    until("it is processed", async || world.count("SELECT count(*) FROM escalations").await == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_has_only_the_beginning_is_replayed_whole() {
    let world = World::new().await;
    let envelope = world.raised(3600);
    let body = serde_json::to_value(&envelope).unwrap();
    let subject = subjects::escalation(world.team);
    let row: i64 = sqlx::query_scalar(
        "INSERT INTO outbox (team_uid, task_uid, subject, msg_id, payload, published_at)
         VALUES ($1, $2, $3, $4, $5, now()) RETURNING id",
    )
    .bind(world.team)
    .bind(envelope.task)
    .bind(&subject)
    .bind(&envelope.id)
    .bind(&body)
    .fetch_one(&world.pool)
    .await
    .unwrap();
    let text = format!("{body}{}", " ".repeat(10_000));
    let letter = dead_letters::oversized(world.team, row, &envelope.id, &subject, &text, "too large");
    assert!(letter.payload["head"].as_str().unwrap().len() <= 4096);
    assert_eq!(letter.payload["bytes"], text.len());
    dead_letters::insert(&mut world.pool.acquire().await.unwrap(), &letter).await.unwrap();
    let id = list(&world.pool, world.team).await.unwrap().remove(0).id;
    // The server takes it now.
    replay(&world.pool, &world.js, world.team, id).await.unwrap();
    world.take_in();
    until("it is processed", async || world.count("SELECT count(*) FROM escalations").await == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_kills_its_consumers_is_rescued_by_the_servers_word() {
    let world = World::new().await;
    let (team, stream) = (world.team, subjects::escalations_stream(world.team));
    tokio::spawn(rescue(world.js.clone(), world.pool.clone(), team, world.stop.clone()));
    nats::publish(&world.js, &world.raised(3600), &subjects::escalation(team)).await.unwrap();
    // A consumer of its own with short patience: takes the message and dies, twice.
    let made = world.js.get_stream(&stream).await.unwrap();
    made.delete_consumer(subjects::SUPERVISOR).await.unwrap();
    let config = pull::Config {
        durable_name: Some(subjects::SUPERVISOR.into()),
        ack_wait: Duration::from_millis(500),
        max_deliver: 2,
        ..pull::Config::default()
    };
    let consumer = made.create_consumer(config).await.unwrap();
    // The server says so when the delivery after the last one would be due.
    let mut messages = consumer.messages().await.unwrap();
    for _ in 0..2 {
        drop(messages.next().await.unwrap().unwrap());
    }
    let pulling = tokio::spawn(async move { messages.next().await.is_some() });
    until("a dead letter", async || !list(&world.pool, team).await.unwrap().is_empty()).await;
    pulling.abort();
    let letter = list(&world.pool, team).await.unwrap().remove(0);
    assert!(letter.reason.contains("did not finish it in 2 deliveries"), "{}", letter.reason);
    assert_eq!(letter.subject, subjects::escalation(team));
    until("it has left its stream", async || world.messages(&stream).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_goldens_api_handles_dead_letters() {
    let world = World::new().await;
    let known = [
        ("api".to_owned(), Caller::service("golden-system", "golden-api")),
        ("run".to_owned(), Caller::service("checkout", "golden-run")),
    ];
    let desk = Desk {
        pool: world.pool.clone(),
        js: world.js.clone(),
        team_uid: world.team,
        namespace: "golden-system".into(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/dead-letters", listener.local_addr().unwrap());
    let routes = router(desk, Authenticator::new(Fixed(known.into())));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let http = reqwest::Client::new();
    for (token, want) in [("api", 200), ("run", 403), ("nobody", 401)] {
        assert_eq!(http.get(&url).bearer_auth(token).send().await.unwrap().status(), want, "{token}");
    }
    let missing = http.post(format!("{url}/7/replay")).bearer_auth("api").send().await.unwrap();
    assert_eq!(missing.status(), 404);
    let body: Value = missing.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("no dead letter 7"), "{body}");
}
