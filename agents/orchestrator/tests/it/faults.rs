//! Stores that go away and come back.

use super::stories::assert_nothing_is_left;
use super::world::{Script, World};
use golden_cluster::services::{Nats, Postgres};
use golden_orchestrator::engine::Engine;
use golden_platform::CancellationToken;
use std::time::Duration;
use uuid::Uuid;

/// Settles as the running service does: errors of an outage are borne and tried again.
async fn settle(engine: &Engine) {
    for _ in 0..60 {
        match engine.settle(&CancellationToken::new()).await {
            Ok(()) => return,
            Err(e) => tracing::info!(error = %e, "not yet"),
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("the stores are back, but nothing settles");
}

async fn end(world: &mut World, engine: &Engine, task: Uuid) -> String {
    for _ in 0..60 {
        settle(engine).await;
        if let Some(outcome) = world.outcome(task).await {
            return outcome;
        }
        world.react().await;
        world.later(3);
    }
    panic!("{task} did not end: {}", world.view(task).await);
}

#[tokio::test]
async fn a_killed_postgres_loses_nothing_wherever_the_task_stands() {
    let (postgres, nats) = (Postgres::start().unwrap(), Nats::start().unwrap());
    let mut world = World::on(&postgres, &nats, Script::default()).await;
    world.allow_secrets();
    for turns in 1..8 {
        let task = world.admit("bounce", |_, _| {}).await;
        let engine = world.engine();
        for _ in 0..turns {
            settle(&engine).await;
            world.react().await;
        }
        postgres.kill().unwrap();
        assert!(engine.settle(&CancellationToken::new()).await.is_err());
        postgres.restart().unwrap();
        assert_eq!(end(&mut world, &engine, task).await, "Complete", "killed after {turns} turns");
        assert_nothing_is_left(&world, task).await;
        let record = world.record(task).await;
        golden_record::verify(&record[0].prev, &record).unwrap();
    }
}

#[tokio::test]
async fn an_unreachable_nats_is_shown_and_the_task_goes_on_once_it_is_back() {
    let (postgres, nats) = (Postgres::start().unwrap(), Nats::start().unwrap());
    let mut world = World::on(&postgres, &nats, Script::default()).await;
    world.allow_secrets();
    let task = world.admit("mute", |_, _| {}).await;
    let engine = world.engine();
    // The attempt's result is stored; its guard is asked for while NATS is away.
    while world.view(task).await["stage"] != "Producing" {
        settle(&engine).await;
        world.react().await;
    }
    nats.kill().unwrap();
    assert!(engine.settle(&CancellationToken::new()).await.is_ok() || world.outcome(task).await.is_none());
    let shown = world.condition(task, "Stalled").await;
    assert!(
        ["True/MessagingUnreachable", "True/ArtifactStoreUnreachable"].contains(&shown.as_str()),
        "{shown}: {}",
        world.view(task).await
    );
    nats.restart().unwrap();
    world.later(3);
    assert_eq!(end(&mut world, &engine, task).await, "Complete");
    assert_nothing_is_left(&world, task).await;
}
