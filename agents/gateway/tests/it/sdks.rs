//! The official Python clients of OpenAI and Anthropic, unchanged.

use crate::python;
use crate::world::{GOAL, Setup, World, until};
use golden_crds::model_provider::Protocol;
use golden_model::Fault;
use serde::Deserialize;
use std::time::Duration;

/// What a client was told of its calls, in their order.
#[derive(Debug, Deserialize)]
struct Report {
    used: Vec<Used>,
}

#[derive(Debug, Deserialize)]
struct Used {
    input: i64,
    cached: i64,
    output: i64,
}

/// Runs a function of a client's script as the pod.
async fn run(world: &World, pod: usize, client: &'static str, function: &str) -> Vec<Used> {
    let environment = [
        ("GATEWAY_URL", world.url.clone()),
        ("GATEWAY_TOKEN", format!("pod-{pod}")),
        ("GOAL", GOAL.to_owned()),
    ];
    let function = function.to_owned();
    let running = tokio::task::spawn_blocking(move || {
        let python = python::interpreter();
        python::run(&python, &format!("{client}_client.py"), &function, &environment)
    });
    let output = running.await.unwrap();
    serde_json::from_slice::<Report>(&output.stdout).unwrap().used
}

fn speaking(protocol: Protocol) -> Setup {
    Setup { protocol, ..Setup::default() }
}

/// Every call is settled in Postgres as its client was told.
async fn settled(world: &World, used: &[Used]) {
    let rows = world.reservations().await;
    assert_eq!(rows.len(), used.len(), "{rows:?}");
    let mut spent = 0;
    for (row, told) in rows.iter().zip(used) {
        assert_eq!(
            (row.state.as_str(), row.input_tokens, row.output_tokens),
            ("Settled", Some(told.input), Some(told.output)),
            "{told:?}"
        );
        // Input costs 1, from the cache 0.25, output 4 micro-USD a token; rounded up.
        let cost = (4 * (told.input - told.cached) + told.cached + 3) / 4 + 4 * told.output;
        assert_eq!(row.actual_cost, Some(cost), "{told:?}");
        assert!(row.cost >= cost, "the bound was a bound");
        spent += cost;
    }
    assert_eq!(world.budget().await, (spent, 0));
}

async fn works(protocol: Protocol, client: &'static str, function: &str, calls: usize) -> World {
    let world = World::with(speaking(protocol)).await;
    world.task(0).await;
    // The second call's prompt was partly read from a cache.
    world.model.order(Fault::default());
    world.model.order(Fault { cached_tokens: 9, ..Fault::default() });
    let used = run(&world, 0, client, function).await;
    assert_eq!(used.len(), calls);
    assert_eq!(used[1].cached, 9);
    settled(&world, &used).await;
    world
}

/// The request that held an image: exactly as it was sent.
fn image_passed(world: &World, part: &str) {
    let seen = world.seen();
    let with_image: Vec<_> = seen.iter().filter(|s| s.body.contains("iVBORw0KGgo")).collect();
    assert_eq!(with_image.len(), 1);
    assert!(with_image[0].body.contains(part), "{}", with_image[0].body);
}

const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

