//! Guard requests become runs and facts, once each, whatever dies in between.

use crate::world::{World, until};
use golden_platform::consumer::{Consumer, Failure};
use golden_platform::wire::{EscalationRaised, Message};
use golden_platform::{nats, subjects};
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_becomes_a_run_and_its_end_one_fact() {
    let world = World::new().await;
    let (task, request) = (Uuid::new_v4(), world.request("unit"));
    let name = request.run_name.clone();
    let stop = CancellationToken::new();
    let (broker, pool) = (world.broker.clone(), world.broker.pool.clone());
    let consumer = Consumer::new(
        world.js.clone(),
        pool,
        world.team,
        subjects::prc_stream(world.team),
        subjects::SANDBOX,
    );
    let working = tokio::spawn(consumer.run(stop.clone(), move |delivery| {
        let broker = broker.clone();
        async move { broker.handle(delivery).await }
    }));
    let subject = subjects::sandbox(world.team);
    nats::publish(&world.js, &world.envelope(task, request.clone()), &subject).await.unwrap();
    let run = world.run(&name).await;
    assert_eq!(run.owner_references()[0].uid, task.to_string());
    assert_eq!(run.spec.workspace.as_deref(), Some(request.tree.as_str()));
    world.end(&name, "NonZeroExit", Some(1), Some("FAILED test_a - assert 1 == 2\n1 failed")).await;
    until("the fact is there", async || world.facts(task).await.len() == 1).await;
    let (uid, outcome) = world.facts(task).await.remove(0);
    assert_eq!(uid, world.uid(&name).await);
    assert_eq!((outcome.verdict.as_str(), outcome.exit_code, outcome.attempt), ("Failed", Some(1), 1));
    assert!(outcome.excerpt.contains("assert 1 == 2"), "{}", outcome.excerpt);
    assert!(outcome.output_digest.is_some() && outcome.isolation == "gvisor");

    // The same work under another message id: a relay that was restarted beyond the window of duplicates.
    nats::publish(&world.js, &world.envelope(task, request), &subject).await.unwrap();
    let mut stream = world.js.get_stream(subjects::prc_stream(world.team)).await.unwrap();
    until("all is acknowledged", async || {
        let mut stream = world.js.get_stream(subjects::prc_stream(world.team)).await.unwrap();
        stream.info().await.unwrap().state.messages == 0
    })
    .await;
    assert_eq!(stream.info().await.unwrap().state.messages, 0);
    assert_eq!(world.facts(task).await.len(), 1);
    stop.cancel();
    working.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_anywhere_leaves_one_run_and_one_fact() {
    let world = World::new().await;
    for pause in [0, 5, 20, 60, 200] {
        let (task, request) = (Uuid::new_v4(), world.request(&format!("g{pause}")));
        let name = request.run_name.clone();
        let (broker, delivery) = (world.broker.clone(), world.delivery(task, request.clone()));
        let dying = tokio::spawn(async move { broker.handle(delivery).await });
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        dying.abort();
        let _ = dying.await;

        let (broker, delivery) = (world.broker.clone(), world.delivery(task, request.clone()));
        let next = tokio::spawn(async move { broker.handle(delivery).await });
        world.run(&name).await;
        world.end(&name, "Completed", Some(0), None).await;
        next.await.unwrap().unwrap();
        // And once more, as if the acknowledgement had been lost.
        world.broker.handle(world.delivery(task, request)).await.unwrap();
        let facts = world.facts(task).await;
        assert_eq!(facts.len(), 1, "{pause}");
        assert_eq!((facts[0].0, facts[0].1.verdict.as_str()), (world.uid(&name).await, "Passed"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_with_one_message_write_one_fact() {
    let world = World::new().await;
    let (task, request) = (Uuid::new_v4(), world.request("unit"));
    let both = [0, 1].map(|_| {
        let (broker, delivery) = (world.broker.clone(), world.delivery(task, request.clone()));
        tokio::spawn(async move { broker.handle(delivery).await })
    });
    world.run(&request.run_name).await;
    world.end(&request.run_name, "Timeout", None, None).await;
    for one in both {
        one.await.unwrap().unwrap();
    }
    let facts = world.facts(task).await;
    assert_eq!((facts.len(), facts[0].1.verdict.as_str()), (1, "Failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_not_made_or_was_taken_away_is_never_a_verdict() {
    let world = World::new().await;
    // Deleted by somebody.
    let (task, request) = (Uuid::new_v4(), world.request("unit"));
    let (broker, delivery) = (world.broker.clone(), world.delivery(task, request.clone()));
    let waiting = tokio::spawn(async move { broker.handle(delivery).await });
    world.run(&request.run_name).await;
    world.runs().delete(&request.run_name, &DeleteParams::default()).await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(world.facts(task).await[0].1.verdict, "Inconclusive");

    // Refused by the apiserver: no such image name is possible.
    let (task, mut request) = (Uuid::new_v4(), world.request("other"));
    request.guard.image = Some("a b".into());
    world.broker.handle(world.delivery(task, request)).await.unwrap();
    let refused = &world.facts(task).await[0].1;
    assert_eq!((refused.verdict.as_str(), refused.reason.as_str()), ("Inconclusive", "ChildRefused"));
    assert!(refused.excerpt.contains("spec.image"), "{}", refused.excerpt);

    // The name is taken by another task's run.
    let (task, request) = (Uuid::new_v4(), world.request("third"));
    let theirs = golden_sandbox::broker::sandbox_run(&request, Uuid::new_v4(), world.team, "golden:1");
    world.runs().create(&kube::api::PostParams::default(), &theirs).await.unwrap();
    world.end(&request.run_name, "Completed", Some(0), None).await;
    world.broker.handle(world.delivery(task, request)).await.unwrap();
    assert_eq!(world.facts(task).await[0].1.verdict, "Inconclusive");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_task_gets_no_run() {
    let world = World::new().await;
    let (task, request) = (Uuid::new_v4(), world.request("unit"));
    world.end_task(task).await;
    world.broker.handle(world.delivery(task, request.clone())).await.unwrap();
    assert!(world.runs().get_opt(&request.run_name).await.unwrap().is_none());
    assert!(world.facts(task).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_others_is_refused_for_good() {
    let world = World::new().await;
    let task = Uuid::new_v4();
    let mut elsewhere = world.request("unit");
    elsewhere.namespace = "default".into();
    let mut other_team = world.delivery(task, world.request("unit"));
    other_team.envelope.team = Uuid::new_v4();
    let mut no_guard = world.delivery(task, world.request("unit"));
    no_guard.envelope.message = Message::EscalationRaised(Box::new(EscalationRaised {
        escalation_id: task,
        reason: "Tie".into(),
        evidence: serde_json::Value::Null,
        options: Vec::new(),
        owner: "golden".into(),
        digest: String::new(),
        deadline: "2026-01-01T00:00:00Z".into(),
        default_option: "Reject".into(),
    }));
    for delivery in [world.delivery(task, elsewhere), other_team, no_guard] {
        assert!(matches!(world.broker.handle(delivery).await, Err(Failure::Poison(_))));
    }
    assert!(world.facts(task).await.is_empty());
}
