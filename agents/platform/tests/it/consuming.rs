//! No message is lost, none is worked on twice for no reason, and what cannot be done is kept with its reason.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use golden_cluster::services::Postgres;
use golden_platform::consumer::{Consumer, Delivery, Failure};
use golden_platform::{CancellationToken, db, nats, subjects};
use sqlx::PgPool;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::support::{envelope, pool, team, until};

struct World {
    js: Context,
    team: Uuid,
    pool: PgPool,
    stop: CancellationToken,
}

impl World {
    async fn new() -> Self {
        let (js, team) = team().await;
        Self { js, team, pool: pool().await, stop: CancellationToken::new() }
    }

    fn consumer(&self) -> Consumer {
        let stream = subjects::escalations_stream(self.team);
        Consumer::new(self.js.clone(), self.pool.clone(), self.team, stream, subjects::SUPERVISOR)
            .pauses(vec![Duration::from_millis(10)])
    }

    fn start<F>(&self, handler: impl Fn(u32) -> F + Send + Sync + 'static) -> (JoinHandle<()>, Arc<AtomicU32>)
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let calls = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&calls);
        let work = self
            .consumer()
            .run(self.stop.clone(), move |_| handler(count.fetch_add(1, Ordering::SeqCst) + 1));
        (tokio::spawn(work), calls)
    }

    async fn send(&self, id: &str) {
        nats::publish(&self.js, &envelope(self.team, id), &subjects::escalation(self.team)).await.unwrap();
    }

    async fn waiting(&self, stream: String) -> u64 {
        self.js.get_stream(stream).await.unwrap().cached_info().state.messages
    }

    async fn emptied(&self) {
        until("the stream is empty", async || {
            self.waiting(subjects::escalations_stream(self.team)).await == 0
        })
        .await;
    }

    /// Reason and payload of the team's only dead letter.
    async fn letter(&self) -> (String, serde_json::Value) {
        sqlx::query_as("SELECT reason, payload FROM dead_letters WHERE team_uid = $1")
            .bind(self.team)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_failure_that_passes_is_tried_again_and_then_done() {
    let world = World::new().await;
    world.send("a").await;
    let (_work, calls) =
        world.start(async |n| if n < 3 { Err(Failure::Transient("not yet".into())) } else { Ok(()) });
    world.emptied().await;
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    assert_eq!(world.waiting(subjects::dlq_stream(world.team)).await, 0);
}

#[tokio::test]
async fn five_failures_make_a_dead_letter_with_the_last_reason() {
    let world = World::new().await;
    world.send("a").await;
    let (_work, calls) = world.start(async |n| Err(Failure::Transient(format!("failure {n}"))));
    world.emptied().await;
    assert_eq!(calls.load(Ordering::SeqCst), 5);
    let (reason, payload) = world.letter().await;
    assert!(reason.contains("5 times") && reason.contains("failure 5"), "{reason}");
    assert_eq!(payload["id"], "a");
    assert_eq!(world.waiting(subjects::dlq_stream(world.team)).await, 1);
}

#[tokio::test]
async fn poison_is_not_tried_again_and_does_not_stop_what_follows() {
    let world = World::new().await;
    world.send("bad").await;
    let (_work, calls) =
        world.start(async |n| if n == 1 { Err(Failure::Poison("no such task".into())) } else { Ok(()) });
    world.emptied().await;
    world.send("good").await;
    world.emptied().await;
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert_eq!(world.letter().await.0, "no such task");
}

#[tokio::test]
async fn a_message_nobody_can_read_is_kept_as_it_came() {
    let world = World::new().await;
    let bytes = "{\"v\":1, \u{0} nonsense".into();
    nats::publish_bytes(&world.js, &subjects::escalation(world.team), "x", bytes).await.unwrap();
    let mut later = serde_json::to_value(envelope(world.team, "y")).unwrap();
    later["v"] = 2.into();
    let (_work, calls) = world.start(async |_| Ok(()));
    world.emptied().await;
    let (reason, payload) = world.letter().await;
    assert!(reason.contains("cannot be read"), "{reason}");
    assert!(payload.as_str().unwrap().contains("nonsense"));
    let bytes = later.to_string().into();
    nats::publish_bytes(&world.js, &subjects::escalation(world.team), "y", bytes).await.unwrap();
    until("the second letter", async || {
        let known: Vec<String> =
            sqlx::query_scalar("SELECT reason FROM dead_letters WHERE team_uid = $1 ORDER BY id")
                .bind(world.team)
                .fetch_all(&world.pool)
                .await
                .unwrap();
        known.get(1).is_some_and(|r| r.contains("version 2"))
    })
    .await;
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_panic_is_a_failure_like_another() {
    let world = World::new().await;
    world.send("a").await;
    let (_work, calls) = world.start(async |n| {
        assert!(n > 1, "a handler's own fault");
        Ok(())
    });
    world.emptied().await;
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_outage_is_not_poison_and_stops_the_pulling() {
    let world = World::new().await;
    for id in ["a", "b", "c"] {
        world.send(id).await;
    }
    let away = Arc::new(AtomicBool::new(true));
    let (down, seen) = (Arc::clone(&away), Arc::new(std::sync::Mutex::new(Vec::new())));
    let note = Arc::clone(&seen);
    let consumer = world.consumer().concurrency(1);
    let work = tokio::spawn(consumer.run(world.stop.clone(), move |delivery| {
        note.lock().unwrap().push((delivery.envelope.id.clone(), delivery.delivered));
        let down = down.load(Ordering::SeqCst);
        async move { if down { Err(Failure::Dependency("the gateway is away".into())) } else { Ok(()) } }
    }));
    until("held and tried four times", async || seen.lock().unwrap().len() >= 4).await;
    assert!(
        seen.lock().unwrap().iter().all(|s| s == &("a".to_owned(), 1)),
        "only the held one, still its first delivery"
    );
    away.store(false, Ordering::SeqCst);
    world.emptied().await;
    let mut done = seen.lock().unwrap().clone();
    done.retain(|(id, _)| id != "a");
    assert_eq!(done, [("b".to_owned(), 1), ("c".to_owned(), 1)]);
    assert_eq!(world.waiting(subjects::dlq_stream(world.team)).await, 0);
    world.stop.cancel();
    work.await.unwrap();
}

#[tokio::test]
async fn one_that_stands_aside_lets_others_be_worked_on() {
    let world = World::new().await;
    for id in ["a", "b", "c"] {
        world.send(id).await;
    }
    let (come, done) = (Arc::new(tokio::sync::Notify::new()), Arc::new(std::sync::Mutex::new(Vec::new())));
    let (comes, note) = (Arc::clone(&come), Arc::clone(&done));
    let consumer = world.consumer().concurrency(1);
    tokio::spawn(consumer.run(world.stop.clone(), move |delivery| {
        let (comes, note) = (Arc::clone(&comes), Arc::clone(&note));
        async move {
            let Delivery { envelope, slot, .. } = delivery;
            if envelope.id == "a" {
                slot.stand_aside();
                slot.stand_aside();
                comes.notified().await;
            }
            note.lock().unwrap().push(envelope.id);
            Ok(())
        }
    }));
    until("the others are done", async || done.lock().unwrap().len() == 2).await;
    assert_eq!(*done.lock().unwrap(), ["b", "c"]);
    come.notify_one();
    world.emptied().await;
    assert_eq!(*done.lock().unwrap(), ["b", "c", "a"]);
}

#[tokio::test]
async fn a_long_handler_keeps_its_message() {
    let world = World::new().await;
    let stream = world.js.get_stream(subjects::escalations_stream(world.team)).await.unwrap();
    let impatient = pull::Config {
        durable_name: Some(subjects::SUPERVISOR.into()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_millis(500),
        max_deliver: 5,
        filter_subject: subjects::escalation(world.team),
        ..Default::default()
    };
    stream.create_consumer(impatient).await.unwrap();
    world.send("a").await;
    let calls = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&calls);
    let consumer = world.consumer().alive_every(Duration::from_millis(100));
    tokio::spawn(consumer.run(world.stop.clone(), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(())
        }
    }));
    world.emptied().await;
    assert_eq!(calls.load(Ordering::SeqCst), 1, "six times its patience, one delivery");
}

#[tokio::test]
async fn a_dead_letter_waits_for_the_database() {
    let own = Postgres::start().unwrap();
    let url = own.create_database().unwrap();
    db::migrate_with(&url, None).await.unwrap();
    let (js, team) = team().await;
    let world = World { js, team, pool: db::connect(&url, 1).unwrap(), stop: CancellationToken::new() };
    own.kill().unwrap();
    world.send("a").await;
    let (_work, calls) = world.start(async |_| Err(Failure::Poison("no".into())));
    until("judged", async || calls.load(Ordering::SeqCst) == 1).await;
    assert_eq!(world.waiting(subjects::escalations_stream(world.team)).await, 1, "still in its stream");
    own.restart().unwrap();
    world.emptied().await;
    assert_eq!(world.letter().await.0, "no");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn stopping_finishes_what_is_in_hand() {
    let world = World::new().await;
    world.send("a").await;
    let finished = Arc::new(AtomicBool::new(false));
    let (done, begun) = (Arc::clone(&finished), Arc::new(tokio::sync::Notify::new()));
    let started = Arc::clone(&begun);
    let work = tokio::spawn(world.consumer().run(world.stop.clone(), move |_| {
        let (done, started) = (Arc::clone(&done), Arc::clone(&started));
        async move {
            started.notify_one();
            tokio::time::sleep(Duration::from_millis(300)).await;
            done.store(true, Ordering::SeqCst);
            Ok(())
        }
    }));
    begun.notified().await;
    world.stop.cancel();
    work.await.unwrap();
    assert!(finished.load(Ordering::SeqCst));
    world.emptied().await;
}
