//! The budget races that the issues of LiteLLM tell of, played here: a burst of calls, and then what came of the money.
//! `cargo xtask bench gateway` plays the same on LiteLLM.

use crate::world::{Setup, World, ask};
use futures::future::join_all;
use golden_model::Fault;
use serde_json::Value;

/// A budget that says so at once when a call cannot be paid.
async fn world(limit: i64) -> World {
    World::with(Setup { limit, on_exhausted: "Fail", ..Setup::default() }).await
}

/// How many calls of a burst were answered, and how many refused for want of money; there is no third.
async fn burst(world: &World, pods: usize, numbers: std::ops::Range<usize>) -> (usize, usize) {
    let calls = numbers.map(|number| world.call(number % pods, &ask(number, number % 3 == 0)).send());
    let (mut answered, mut refused) = (0, 0);
    for answer in join_all(calls).await {
        let answer = answer.unwrap();
        match answer.status().as_u16() {
            200 => {
                assert!(answer.text().await.unwrap().contains("list_files"));
                answered += 1;
            }
            402 => {
                let body: Value = answer.json().await.unwrap();
                assert_eq!(body["error"]["code"], "budget_exhausted", "{body}");
                refused += 1;
            }
            other => panic!("{other}: {}", answer.text().await.unwrap()),
        }
    }
    (answered, refused)
}

/// What the model served is what is charged, all of it, and nothing stays reserved.
async fn charged_is_served(world: &World) -> i64 {
    let served = world.model.tally().totals;
    let cost = (served.prompt_tokens + 4 * served.completion_tokens).cast_signed();
    assert_eq!(world.budget().await, (cost, 0));
    cost
}

/// The most that a call of [`ask`] is bound at, in micro-USD; it uses about a tenth.
const BOUND: i64 = 2400;

/// BerriAI/litellm#34732: calls of one session that come at once all see the spend of before, and all pass.
#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_session_at_once_do_not_pass_its_budget() {
    let limit = 2 * BOUND;
    let world = world(limit).await;
    world.task(0).await;
    world.model.order(Fault { next: 32, latency_ms: 50, ..Fault::default() });
    let (answered, refused) = burst(&world, 1, 0..32).await;
    assert!(answered > 0 && refused > 0, "{answered} were answered, {refused} refused");
    let cost = charged_is_served(&world).await;
    assert!(cost <= limit, "{cost} of {limit}");
}

/// BerriAI/litellm#35567: two callbacks read the same total and write each their own sum; one charge is lost, and the
/// budget pays for more calls than it has money for.
#[tokio::test(flavor = "multi_thread")]
async fn no_charge_is_lost_among_calls_that_end_at_once() {
    let limit = 4 * BOUND;
    let world = world(limit).await;
    for pod in 0..4 {
        world.task(pod).await;
    }
    let (mut answered, mut refused, mut number) = (0, 0, 0);
    // Until the budget is at its end, also for a call alone.
    while burst(&world, 4, number..number + 1).await == (1, 0) {
        let (more, less) = burst(&world, 4, number + 1..number + 25).await;
        (answered, refused, number) = (answered + 1 + more, refused + less, number + 25);
        assert!(number < 1000, "the budget never ends");
    }
    assert_eq!(world.model.tally().totals.calls, answered as u64);
    assert!(refused > 0, "calls did compete for the last of it");
    let cost = charged_is_served(&world).await;
    assert!(
        cost <= limit && cost + BOUND > limit,
        "{cost} of {limit} are spent when a call alone is refused"
    );
}

/// BerriAI/litellm#40095: whom the proxy does not know yet has no budget that could be checked, so that all of its
/// first calls pass.
#[tokio::test(flavor = "multi_thread")]
async fn first_calls_of_an_unknown_task_at_once_are_checked_like_all_others() {
    let world = world(100).await;
    world.task(0).await;
    let (answered, refused) = burst(&world, 1, 0..16).await;
    assert_eq!((answered, refused), (0, 16));
    // One whose accounts nobody has made yet.
    let task = world.task(1).await;
    sqlx::query("DELETE FROM task_accounts WHERE task_uid = $1")
        .bind(task)
        .execute(&world.pool)
        .await
        .unwrap();
    let calls = (0..16).map(|number| world.call(1, &ask(100 + number, false)).send());
    for answer in join_all(calls).await {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 403);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], "no_account", "{body}");
    }
    assert_eq!((world.model.tally().totals.calls, world.reservations().await.len()), (0, 0));
}

/// BerriAI/litellm#36926: under load the total that is checked grows beyond what was spent, and calls are refused that
/// there is money for.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_refused_under_load_while_there_is_money() {
    // All that are answered, and the bounds of all that are under way at once.
    let (calls, at_once) = (96, 16);
    let world = world(calls * 400 + at_once * BOUND).await;
    for pod in 0..4 {
        world.task(pod).await;
    }
    let mut failed = 0;
    for round in 0..6 {
        // The provider refuses some; that costs nothing, and what was reserved for them is given back.
        world.model.order(Fault { next: 4, status: Some(400), ..Fault::default() });
        let numbers = round * 16..(round + 1) * 16;
        let asked = numbers.map(|number| world.call(number % 4, &ask(number, number % 3 == 0)).send());
        for answer in join_all(asked).await {
            let answer = answer.unwrap();
            let status = answer.status().as_u16();
            // To its end: whoever hangs up is charged the bound.
            let text = answer.text().await.unwrap();
            assert!(status == 200 || status == 400, "{status} in round {round}: {text}");
            failed += usize::from(status == 400);
        }
    }
    assert_eq!(failed, 24);
    charged_is_served(&world).await;
}
