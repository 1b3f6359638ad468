//! Health, metrics, errors and calls between services, over real sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::routing::{get, post};
use golden_platform::auth::{Authenticator, Caller, Fixed, protect};
use golden_platform::http::{CallError, Error, Health, ServiceClient, TokenFile, client, serve_on};
use golden_platform::telemetry::Metrics;
use golden_platform::{CancellationToken, Class, Classify as _};

async fn start(router: Router, open: Arc<AtomicBool>) -> (String, CancellationToken) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let health = Health::new(Metrics::new("test").unwrap()).gate("store", move || {
        let open = open.load(Ordering::SeqCst);
        async move { if open { Ok(()) } else { Err("it is away".to_owned()) } }
    });
    tokio::spawn(serve_on(listener, router, health, stop.clone()));
    (base, stop)
}

#[tokio::test]
async fn readiness_names_the_gate_that_is_closed_and_metrics_name_patterns_not_paths() {
    let open = Arc::new(AtomicBool::new(false));
    let router = Router::new().route("/v1/things/{name}", get(|| async { "thing" }));
    let (base, stop) = start(router, Arc::clone(&open)).await;
    let http = client().unwrap();
    let ready = http.get(format!("{base}/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.text().await.unwrap(), "[-] store: it is away\n");
    assert_eq!(http.get(format!("{base}/healthz")).send().await.unwrap().status(), 200);
    open.store(true, Ordering::SeqCst);
    assert_eq!(http.get(format!("{base}/readyz")).send().await.unwrap().status(), 200);
    http.get(format!("{base}/v1/things/secret-name")).send().await.unwrap();
    let metrics = http.get(format!("{base}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("route=\"/v1/things/{name}\""), "{metrics}");
    assert!(!metrics.contains("secret-name"));
    assert!(metrics.contains("process_resident_memory_bytes{service=\"test\"}"), "{metrics}");
    stop.cancel();
}

#[tokio::test]
async fn a_caller_is_let_in_by_its_token_and_told_why_not() {
    let router = Router::new().route("/who", get(|caller: Caller| async move { caller.username }));
    let known = Fixed([("good".to_owned(), Caller::service("golden-system", "golden-gateway"))].into());
    let (base, _stop) = start(protect(router, Authenticator::new(known)), Arc::default()).await;
    let http = client().unwrap();
    let ask = |token: &str| http.get(format!("{base}/who")).header("authorization", token.to_owned()).send();
    let good = ask("Bearer good").await.unwrap().text().await.unwrap();
    assert_eq!(good, "system:serviceaccount:golden-system:golden-gateway");
    for wrong in ["Bearer bad", "Basic good", ""] {
        let refused = ask(wrong).await.unwrap();
        assert_eq!(refused.status(), 401, "{wrong:?}");
        let body: serde_json::Value = refused.json().await.unwrap();
        assert_eq!(body["error"]["reason"], "Unauthorized");
        assert!(body["error"]["message"].as_str().is_some_and(|m| m.contains("audience")));
    }
}

#[tokio::test]
async fn a_route_without_protection_does_not_take_a_caller() {
    let router = Router::new().route("/who", get(|caller: Caller| async move { caller.username }));
    let (base, _stop) = start(router, Arc::default()).await;
    assert_eq!(client().unwrap().get(format!("{base}/who")).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_call_between_services_carries_the_token_and_tells_refusals_from_outages() {
    let router =
        Router::new()
            .route(
                "/echo",
                post(|caller: Caller, body: String| async move {
                    format!("\"{}{}\"", caller.namespace, body.len())
                }),
            )
            .route("/taken", post(|| async { Error::conflict("a newer try exists") }))
            .route("/elsewhere", post(|| async { axum::response::Redirect::temporary("/echo") }));
    let known = Fixed([("t1".to_owned(), Caller::service("ns", "sa"))].into());
    let (base, _stop) = start(protect(router, Authenticator::new(known)), Arc::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let token = TokenFile::new(&file);
    let service = ServiceClient::new(client().unwrap(), &base, token);
    let without = service.post::<_, String>("/echo", &1).await.unwrap_err();
    assert!(matches!(without, CallError::Token { .. }) && without.class() == Class::Dependency, "{without}");
    std::fs::write(&file, "t1\n").unwrap();
    assert_eq!(service.post::<_, String>("/echo", &1).await.unwrap(), "ns1");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(service.post::<_, String>("/echo", &1).await.unwrap(), "ns1", "the last token still serves");
    let refused = service.post::<_, String>("/taken", &1).await.unwrap_err();
    assert!(
        refused.class() == Class::Conflict && refused.to_string().contains("a newer try exists"),
        "{refused}"
    );
    let elsewhere = service.post::<_, String>("/elsewhere", &1).await.unwrap_err();
    assert!(
        matches!(elsewhere, CallError::Refused { status: 307, .. }),
        "a token is never sent on: {elsewhere}"
    );
    let gone = ServiceClient::new(client().unwrap(), "http://127.0.0.1:1", TokenFile::new(&file));
    std::fs::write(&file, "t1").unwrap();
    assert_eq!(gone.post::<_, String>("/x", &1).await.unwrap_err().class(), Class::Dependency);
}

#[tokio::test]
async fn a_request_in_hand_is_answered_before_the_end() {
    let begun = Arc::new(tokio::sync::Notify::new());
    let started = Arc::clone(&begun);
    let router = Router::new().route(
        "/slow",
        get(move || async move {
            started.notify_one();
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            "done"
        }),
    );
    let (base, stop) = start(router, Arc::default()).await;
    let asking = tokio::spawn(client().unwrap().get(format!("{base}/slow")).send());
    begun.notified().await;
    stop.cancel();
    assert_eq!(asking.await.unwrap().unwrap().text().await.unwrap(), "done");
}

#[tokio::test]
async fn breakers_are_seen_as_json_and_as_series() {
    let metrics = Metrics::new("test").unwrap();
    let circuit = metrics.breakers().get("git/git.example");
    let now = std::time::Instant::now();
    for _ in 0..5 {
        circuit.admit(now).unwrap();
        circuit.report(false, now);
    }
    circuit.admit(now).unwrap_err();
    metrics.breakers().get("model/ns/fine").report(true, now);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    tokio::spawn(serve_on(listener, Router::new(), Health::new(metrics), stop.clone()));
    let http = client().unwrap();
    let got = http.get(format!("{base}/v1/breakers")).send().await.unwrap();
    let body: serde_json::Value = got.json().await.unwrap();
    let git = &body["breakers"][0];
    assert_eq!((&git["name"], &git["state"]), (&"git/git.example".into(), &"OPEN".into()), "{body}");
    assert_eq!((&git["failureThreshold"], &git["recoverySeconds"]), (&5.into(), &30.into()));
    assert!(git["refusesForMillis"].as_u64().is_some_and(|left| left <= 30_000));
    assert_eq!(git["statistics"]["refused"], 1);
    assert_eq!(body["breakers"][1]["state"], "CLOSED");
    let text = http.get(format!("{base}/metrics")).send().await.unwrap().text().await.unwrap();
    for line in [
        "golden_breaker_state{name=\"git/git.example\",service=\"test\"} 2",
        "golden_breaker_state{name=\"model/ns/fine\",service=\"test\"} 0",
        "golden_breaker_calls_total{name=\"git/git.example\",outcome=\"failed\",service=\"test\"} 5",
        "golden_breaker_calls_total{name=\"git/git.example\",outcome=\"refused\",service=\"test\"} 1",
        "golden_breaker_opened_total{name=\"git/git.example\",service=\"test\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    stop.cancel();
}
