//! Money: reserved before, settled after, never overdrawn, waited for.

use crate::world::{Setup, World, ask, until};
use futures::future::join_all;
use golden_ledger_service::Leases;
use golden_model::Fault;
use golden_platform::facts;
use golden_platform::ledger_accounts::{TaskAccount, mark_deleted, upsert_task};
use golden_platform::wire::{Fact, NewFact};
use serde_json::Value;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_equals_the_models_own_tally() {
    let world = World::new().await;
    world.task(0).await;
    for number in 0..4 {
        let response = world.call(0, &ask(number, number % 2 == 0)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let text = response.text().await.unwrap();
        assert!(text.contains("list_files"), "{text}");
        if number % 2 == 0 {
            assert!(text.ends_with("data: [DONE]\n\n") && !text.contains("prompt_tokens"), "{text}");
        }
    }
    let tally = world.model.tally();
    let settled = world.reservations().await;
    assert_eq!((settled.len(), tally.by_op.len()), (4, 4));
    let mut spent = 0;
    for row in settled {
        let served = tally.by_op[&row.op_key];
        let (input, output) = (served.prompt_tokens.cast_signed(), served.completion_tokens.cast_signed());
        assert_eq!(
            (row.state.as_str(), row.input_tokens, row.output_tokens),
            ("Settled", Some(input), Some(output))
        );
        assert_eq!(row.actual_cost, Some(input + 4 * output));
        assert!(row.cost >= input + 4 * output, "the bound was a bound");
        spent += input + 4 * output;
    }
    assert_eq!(world.budget().await, (spent, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_budget_holds_the_call_and_lets_that_very_call_go_on() {
    let world = World::with(Setup { limit: 100, ..Setup::default() }).await;
    world.task(0).await;
    for (number, stream) in [(0, true), (1, false)] {
        world.set_limit(100 + world.budget().await.0, "Pause").await;
        let call = tokio::spawn(world.call(0, &ask(number, stream)).send());
        until(Duration::from_secs(5), async || world.facts("BudgetHeld").await.len() == number + 1).await;
        assert_eq!(world.model.tally().totals.calls, number as u64, "nothing was called yet");
        assert_eq!(world.facts("BudgetResumed").await.len(), number);
        let raised = Instant::now();
        world.set_limit(1_000_000, "Pause").await;
        let text = call.await.unwrap().unwrap().text().await.unwrap();
        // Well below the time after which it would ask without having heard of it.
        assert!(raised.elapsed() < Duration::from_secs(2), "went on after {:?}", raised.elapsed());
        assert!(text.contains("list_files"), "{text}");
        let (held, resumed) = (world.facts("BudgetHeld").await, world.facts("BudgetResumed").await);
        assert_eq!(held[number]["opKey"], resumed[number]["opKey"]);
        assert!(held[number]["missingMicroUsd"].as_i64().unwrap() > 1000, "{held:?}");
    }
    assert_eq!(world.reservations().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_agent_works_on_through_a_held_call() {
    let world = World::with(Setup { limit: 9000, ..Setup::default() }).await;
    world.task(0).await;
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [("golden/prompt.md", "Write a CONTRIBUTING guide."), ("work/README.md", "pytest")] {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let args = golden_agent::Args {
        workspace: folder.path().join("work"),
        golden: folder.path().join("golden"),
        base_url: format!("{}/v1", world.url),
        api_key: "pod-0".into(),
        model: "anything".into(),
        role: None,
        attempt: Some(1),
        max_steps: 40,
    };
    let working = tokio::spawn(async move { golden_agent::work(&args).await.unwrap() });
    until(Duration::from_secs(10), async || !world.facts("BudgetHeld").await.is_empty()).await;
    world.set_limit(1_000_000, "Pause").await;
    let ending = working.await.unwrap();
    assert!(matches!(ending, golden_agent::Ending::Finished(_)), "{ending}");
    let served = world.model.tally().totals;
    assert_eq!((served.calls, served.unmatched), (4, 0));
    let spent = (served.prompt_tokens + 4 * served.completion_tokens).cast_signed();
    assert_eq!(world.budget().await, (spent, 0));
}

/// A call whose client gives up while it is held, and its hold's key.
async fn given_up(world: &World, number: usize) -> String {
    let impatient = world.call(0, &ask(number, false)).timeout(Duration::from_millis(800)).send().await;
    assert!(impatient.unwrap_err().is_timeout());
    until(Duration::from_secs(5), async || !world.facts("BudgetHoldLeft").await.is_empty()).await;
    let held = world.facts("BudgetHeld").await;
    assert_eq!(held.len(), 1);
    held[0]["opKey"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_gives_up_a_held_call_is_told_and_holds_it_anew_when_it_sends_again() {
    let world = World::with(Setup { limit: 100, ..Setup::default() }).await;
    world.task(0).await;
    let first = given_up(&world, 0).await;
    assert_eq!(world.facts("BudgetHoldLeft").await[0]["opKey"], first.as_str());
    let call = tokio::spawn(world.call(0, &ask(0, false)).send());
    until(Duration::from_secs(5), async || world.facts("BudgetHeld").await.len() == 2).await;
    let again = world.facts("BudgetHeld").await[1]["opKey"].clone();
    assert_eq!(again.as_str(), Some(first.replace("/h1", "/h2").as_str()), "the next hold of one operation");
    world.set_limit(1_000_000, "Pause").await;
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!((world.facts("BudgetHoldLeft").await.len(), world.model.tally().totals.calls), (1, 1));
    assert_eq!(world.facts("BudgetResumed").await[0]["opKey"], again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_shared_its_hold_with_one_that_left_is_told_again() {
    let world = World::with(Setup { limit: 100, ..Setup::default() }).await;
    let task = world.task(0).await;
    let call = tokio::spawn(world.call(0, &ask(0, false)).send());
    until(Duration::from_secs(5), async || world.facts("BudgetHeld").await.len() == 1).await;
    let op_key = world.facts("BudgetHeld").await[0]["opKey"].as_str().unwrap().to_owned();
    // Another gateway notices late that the client, which has sent again, hung up there.
    let (fact_key, fact) = (format!("left/{op_key}"), Fact::BudgetHoldLeft { op_key });
    let left = NewFact { team_uid: world.team, task_uid: task, object_uid: task, fact_key, fact };
    facts::insert(&mut world.pool.acquire().await.unwrap(), &left).await.unwrap();
    until(Duration::from_secs(10), async || world.facts("BudgetHeld").await.len() == 2).await;
    world.set_limit(1_000_000, "Pause").await;
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    let (held, resumed) = (world.facts("BudgetHeld").await, world.facts("BudgetResumed").await);
    assert_eq!((resumed.len(), &resumed[0]["opKey"]), (1, &held[1]["opKey"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_whose_client_gave_up_is_known_to_have_money_when_its_operation_goes_on() {
    let world = World::with(Setup { limit: 100, ..Setup::default() }).await;
    world.task(0).await;
    let left = given_up(&world, 0).await;
    world.set_limit(1_000_000, "Pause").await;
    assert_eq!(world.call(0, &ask(0, false)).send().await.unwrap().status(), 200, "granted at once");
    until(Duration::from_secs(5), async || !world.facts("BudgetResumed").await.is_empty()).await;
    let (held, resumed) = (world.facts("BudgetHeld").await, world.facts("BudgetResumed").await);
    assert_eq!((held.len(), resumed.len()), (1, 1));
    assert_eq!(resumed[0]["opKey"], left.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_call_hears_at_once_that_a_budget_it_is_paid_from_is_deleted() {
    let world = World::new().await;
    let task = world.task(0).await;
    let own = TaskAccount {
        task_uid: task,
        team_uid: world.team,
        namespace: "checkout".into(),
        name: "task-0".into(),
        limit_cost: Some(100),
        limit_tokens: None,
    };
    let mut connection = world.pool.acquire().await.unwrap();
    upsert_task(&mut connection, &own).await.unwrap();
    let call = tokio::spawn(world.call(0, &ask(0, false)).send());
    until(Duration::from_secs(5), async || world.facts("BudgetHeld").await.len() == 1).await;
    assert!(world.facts("BudgetHeld").await[0]["account"].as_str().unwrap().starts_with("AgentTask"));
    // Between two of the times at which it asks anyway.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(mark_deleted(&mut connection, world.budget).await.unwrap());
    let deleted = Instant::now();
    let response = call.await.unwrap().unwrap();
    assert!(deleted.elapsed() < Duration::from_secs(2), "heard after {:?}", deleted.elapsed());
    assert_eq!(response.status(), 403);
    let body: Value = response.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("was deleted"), "{body}");
    until(Duration::from_secs(5), async || world.facts("BudgetHoldLeft").await.len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_call_whose_grant_was_lost_in_an_outage_is_paid_for_under_another_key() {
    let world = World::with(Setup { limit: 100, ..Setup::default() }).await;
    world.task(0).await;
    let call = tokio::spawn(world.call(0, &ask(0, false)).send());
    until(Duration::from_secs(5), async || world.facts("BudgetHeld").await.len() == 1).await;
    world.deaf.store(true, Ordering::Relaxed);
    world.set_limit(1_000_000, "Pause").await;
    until(Duration::from_secs(10), async || world.reservations().await.len() == 1).await;
    // The outage lasts longer than the lease.
    let ended = sqlx::query("UPDATE reservations SET lease_until = now() - interval '1 second'");
    ended.execute(&world.pool).await.unwrap();
    let ledger = golden_ledger_service::Ledger::new(world.pool.clone(), Leases::default());
    assert_eq!(golden_ledger_service::expire(&ledger).await.unwrap(), 1);
    world.deaf.store(false, Ordering::Relaxed);
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    let states: Vec<_> = world.reservations().await.into_iter().map(|row| row.state).collect();
    assert_eq!(states, ["Released", "Settled"]);
    assert_eq!((world.facts("BudgetResumed").await.len(), world.model.tally().totals.calls), (1, 1));
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_fails_tells_the_client_and_the_orchestrator() {
    let world = World::with(Setup { limit: 100, on_exhausted: "Fail", ..Setup::default() }).await;
    world.task(0).await;
    let response = world.call(0, &ask(0, true)).send().await.unwrap();
    assert_eq!(response.status(), 402);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "budget_exhausted");
    assert!(body["error"]["message"].as_str().unwrap().contains("monthly"), "{body}");
    assert_eq!(world.facts("BudgetHeld").await[0]["onExhausted"], "Fail");
    assert!(world.facts("BudgetHoldLeft").await.is_empty(), "it is what ends the task");
    assert_eq!(world.model.tally().totals.calls, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_asks_holds_the_call_until_somebody_grants_or_refuses() {
    let world = World::with(Setup { limit: 100, on_exhausted: "Ask", ..Setup::default() }).await;
    world.task(0).await;
    let call = tokio::spawn(world.call(0, &ask(0, false)).send());
    until(Duration::from_secs(5), async || world.facts("BudgetHeld").await.len() == 1).await;
    let held = &world.facts("BudgetHeld").await[0];
    let (missing, needs) =
        (held["missingMicroUsd"].as_i64().unwrap(), held["needsMicroUsd"].as_i64().unwrap());
    assert_eq!((held["onExhausted"].as_str(), needs - missing), (Some("Ask"), 100));
    assert_eq!(held["leastMicroUsd"], held["needsMicroUsd"], "so short an answer is not worth cutting");
    world.decide(missing, true).await;
    let answered = Instant::now();
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert!(answered.elapsed() < Duration::from_secs(2), "went on after {:?}", answered.elapsed());

    let call = tokio::spawn(world.call(0, &ask(1, false)).send());
    until(Duration::from_secs(5), async || world.facts("BudgetHeld").await.len() == 2).await;
    world.decide(1, false).await;
    let answered = Instant::now();
    let response = call.await.unwrap().unwrap();
    assert!(answered.elapsed() < Duration::from_secs(2), "failed after {:?}", answered.elapsed());
    assert_eq!(response.status(), 402);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "budget_denied");
    assert!(body["error"]["message"].as_str().unwrap().contains("bob@example"), "{body}");
    let (held, resumed) = (world.facts("BudgetHeld").await, world.facts("BudgetResumed").await);
    assert_eq!((held.len(), resumed.len()), (3, 2), "the hold ends, and one that fails begins");
    let moved: Vec<_> = resumed.iter().map(|fact| fact["moved"].as_bool()).collect();
    assert_eq!(moved, [Some(false), Some(true)], "only the first went on");
    assert_eq!(
        (held[2]["onExhausted"].as_str(), held[2]["denied"].as_str()),
        (Some("Fail"), Some("bob@example"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_also_of_a_hold_whose_client_went_away() {
    let world = World::with(Setup { limit: 100, on_exhausted: "Ask", ..Setup::default() }).await;
    world.task(0).await;
    given_up(&world, 0).await;
    world.decide(1, false).await;
    assert_eq!(world.call(0, &ask(0, false)).send().await.unwrap().status(), 402);
    let (held, resumed) = (world.facts("BudgetHeld").await, world.facts("BudgetResumed").await);
    assert_eq!((held.len(), resumed.len()), (2, 1));
    assert_eq!(held[1]["denied"], "bob@example", "or its task would wait for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tasks_on_one_budget_never_overdraw_it() {
    // Each call reserves about 2200 and uses about 200: the limit pays for all, but not for all at once.
    let limit = 12_000;
    let world = World::with(Setup { limit, ..Setup::default() }).await;
    world.task(0).await;
    world.task(1).await;
    let calls = join_all((0..32).map(|number| world.call(number % 2, &ask(number, number % 3 == 0)).send()));
    let watch = async {
        let mut most = 0;
        loop {
            let (spent, reserved) = world.budget_now().await;
            most = most.max(spent + reserved);
            assert!(spent + reserved <= limit, "{spent} spent and {reserved} reserved of {limit}");
            tokio::time::sleep(Duration::from_millis(5)).await;
            if world.model.tally().totals.calls == 32 {
                return most;
            }
        }
    };
    let (answers, most) = tokio::join!(calls, watch);
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.text().await.unwrap().contains("list_files"));
    }
    assert!(most > limit / 2, "the calls did compete: {most}");
    let served = world.model.tally().totals;
    let spent = (served.prompt_tokens + 4 * served.completion_tokens).cast_signed();
    assert_eq!(world.budget().await, (spent, 0));
    assert!(!world.facts("BudgetHeld").await.is_empty(), "some calls had to wait");
    assert_eq!(world.facts("BudgetHeld").await.len(), world.facts("BudgetResumed").await.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_stops_the_provider_and_is_charged_the_bound() {
    let world = World::new().await;
    world.task(0).await;
    world.model.order(Fault { event_ms: 300, ..Fault::default() });
    let mut response = world.call(0, &ask(0, true)).send().await.unwrap();
    response.chunk().await.unwrap().unwrap();
    drop(response);
    let unknown = async || world.reservations().await.first().is_some_and(|r| r.state == "Unknown");
    until(Duration::from_secs(5), unknown).await;
    let row = world.reservations().await.remove(0);
    assert_eq!(row.actual_cost, Some(row.cost));
    assert_eq!(world.budget().await, (row.cost, 0));
    // The same request again is another call, paid for itself.
    assert_eq!(world.call(0, &ask(0, true)).send().await.unwrap().status(), 200);
    assert_eq!(world.reservations().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_is_broken_off_and_charged_the_bound() {
    let world = World::new().await;
    world.task(0).await;
    world.model.order(Fault { cut_after_events: Some(3), event_ms: 50, ..Fault::default() });
    let response = world.call(0, &ask(0, true)).send().await.unwrap();
    let text = response.text().await;
    assert!(text.is_err(), "half an answer must not look whole: {text:?}");
    let row = world.reservations().await.remove(0);
    assert_eq!((row.state.as_str(), row.actual_cost), ("Unknown", Some(row.cost)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_usage_is_charged_the_bound() {
    let world = World::new().await;
    world.task(0).await;
    world.model.order(Fault { next: 2, hide_usage: true, ..Fault::default() });
    for (number, stream) in [(0, true), (1, false)] {
        assert_eq!(world.call(0, &ask(number, stream)).send().await.unwrap().status(), 200);
    }
    until(Duration::from_secs(5), async || world.reservations().await.iter().all(|r| r.state == "Unknown"))
        .await;
    assert!(world.reservations().await.iter().all(|r| r.actual_cost == Some(r.cost)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_a_price_is_refused_and_never_called() {
    let world = World::new().await;
    let task = world.task(0).await;
    world.attempt(task, 1, 2, "unpriced").await;
    let response = world.call(1, &ask(0, false)).send().await.unwrap();
    assert_eq!(response.status(), 402);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "model_unpriced");
    assert_eq!((world.reservations().await.len(), world.model.tally().totals.calls), (0, 0));
}
