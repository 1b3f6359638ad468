//! Calls that can be made with less share what is left.

use futures::future::join_all;
use golden_platform::wire::{Bound, ReserveAnswer, ReserveRequest};
use uuid::Uuid;

use crate::support::{World, request, settlement};

fn ranged(world: &World, task: Uuid, key: &str, (least, whole): (i64, i64)) -> ReserveRequest {
    let least = Some(Bound { cost_micro_usd: least, tokens: least });
    ReserveRequest { least, ..request(world.team, task, key, whole) }
}

/// What was granted; nothing where it was refused.
async fn got(world: &World, asked: &ReserveRequest) -> Option<i64> {
    match world.ledger.reserve(asked).await.unwrap() {
        ReserveAnswer::Granted { bound, .. } => {
            Some(bound.map_or(asked.cost_micro_usd, |bound| bound.cost_micro_usd))
        }
        ReserveAnswer::Exhausted { .. } => None,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_granted_is_what_is_kept_and_told_again() {
    let world = World::new().await;
    let root = world.budget(Uuid::new_v4(), None, Some(1000)).await;
    let task = world.task(&[root], None).await;
    let asked = |key: &str| ranged(&world, task, key, (50, 600));
    for (key, want) in [("a", 600), ("b", 200), ("c", 85), ("d", 50), ("e", 50)] {
        assert_eq!(got(&world, &asked(key)).await, Some(want), "{key}");
    }
    let ReserveAnswer::Exhausted { missing_micro_usd, .. } = world.ledger.reserve(&asked("f")).await.unwrap()
    else {
        panic!("15 are left")
    };
    assert_eq!(missing_micro_usd, 585, "of the whole");
    assert_eq!(world.money(root).await, (0, 985, 0));
    assert_eq!(got(&world, &asked("c")).await, Some(85), "whoever lost the answer hears the same");
    world.ledger.dispatch("c").await.unwrap();
    world.ledger.settle(&settlement("c", 80)).await.unwrap();
    world.ledger.release("a").await.unwrap();
    assert_eq!(world.money(root).await, (80, 300, 0), "all of what was granted came back, and no more");
    assert_eq!(world.sums().await, (80, 300));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_of_many_callers_never_exceed_a_limit() {
    let world = World::new().await;
    let root = world.budget(Uuid::new_v4(), None, Some(10_000)).await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        tasks.push(world.task(&[root], Some(4_000)).await);
    }
    let calls = (0..64).map(|n| {
        let (ledger, key) = (world.ledger.clone(), format!("k{n}"));
        let asked = ranged(&world, tasks[n % 4], &key, (20, 900));
        async move {
            let ReserveAnswer::Granted { bound, .. } = ledger.reserve(&asked).await.unwrap() else {
                return None;
            };
            let granted = bound.map_or(900, |bound| bound.cost_micro_usd);
            assert!((20..=900).contains(&granted), "{granted}");
            // Every third call ends at all that it may use, so that money moves while others ask for it.
            if n % 3 == 0 {
                ledger.dispatch(&key).await.unwrap();
                ledger.settle(&settlement(&key, granted)).await.unwrap();
            }
            Some(granted)
        }
    });
    let done: Vec<Option<i64>> =
        join_all(calls.map(tokio::spawn)).await.into_iter().map(Result::unwrap).collect();
    let (spent, reserved, overage) = world.money(root).await;
    assert!(spent + reserved <= 10_000 && overage == 0, "{spent} + {reserved}, {overage}");
    assert_eq!(
        done.iter().flatten().sum::<i64>(),
        spent + reserved,
        "what callers were told is what is kept"
    );
    assert!(done.iter().flatten().count() > 20, "whole bounds would have been 11: {done:?}");
    assert_eq!(world.sums().await, (spent, reserved));
}

#[tokio::test]
async fn a_least_that_is_none_is_refused() {
    let world = World::new().await;
    let task = world.task(&[], None).await;
    for range in [(-1, 10), (11, 10)] {
        let error = world.ledger.reserve(&ranged(&world, task, "a", range)).await.unwrap_err();
        assert!(error.to_string().contains("least"), "{error}");
    }
}