#[tokio::test(flavor = "multi_thread")]
async fn openais_client_speaks_chat_completions() {
    let world = works(Protocol::OpenAI, "openai", "chat", 5).await;
    image_passed(
        &world,
        &format!(
            r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{PNG}","detail":"low"}}}}"#
        ),
    );
    let caps: Vec<_> = world.seen().iter().map(|s| s.json()["max_tokens"].clone()).collect();
    assert_eq!(caps, [4096.into(), 4096.into(), serde_json::Value::Null, 4096.into(), 3.into()]);
    assert_eq!(world.seen()[2].json()["max_completion_tokens"], 4096, "of the 64,000 that were asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn openais_client_speaks_responses() {
    let world = works(Protocol::OpenAI, "openai", "responses", 6).await;
    image_passed(
        &world,
        &format!(r#"{{"type":"input_image","image_url":"data:image/png;base64,{PNG}","detail":"low"}}"#),
    );
    let caps: Vec<_> = world.seen().iter().map(|s| s.json()["max_output_tokens"].clone()).collect();
    assert_eq!(caps, [4096, 4096, 4096, 4096, 3, 4096]);
    assert!(world.seen().iter().all(|s| s.uri == "/v1/responses"));
    assert!(!world.seen()[5].body.contains("web_search"));
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropics_client_speaks_messages() {
    let world = works(Protocol::Anthropic, "anthropic", "messages", 6).await;
    image_passed(&world, &format!(r#"{{"type":"base64","media_type":"image/png","data":"{PNG}"}}"#));
    let seen = world.seen();
    let caps: Vec<_> = seen.iter().map(|s| s.json()["max_tokens"].clone()).collect();
    assert_eq!(caps, [4096, 4096, 4096, 4096, 3, 4096]);
    assert_eq!((seen[0].uri.as_str(), seen[5].uri.as_str()), ("/v1/messages", "/v1/messages?beta=true"));
    assert_eq!(seen[5].headers["anthropic-beta"], "context-management-2025-06-27");
    for call in &seen {
        assert!(call.headers.contains_key("anthropic-version"), "the client's own");
        assert_eq!(call.headers["x-api-key"], crate::world::KEY);
        assert!(!call.headers.contains_key("authorization"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn models_embeddings_and_counts_are_served() {
    let world = World::new().await;
    world.task(0).await;
    let used = run(&world, 0, "openai", "others").await;
    settled(&world, &used).await;
    let model: String =
        sqlx::query_scalar("SELECT model FROM reservations").fetch_one(&world.pool).await.unwrap();
    assert_eq!(model, "embedder", "the one that was called is paid for");

    let world = World::with(speaking(Protocol::Anthropic)).await;
    world.task(0).await;
    run(&world, 0, "anthropic", "others").await;
    assert_eq!(world.reservations().await.len(), 0, "counting costs nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_the_clients_own_exceptions() {
    for (protocol, client, rounds) in [(Protocol::OpenAI, "openai", 2), (Protocol::Anthropic, "anthropic", 1)]
    {
        let world = World::with(speaking(protocol)).await;
        world.task(0).await;
        for _ in 0..rounds {
            world.model.order(Fault { next: 3, status: Some(429), ..Fault::default() });
            world.model.order(Fault { status: Some(500), ..Fault::default() });
            world.model.order(Fault::default());
        }
        run(&world, 0, client, "errors").await;
        let rows = world.reservations().await;
        assert_eq!(rows.len(), 5 * rounds, "three tries, a failure and a refusal");
        assert!(rows.iter().all(|r| r.state == "Settled" && r.actual_cost == Some(0)), "{rows:?}");
        assert_eq!(world.budget().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_refuses_is_an_exception_too_and_calls_nobody() {
    for (protocol, client, other) in [
        (Protocol::OpenAI, "openai", Protocol::Anthropic),
        (Protocol::Anthropic, "anthropic", Protocol::OpenAI),
    ] {
        let fail = Setup { limit: 100, on_exhausted: "Fail", ..speaking(protocol) };
        let world = World::with(fail).await;
        let task = world.task(0).await;
        run(&world, 0, client, "exhausted").await;
        world.attempt(task, 1, 2, "nobody").await;
        run(&world, 1, client, "unbound").await;
        assert_eq!((world.seen().len(), world.reservations().await.len()), (0, 0));

        let world = World::with(speaking(other)).await;
        world.task(0).await;
        run(&world, 0, client, "mismatched").await;
        assert_eq!((world.seen().len(), world.reservations().await.len()), (0, 0));
        let told = &world.facts("CallStuck").await[0];
        assert_eq!(told["reason"], "ProviderNotReady", "whoever looks at the task sees why");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_stream_is_kept_alive_and_goes_on() {
    for (protocol, client, function) in HELD {
        let world = World::with(Setup { limit: 100, ..speaking(protocol) }).await;
        world.task(0).await;
        let function = format!("held_{function}");
        let streaming = run(&world, 0, client, &function);
        let raising = async {
            until(Duration::from_mins(2), async || world.facts("BudgetHeld").await.len() == 1).await;
            // The ping is sent as the call begins to wait.
            tokio::time::sleep(Duration::from_millis(300)).await;
            world.set_limit(1_000_000, "Pause").await;
        };
        tokio::join!(streaming, raising);
        assert_eq!(world.reservations().await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_stream_that_fails_ends_with_the_clients_own_exception() {
    for (protocol, client, function) in HELD {
        let world = World::with(Setup { limit: 100, ..speaking(protocol) }).await;
        world.task(0).await;
        let function = format!("failed_{function}");
        let streaming = run(&world, 0, client, &function);
        let failing = async {
            until(Duration::from_mins(2), async || world.facts("BudgetHeld").await.len() == 1).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            world.set_limit(101, "Fail").await;
        };
        tokio::join!(streaming, failing);
        assert_eq!((world.seen().len(), world.reservations().await.len()), (0, 0));
    }
}

const HELD: [(Protocol, &str, &str); 3] = [
    (Protocol::OpenAI, "openai", "chat"),
    (Protocol::OpenAI, "openai", "responses"),
    (Protocol::Anthropic, "anthropic", "messages"),
];
