//! What becomes of a team's tasks when the team is deleted, and its orchestrator with it.

use super::stories::inline;
use super::world::{NAMESPACE, Script, World};
use golden_platform::CancellationToken;
use golden_platform::closing::{close_team, is_open};
use golden_record::{Entry, Head, Header, genesis, verify};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

/// The record, verified, and its head as the view has it.
async fn whole(world: &World, task: Uuid) -> (Vec<Entry>, Head) {
    let record = world.record(task).await;
    let begins = record[0].prev.clone();
    let head = verify(&begins, &record).unwrap();
    let view = world.view(task).await;
    assert_eq!(
        (&view["record"]["head"], &view["record"]["entries"]),
        (&head.head.as_str().into(), &head.entries.into())
    );
    (record, head)
}

/// Plays until the task is at this stage.
async fn until_stage(world: &mut World, task: Uuid, stage: &str) {
    let engine = world.engine();
    for _ in 0..100 {
        Box::pin(engine.settle(&CancellationToken::new())).await.unwrap();
        if world.view(task).await["stage"] == stage {
            return;
        }
        Box::pin(world.react()).await;
    }
    panic!("never {stage}: {}", world.view(task).await);
}

async fn count(world: &World, query: &'static str) -> i64 {
    sqlx::query_scalar(query).bind(world.team).fetch_one(&world.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_teams_open_tasks_end_with_that_reason_and_a_whole_record() {
    let mut world = World::new(Script::tie()).await;
    world.allow_secrets();
    let asked = world.admit("asked", inline).await;
    until_stage(&mut world, asked, "Escalated").await;
    let producing = world.admit("producing", |_, _| {}).await;
    until_stage(&mut world, producing, "Preparing").await;
    // The orchestrator never sees this one.
    let unbegun = world.admit("unbegun", |_, _| {}).await;

    assert!(is_open(&mut world.pool.acquire().await.unwrap(), world.team).await.unwrap());
    assert_eq!(close_team(&world.pool, world.team, Timestamp::now()).await.unwrap(), 3);
    for task in [asked, producing, unbegun] {
        assert_eq!(world.outcome(task).await.as_deref(), Some("Failed"));
        for (condition, shows) in
            [("Failed", "True/TeamDeleted"), ("Complete", "False/TeamDeleted"), ("Reconciling", "")]
        {
            assert_eq!(world.condition(task, condition).await, shows);
        }
        let (record, _) = whole(&world, task).await;
        let last = record.last().unwrap();
        assert_eq!((last.kind.as_str(), &last.body["reason"]), ("Ended", &Value::from("TeamDeleted")));
    }
    let install: Uuid =
        sqlx::query_scalar("SELECT install_id FROM install").fetch_one(&world.pool).await.unwrap();
    let header = Header {
        v: 1,
        team: world.team.to_string(),
        task: unbegun.to_string(),
        install: install.to_string(),
    };
    assert_eq!(world.record(unbegun).await[0].prev, genesis(&header));
    assert_eq!(count(&world, "SELECT count(*) FROM desired WHERE team_uid = $1 AND wanted").await, 0);
    assert_eq!(
        count(&world, "SELECT count(*) FROM escalations WHERE team_uid = $1 AND state = 'Withdrawn'").await,
        1
    );
    assert!(!is_open(&mut world.pool.acquire().await.unwrap(), world.team).await.unwrap());

    // Again, and with an orchestrator that still runs: nothing follows.
    let version = "SELECT sum(version)::bigint FROM tasks WHERE team_uid = $1";
    let before = count(&world, version).await;
    world.later(200_000);
    world.engine().settle(&CancellationToken::new()).await.unwrap();
    assert_eq!(close_team(&world.pool, world.team, Timestamp::now()).await.unwrap(), 0);
    assert_eq!(count(&world, version).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_on_its_way_out_when_its_team_goes_says_that_it_may_have_arrived() {
    let mut world = World::new(Script { work: |_| Some("whole"), ..Script::default() }).await;
    world.allow_secrets();
    let task = world.admit("leaving", |_, _| {}).await;
    until_stage(&mut world, task, "Delivering").await;
    close_team(&world.pool, world.team, Timestamp::now()).await.unwrap();
    let view = world.view(task).await;
    let failed = view["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Failed").unwrap();
    assert!(failed["message"].as_str().unwrap().contains("look whether the branch was pushed"), "{failed}");
    assert!(view["result"]["digest"].is_string(), "what was approved stays readable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_moved_while_its_team_is_closed_is_moved_once() {
    let mut world = World::new(Script::default()).await;
    world.allow_secrets();
    let mut tasks = vec![];
    for n in 0..6 {
        tasks.push(world.admit(&format!("busy-{n}"), |_, _| {}).await);
    }
    let engine = world.engine();
    engine.settle(&CancellationToken::new()).await.unwrap();
    world.react().await;
    tasks.push(world.admit("late", |_, _| {}).await);
    let stop = CancellationToken::new();
    let (settled, closed) =
        tokio::join!(engine.settle(&stop), close_team(&world.pool, world.team, Timestamp::now()));
    closed.unwrap();
    // The engine may lose a race that it wins at its next round.
    if settled.is_err() {
        engine.settle(&stop).await.unwrap();
    }
    for task in tasks {
        assert_eq!(world.outcome(task).await.as_deref(), Some("Failed"), "{NAMESPACE}");
        whole(&world, task).await;
    }
}
