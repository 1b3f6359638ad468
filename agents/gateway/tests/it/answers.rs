//! What a provider may say instead of an answer, and what of it is believed.

use crate::faulty::{Does, Faulty};
use crate::world::{Reservation, Setup, World, ask, until};
use golden_crds::model_provider::Protocol;
use serde_json::{Value, json};
use std::time::Duration;

async fn world(url: &str, protocol: Protocol) -> World {
    let setup = Setup { base_url: Some(url.to_owned()), protocol, ..Setup::default() };
    let world = World::with(setup).await;
    world.task(0).await;
    world
}

/// Whether a call was charged its bound, as one of which nobody knows what it cost.
fn is_unknown(row: &Reservation) -> bool {
    row.state == "Unknown" && row.actual_cost == Some(row.cost)
}

/// What is no answer: a content type and a body, and what the client is told of it.
fn nothings() -> [(&'static str, &'static str, &'static str); 5] {
    let html = "<!doctype html><html><body>Please log in</body></html>";
    [
        ("text/html; charset=utf-8", html, "text/html"),
        ("application/octet-stream", "{}", "application/octet-stream"),
        ("application/json", html, "not one whole JSON object"),
        (
            "application/json",
            r#"{"choices": [], "usage": {"prompt_tokens": 7, "compl"#,
            "not one whole JSON object",
        ),
        ("application/json", "[]", "not one whole JSON object"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_is_an_error_that_says_so_and_is_charged_as_unknown() {
    let faulty = Faulty::start(Does::Hangs).await;
    for (protocol, path, code) in [
        (Protocol::OpenAI, "chat/completions", "/error/code"),
        (Protocol::OpenAI, "responses", "/error/code"),
        (Protocol::Anthropic, "messages", "/error/details/error_code"),
    ] {
        let world = world(&faulty.url, protocol).await;
        // It may have cost something: nobody else is asked for a second answer, and none is asked twice.
        let second = json!({"fallbacks": [{"provider": "second", "model": "standard"}]});
        world.provider("shared", &faulty.url, protocol, &second);
        world.provider("second", &format!("{}/v1", world.model_url), protocol, &json!({}));
        for (number, (kind, body, told)) in nothings().into_iter().enumerate() {
            // Five failures in a row open the breaker; elsewhere it begins anew.
            if number == 4 {
                world.provider("shared", &format!("{}/", faulty.url), protocol, &second);
            }
            let stream = number % 2 == 0;
            faulty.does(Does::Says(kind, body.into()));
            let before = faulty.asked();
            let mut asked = ask(number, stream);
            asked["input"] = "Hello".into();
            let response = world.post(0, path, &asked).send().await.unwrap();
            assert_eq!(response.status(), 502, "{path} {kind} {body}");
            let said: Value = response.json().await.unwrap();
            assert_eq!(said.pointer(code), Some(&json!("provider_failed")), "{said}");
            let message = said["error"]["message"].as_str().unwrap();
            assert!(message.contains(told) && message.contains("golden-system/shared"), "{message}");
            assert_eq!(faulty.asked(), before + 1, "{path} {kind}");
        }
        let rows = world.reservations().await;
        assert!(rows.len() == 5 && rows.iter().all(is_unknown), "{rows:?}");
        assert_eq!(world.model.tally().totals.calls, 0);
        world.adds_up().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_opens_the_breaker() {
    let faulty = Faulty::start(Does::Says("text/html", "<html>".into())).await;
    let world = world(&faulty.url, Protocol::OpenAI).await;
    world.provider("shared", &faulty.url, Protocol::OpenAI, &json!({"breaker": {"failureThreshold": 2}}));
    for (number, (status, code)) in
        [(502, "provider_failed"), (502, "provider_failed"), (503, "circuit_open")].into_iter().enumerate()
    {
        let response = world.call(0, &ask(number, number % 2 == 0)).send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.json::<Value>().await.unwrap()["error"]["code"], code);
    }
    assert_eq!(faulty.asked(), 2);
    let stuck = world.facts("CallStuck").await;
    assert_eq!(stuck[0]["reason"], "ModelUnreachable");
    assert!(stuck[0]["message"].as_str().unwrap().contains("text/html"), "{stuck:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usage_that_cannot_be_is_charged_as_one_that_is_not_stated() {
    for (input, output) in [(0, 0), (0, 3), (i64::MAX, 0), (7, 1_000_000_000), (-1, 3)] {
        let usage = json!({"prompt_tokens": input, "completion_tokens": output});
        let choice =
            json!({"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"});
        let answer = json!({"choices": [choice], "usage": usage}).to_string();
        let faulty = Faulty::start(Does::Says("application/json", answer)).await;
        let world = world(&faulty.url, Protocol::OpenAI).await;
        assert_eq!(world.call(0, &ask(0, false)).send().await.unwrap().status(), 200);
        until(Duration::from_secs(5), async || is_unknown(&world.reservations().await[0])).await;
        world.adds_up().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_in_place_of_a_stream_is_passed_on_and_settled() {
    let works = Faulty::start(Does::Works).await;
    let world = world(&works.url, Protocol::OpenAI).await;
    let response = world.call(0, &ask(0, true)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.json::<Value>().await.unwrap()["usage"]["completion_tokens"], 3);
    let row = world.reservations().await.remove(0);
    assert_eq!((row.state.as_str(), row.actual_cost), ("Settled", Some(7 + 4 * 3)));
}

/// Chunks of a stream, each with the usage so far and perhaps a finish reason.
fn chunks(parts: &[(u64, Option<&str>)]) -> Does {
    let chunk = |(output, finish): &(u64, Option<&str>)| {
        let choice = json!({"index": 0, "delta": {"content": "word "}, "finish_reason": finish});
        let usage = json!({"prompt_tokens": 7, "completion_tokens": output});
        format!("data: {}\n\n", json!({"choices": [choice], "usage": usage}))
    };
    Does::Says("text/event-stream", parts.iter().map(chunk).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usage_so_far_is_no_price_of_a_stream_that_broke() {
    for (parts, want) in
        [(vec![(1, None), (2, None)], None), (vec![(1, None), (2, None), (3, Some("stop"))], Some((7, 3)))]
    {
        let faulty = Faulty::start(chunks(&parts)).await;
        let world = world(&faulty.url, Protocol::OpenAI).await;
        let response = world.call(0, &ask(0, true)).send().await.unwrap();
        assert!(response.text().await.is_err(), "it ended before its answer did");
        let row = world.reservations().await.remove(0);
        match want {
            None => assert!(is_unknown(&row), "{row:?}"),
            Some((input, output)) => {
                assert_eq!((row.input_tokens, row.output_tokens), (Some(input), Some(output)));
                assert_eq!((row.state.as_str(), row.actual_cost), ("Settled", Some(input + 4 * output)));
            }
        }
        world.adds_up().await;
    }
}
