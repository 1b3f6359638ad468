//! Providers that are busy, broken, elsewhere or not what they say.

use crate::world::{KEY, Setup, World, ask, serve, until};
use axum::http::{HeaderMap, StatusCode, header};
use golden_model::Fault;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_provider_is_asked_again_under_a_key_of_its_own() {
    let world = World::new().await;
    world.task(0).await;
    world.model.order(Fault { status: Some(429), retry_after_seconds: Some(1), ..Fault::default() });
    let begun = Instant::now();
    assert_eq!(world.call(0, &ask(0, false)).send().await.unwrap().status(), 200);
    assert!(begun.elapsed() >= Duration::from_secs(1), "Retry-After was not honoured");
    let rows = world.reservations().await;
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].state.as_str(), rows[0].actual_cost), ("Settled", Some(0)));
    assert!(rows[1].actual_cost > Some(0));
    assert_ne!(rows[0].op_key, rows[1].op_key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_passed_on_and_costs_nothing() {
    let world = World::new().await;
    world.task(0).await;
    let mut unknown = ask(0, true);
    unknown["messages"][1]["content"] = "a task nobody recorded".into();
    let response = world.call(0, &unknown).send().await.unwrap();
    assert_eq!(response.status(), 422);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "no_recording");
    assert_eq!(world.budget().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_error_upstream_may_have_cost_money() {
    let world = World::new().await;
    world.task(0).await;
    world.model.order(Fault { status: Some(504), ..Fault::default() });
    assert_eq!(world.call(0, &ask(0, false)).send().await.unwrap().status(), 504);
    let row = world.reservations().await.remove(0);
    assert_eq!((row.state.as_str(), row.actual_cost), ("Unknown", Some(row.cost)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_refused_may_be_sent_again() {
    let world = World::new().await;
    world.task(0).await;
    world.model.order(Fault { next: 3, status: Some(503), ..Fault::default() });
    assert_eq!(world.call(0, &ask(0, false)).send().await.unwrap().status(), 503);
    assert_eq!(world.budget().await, (0, 0));
    assert_eq!(world.facts("CallStuck").await.len(), 1);
    assert_eq!(world.call(0, &ask(0, false)).send().await.unwrap().status(), 200);
    assert_eq!(world.reservations().await.len(), 4, "each try has a key of its own");
    until(Duration::from_secs(5), async || world.facts("CallUnstuck").await.len() == 1).await;

    // Another trouble of the same caller is told again.
    world.model.order(Fault { next: 3, status: Some(503), ..Fault::default() });
    assert_eq!(world.call(0, &ask(1, false)).send().await.unwrap().status(), 503);
    assert_eq!(world.facts("CallStuck").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_not_there_opens_its_breaker_and_costs_nothing() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let world =
        World::with(Setup { base_url: Some(format!("http://{address}/v1")), ..Setup::default() }).await;
    world.task(0).await;
    let first = world.call(0, &ask(0, false)).send().await.unwrap();
    assert_eq!(first.status(), 503);
    let told = world.facts("CallStuck").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["reason"], "ModelUnreachable");
    assert!(
        told[0]["message"].as_str().unwrap().contains("golden-system/shared does not answer"),
        "{told:?}"
    );
    let second = world.call(0, &ask(1, false)).send().await.unwrap();
    let body: Value = second.json().await.unwrap();
    assert_eq!(body["error"]["code"], "circuit_open");
    assert_eq!(world.facts("CallStuck").await.len(), 1, "told once");
    assert_eq!(world.budget().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_never_follows_a_redirect() {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let elsewhere = {
        let seen = Arc::clone(&seen);
        serve(
            axum::Router::new().fallback(async move |headers: HeaderMap| seen.lock().unwrap().push(headers)),
        )
        .await
    };
    let redirect = axum::Router::new().fallback(async move || {
        (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, format!("{elsewhere}/v1/chat/completions"))])
    });
    let base_url = format!("{}/v1", serve(redirect).await);
    let world = World::with(Setup { base_url: Some(base_url), ..Setup::default() }).await;
    world.task(0).await;
    assert_eq!(world.call(0, &ask(0, false)).send().await.unwrap().status(), 502);
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_gets_its_key_and_not_the_callers_identity() {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let provider = {
        let seen = Arc::clone(&seen);
        serve(axum::Router::new().fallback(async move |headers: HeaderMap| {
            seen.lock().unwrap().push(headers);
            StatusCode::BAD_REQUEST
        }))
        .await
    };
    let world = World::with(Setup { base_url: Some(format!("{provider}/v1")), ..Setup::default() }).await;
    world.task(0).await;
    let call = world.call(0, &ask(0, false)).header("x-own", "1").header("x-golden-role", "developer");
    assert_eq!(call.send().await.unwrap().status(), 400);
    let headers = seen.lock().unwrap().remove(0);
    assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(headers["x-own"], "1");
    assert!(!headers.contains_key("x-golden-role"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_another_host_is_not_sent() {
    let world = World::with(Setup { key_hosts: Some("api.example".into()), ..Setup::default() }).await;
    world.task(0).await;
    let response = world.call(0, &ask(0, false)).send().await.unwrap();
    assert_eq!(response.status(), 503);
    let body: Value = response.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("not annotated for host"), "{body}");
    assert!(!world.model_url.is_empty());
    assert_eq!((world.model.tally().totals.calls, world.reservations().await.len()), (0, 0));
}
