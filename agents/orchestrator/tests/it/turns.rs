//! Replicas beside each other, and turns.

use super::stories::assert_nothing_is_left;
use super::world::{Script, World};
use golden_platform::CancellationToken;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn two_replicas_move_every_task_once_and_never_work_on_too_many() {
    let mut world = World::new(Script::default()).await;
    world.allow_secrets();
    let stop = CancellationToken::new();
    let replicas: Vec<_> = (0..2)
        .map(|_| {
            let (engine, url, stop) = (world.engine(), world.url.clone(), stop.clone());
            tokio::spawn(async move { Box::pin(engine.run(&url, stop)).await })
        })
        .collect();
    let mut tasks = vec![];
    for n in 0..6 {
        tasks.push(world.admit(&format!("race-{n}"), |_, _| {}).await);
    }
    let mut ended = 0_i64;
    for _ in 0..600 {
        world.react().await;
        let (at_work, done): (i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE ended_at IS NULL AND (state ->> 'slot')::boolean),
                    count(*) FILTER (WHERE ended_at IS NOT NULL) FROM tasks",
        )
        .fetch_one(&world.pool)
        .await
        .unwrap();
        assert!(at_work <= 2, "{at_work} tasks are worked on at once");
        ended = done;
        if ended == 6 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ended, 6);
    stop.cancel();
    for replica in replicas {
        tokio::time::timeout(Duration::from_secs(20), replica).await.expect("it stops when told to").unwrap();
    }
    for task in tasks {
        assert_eq!(world.outcome(task).await.as_deref(), Some("Complete"));
        assert_nothing_is_left(&world, task).await;
        let record = world.record(task).await;
        golden_record::verify(&record[0].prev, &record).unwrap();
    }
}

#[tokio::test]
async fn the_most_urgent_task_has_the_next_turn_and_then_the_oldest() {
    let world = World::new(Script::default()).await;
    let engine = world.engine();
    let mut tasks = vec![];
    for (name, priority) in [("a", 0), ("b", 0), ("c", 0), ("urgent", 9)] {
        tasks.push((name, world.admit(name, |spec, _| spec["priority"] = json!(priority)).await));
        if name == "b" {
            engine.settle(&CancellationToken::new()).await.unwrap();
        }
    }
    engine.settle(&CancellationToken::new()).await.unwrap();
    let mut at_work = vec![];
    for (name, task) in &tasks {
        if world.condition(*task, "Admitted").await == "True/Admitted" {
            at_work.push(*name);
        }
    }
    assert_eq!(at_work, ["a", "b"]);
    assert_eq!(world.condition(tasks[3].1, "Admitted").await, "False/WaitingForTurn");
    world.tell(tasks[0].1, tasks[0].1, "deleted", golden_platform::wire::Fact::Deleted).await;
    engine.settle(&CancellationToken::new()).await.unwrap();
    assert_eq!(world.condition(tasks[3].1, "Admitted").await, "True/Admitted", "the urgent one passes c");
    assert_eq!(world.condition(tasks[2].1, "Admitted").await, "False/WaitingForTurn");
}

#[tokio::test]
async fn a_task_begins_once_its_dependency_is_complete_and_fails_if_it_fails() {
    let mut world = World::new(Script::default()).await;
    world.allow_secrets();
    let engine = world.engine();
    let first = world.admit("first", |_, _| {}).await;
    let doomed = world.admit("doomed", |spec, _| spec["maxAttempts"] = json!(1)).await;
    let after = |uid, name: &str| json!([{"name": name, "uid": uid}]);
    let second = world.admit("second", |spec, _| spec["dependencies"] = after(first, "first")).await;
    let never = world.admit("never", |spec, _| spec["dependencies"] = after(doomed, "doomed")).await;
    engine.settle(&CancellationToken::new()).await.unwrap();
    assert_eq!(world.condition(second, "Admitted").await, "False/DependencyPending");
    assert_eq!(world.play(&engine, doomed).await, "Failed");
    assert_eq!(world.play(&engine, never).await, "Failed");
    assert_eq!(world.condition(never, "Failed").await, "True/DependencyFailed");
    assert_eq!(world.play(&engine, second).await, "Complete");
    assert_eq!(world.outcome(first).await.as_deref(), Some("Complete"));

    // One that was Complete when its object was deleted stays so for whoever waits for it.
    world.tell(first, first, "deleted", golden_platform::wire::Fact::Deleted).await;
    engine.settle(&CancellationToken::new()).await.unwrap();
    let late = world.admit("late", |spec, _| spec["dependencies"] = after(first, "first")).await;
    assert_eq!(world.play(&engine, late).await, "Complete");
}
