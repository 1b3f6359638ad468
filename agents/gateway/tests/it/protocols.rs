//! What holds in every protocol: settled as it was used, stopped when the client hangs up, capped, in shape.

use crate::world::{GOAL, Setup, World, until};
use golden_crds::model_provider::Protocol;
use golden_model::Fault;
use serde_json::{Value, json};
use std::time::Duration;

/// A path, its provider's protocol, and a request to it.
fn asks(stream: bool) -> [(&'static str, Protocol, Value); 3] {
    let system = "Role: developer\nAttempt: 1";
    [
        (
            "chat/completions",
            Protocol::OpenAI,
            json!({"stream": stream, "messages": [
                {"role": "system", "content": system}, {"role": "user", "content": GOAL}]}),
        ),
        ("responses", Protocol::OpenAI, json!({"stream": stream, "instructions": system, "input": GOAL})),
        (
            "messages",
            Protocol::Anthropic,
            json!({"stream": stream, "system": system, "messages": [{"role": "user", "content": GOAL}]}),
        ),
    ]
}

async fn world(protocol: Protocol, limit: i64) -> World {
    let world = World::with(Setup { limit, protocol, ..Setup::default() }).await;
    world.task(0).await;
    world
}

const PLENTY: i64 = 10_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_settled_as_it_was_used() {
    for stream in [false, true] {
        for (path, protocol, ask) in asks(stream) {
            let world = world(protocol, PLENTY).await;
            let response = world.post(0, path, &ask).send().await.unwrap();
            assert_eq!(response.headers()["x-golden-model"], "standard", "{path} {stream}");
            let text = response.text().await.unwrap();
            let row = world.reservations().await.remove(0);
            assert_eq!(row.state, "Settled", "{path} {stream}");
            let served = world.model.tally().totals;
            let used = (served.prompt_tokens.cast_signed(), served.completion_tokens.cast_signed());
            assert_eq!(
                (row.input_tokens, row.output_tokens),
                (Some(used.0), Some(used.1)),
                "{path} {stream}"
            );
            assert!(text.contains("list_files"), "{path}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_stops_the_provider_in_every_protocol() {
    for (path, protocol, ask) in asks(true) {
        let world = world(protocol, PLENTY).await;
        world.model.order(Fault { event_ms: 200, ..Fault::default() });
        let mut response = world.post(0, path, &ask).send().await.unwrap();
        response.chunk().await.unwrap().unwrap();
        assert_eq!(world.streams(), 1, "{path}");
        drop(response);
        until(Duration::from_secs(5), async || world.streams() == 0).await;
        let unknown = async || world.reservations().await.first().is_some_and(|r| r.state == "Unknown");
        until(Duration::from_secs(5), unknown).await;
        let row = world.reservations().await.remove(0);
        assert_eq!(row.actual_cost, Some(row.cost), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_stream_never_looks_whole_and_a_hidden_usage_costs_the_bound() {
    for (path, protocol, ask) in asks(true) {
        let world = world(protocol, PLENTY).await;
        world.model.order(Fault { cut_after_events: Some(3), event_ms: 50, ..Fault::default() });
        let text = world.post(0, path, &ask).send().await.unwrap().text().await;
        assert!(text.is_err(), "{path}: {text:?}");
        world.model.order(Fault { hide_usage: true, ..Fault::default() });
        assert!(world.post(0, path, &ask).send().await.unwrap().text().await.is_ok(), "{path}");
        let unknown = async || world.reservations().await.iter().all(|r| r.state == "Unknown");
        until(Duration::from_secs(5), unknown).await;
        let rows = world.reservations().await;
        assert!(rows.len() == 2 && rows.iter().all(|r| r.actual_cost == Some(r.cost)), "{path}: {rows:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_paid_in_full_is_asked_with_less_output_and_not_held() {
    for (path, protocol, mut ask) in asks(false) {
        ask["model"] = "large".into();
        // 64,000 tokens of output cost 256,000 here.
        let world = world(protocol, 100_000).await;
        world.bind("large").await;
        let field = match path {
            "responses" => "max_output_tokens",
            _ => "max_tokens",
        };
        ask[field] = 64_000.into();
        assert_eq!(world.post(0, path, &ask).send().await.unwrap().status(), 200, "{path}");
        let sent = world.seen().remove(0).json()[field].as_u64().unwrap();
        assert!((20_000..25_000).contains(&sent), "{path}: {sent}");
        let row = world.reservations().await.remove(0);
        assert_eq!(row.cost, 100_000, "nobody else needs it: all that is there, and no more");
        assert!(sent * 4 < 100_000, "the prompt is paid for too");
        assert!(world.facts("BudgetHeld").await.is_empty());
        assert_eq!(world.budget().await.1, 0, "the rest is given back");
    }
}

/// A tool that the model called, and what it gave.
fn tool_turn(path: &str) -> [Value; 2] {
    let gave = "shop/slug.py\nshop/tests.py";
    match path {
        "responses" => [
            json!({"type": "function_call", "call_id": "c", "name": "list_files", "arguments": "{}"}),
            json!({"type": "function_call_output", "call_id": "c", "output": gave}),
        ],
        "messages" => [
            json!({"role": "assistant", "content": [
                {"type": "tool_use", "id": "c", "name": "list_files", "input": {}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": gave}]}),
        ],
        _ => [
            json!({"role": "assistant", "content": null, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "list_files", "arguments": "{}"}}]}),
            json!({"role": "tool", "tool_call_id": "c", "content": gave}),
        ],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_s_later_calls_are_reserved_for_little_more_than_they_use() {
    let system = format!("Role: developer\nAttempt: 1\n{}", "A tool is described here. ".repeat(400));
    let words = |role: &str, text: &str| json!({"role": role, "content": text});
    for (path, protocol, mut ask) in asks(false) {
        let world = world(protocol, PLENTY).await;
        let (field, mut turns) = match path {
            "responses" => ("input", vec![]),
            "messages" => ("messages", vec![]),
            _ => ("messages", vec![words("system", &system)]),
        };
        if path != "chat/completions" {
            ask[if path == "responses" { "instructions" } else { "system" }] = json!(system);
        }
        let instructions = turns.len();
        turns.push(words("user", GOAL));
        let mut prompts = vec![turns.clone()];
        turns.extend(tool_turn(path));
        prompts.push(turns.clone());
        turns[instructions] = words("user", &format!("{GOAL} Once more."));
        prompts.push(turns);
        for prompt in prompts {
            ask[field] = json!(prompt);
            assert_eq!(world.post(0, path, &ask).send().await.unwrap().status(), 200, "{path}");
        }
        let (rows, seen) = (world.reservations().await, world.seen());
        // Input costs 1 micro-USD a token here, output 4.
        let bound = |at: usize| {
            let sent = seen[at].json();
            let cap = ["max_tokens", "max_output_tokens"].into_iter().find_map(|field| sent[field].as_i64());
            rows[at].cost - 4 * cap.unwrap()
        };
        assert!(bound(0) >= 10_000, "{path}: nothing is known of the first: {}", bound(0));
        for at in [1, 2] {
            let used = rows[at].input_tokens.unwrap();
            assert!((used..used + 500).contains(&bound(at)), "{path} {at}: {} for {used}", bound(at));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_does_not_know_reaches_the_provider_byte_for_byte() {
    let world = world(Protocol::Anthropic, PLENTY).await;
    let messages = format!(
        r#"[{{"role":"user","content":[{{"type":"text","text":"{GOAL}","cache_control":{{"type":"ephemeral"}}}},
            {{"type":"image","source":{{"data":"iVBORw0KGgo\u002b\/==","media_type":"image\/png","type":"base64"}}}}]}}]"#
    );
    let rest = r#""x_future":{"n":1.50e3,"big":12345678901234567890123},"metadata":{"user_id":"\u00e9"}"#;
    let raw = format!(
        r#"{{"max_tokens":64000,"system":"Role: developer\nAttempt: 1",{rest},"messages":{messages},"model":"claude"}}"#
    );
    let call = world.http.post(format!("{}/v1/messages?beta=true", world.url)).header("x-api-key", "pod-0");
    let call = call.header("anthropic-beta", "one,two").header("x-stainless-lang", "js").body(raw.clone());
    assert_eq!(call.send().await.unwrap().status(), 200);
    let seen = world.seen().remove(0);
    let want = raw.replace("64000", "4096").replace(r#""model":"claude""#, r#""model":"standard""#);
    assert_eq!(seen.body, want);
    assert_eq!(seen.headers["anthropic-version"], "2023-06-01", "where the client does not say");
    assert_eq!(
        (&seen.headers["anthropic-beta"], &seen.headers["x-stainless-lang"]),
        (&"one,two".parse().unwrap(), &"js".parse().unwrap())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_whether_it_is_there_is_answered_and_large_requests_are_refused_in_shape() {
    let world = world(Protocol::Anthropic, PLENTY).await;
    let head = world.http.head(format!("{}/", world.url)).send().await.unwrap();
    assert_eq!(head.status(), 200);
    let large = json!({"messages": [{"role": "user", "content": "x".repeat(9 << 20)}]});
    let refused = world.post(0, "messages", &large).send().await.unwrap();
    assert_eq!(refused.status(), 413);
    let body: Value = refused.json().await.unwrap();
    assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!("request_too_large")));
    let twice = world.http.post(format!("{}/v1/messages", world.url)).bearer_auth("pod-0");
    let twice = twice.body(r#"{"messages":[],"max_tokens":1,"max_tokens":64000}"#).send().await.unwrap();
    assert_eq!(twice.status(), 400, "the provider might read the other one");
    assert!(world.seen().is_empty());
}
