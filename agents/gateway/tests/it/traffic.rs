//! Limits, timeouts, wishes to wait and breaker settings of a provider.

use crate::faulty::{Does, Faulty};
use crate::world::{Setup, World, ask, until};
use futures::future::join_all;
use golden_crds::model_provider::Protocol;
use golden_model::Fault;
use golden_platform::provider_health;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime};

async fn world(url: &str, spec: &Value) -> World {
    let world = World::with(Setup { base_url: Some(url.to_owned()), ..Setup::default() }).await;
    world.task(0).await;
    world.provider("shared", url, Protocol::OpenAI, spec);
    world
}

fn edit(world: &World, url: &str, spec: &Value) {
    world.provider("shared", url, Protocol::OpenAI, spec);
}

async fn code(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_above_the_limit_wait_in_line_and_then_go_elsewhere_or_are_told_when_to_come_back() {
    let works = Faulty::start(Does::Works).await;
    let world = world(&works.url, &json!({"limits": {"requestsPerMinute": 2}})).await;
    for number in 0..2 {
        assert_eq!(world.call(0, &ask(number, false)).send().await.unwrap().status(), 200);
    }
    let begun = Instant::now();
    let waited = world.call(0, &ask(2, false)).send().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(29), "it waited in line");
    let after: u64 = waited.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=61).contains(&after), "{after}");
    assert_eq!(code(waited).await, (429, "provider_busy".into()));
    assert_eq!(works.asked(), 2, "the limit holds");
    assert_eq!(world.facts("CallStuck").await[0]["reason"], "ModelRateLimited");
    let rows = world.reservations().await;
    assert_eq!((rows.len(), rows[2].state.as_str()), (3, "Released"));
    world.adds_up().await;

    // An edit counts at once, also for a call that waits already.
    let waiting = tokio::spawn(world.call(0, &ask(3, false)).send());
    tokio::time::sleep(Duration::from_millis(500)).await;
    edit(&world, &works.url, &json!({"limits": {"requestsPerMinute": 10}}));
    let begun = Instant::now();
    assert_eq!(world.call(0, &ask(4, false)).send().await.unwrap().status(), 200);
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    assert!(begun.elapsed() < Duration::from_secs(10));
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_line_goes_to_the_fallback() {
    let hangs = Faulty::start(Does::Hangs).await;
    let spec =
        json!({"limits": {"maxConcurrent": 1}, "fallbacks": [{"provider": "second", "model": "standard"}]});
    let world = world(&hangs.url, &spec).await;
    world.provider("second", &format!("{}/v1", world.model_url), Protocol::OpenAI, &json!({}));
    let slow = tokio::spawn(world.call(0, &ask(0, false)).timeout(Duration::from_secs(40)).send());
    while hangs.asked() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let response = world.call(0, &ask(1, false)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-golden-provider"], "golden-system/second");
    assert_eq!(hangs.asked(), 1);
    assert!(slow.await.unwrap().is_err());
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_calls_run_at_once_than_may_and_all_are_answered() {
    let world = World::new().await;
    world.task(0).await;
    let url = format!("{}/v1", world.model_url);
    edit(&world, &url, &json!({"limits": {"maxConcurrent": 2, "tokensPerMinute": 1_000_000}}));
    world.model.order(Fault { next: 12, latency_ms: 100, ..Fault::default() });
    let watching = async {
        let mut most = 0;
        while world.model.tally().totals.calls < 12 {
            most = most.max(world.streams());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        most
    };
    let calls = join_all((0..12).map(|number| world.call(0, &ask(number, number % 2 == 0)).send()));
    let (answers, most) = tokio::join!(calls, watching);
    for answer in answers {
        assert!(answer.unwrap().text().await.unwrap().contains("list_files"));
    }
    assert_eq!(most, 2);
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_says_nothing_is_left_after_its_own_time() {
    let faulty = Faulty::start(Does::Hangs).await;
    let world = world(
        &faulty.url,
        &json!({"timeouts": {"connectSeconds": 1, "firstByteSeconds": 1, "idleSeconds": 1}}),
    )
    .await;
    let begun = Instant::now();
    let silent = world.call(0, &ask(0, false)).send().await.unwrap();
    assert_eq!(code(silent).await, (504, "provider_first_byte_timeout".into()));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // Nobody knows what it has done meanwhile.
    assert_eq!(world.reservations().await[0].state, "Unknown");

    faulty.does(Does::StreamsAndHangs);
    let begun = Instant::now();
    let response = world.call(0, &ask(1, true)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.text().await.is_err(), "half an answer must not look whole");
    assert!(begun.elapsed() < Duration::from_secs(5));
    let rows = world.reservations().await;
    assert_eq!((rows.len(), rows[1].state.as_str(), rows[1].actual_cost), (2, "Unknown", Some(rows[1].cost)));
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_takes_no_connection_is_left_and_costs_nothing() {
    // A listener whose queue is full takes no more connections and refuses none.
    let full = tokio::net::TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = full.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(Ok(connection)) =
        tokio::time::timeout(Duration::from_millis(300), tokio::net::TcpStream::connect(address)).await
    {
        held.push(connection);
    }
    let world = world(&format!("http://{address}/v1"), &json!({"timeouts": {"connectSeconds": 1}})).await;
    let begun = Instant::now();
    let response = world.call(0, &ask(0, false)).send().await.unwrap();
    assert_eq!(code(response).await, (503, "provider_connect_timeout".into()));
    assert!(begun.elapsed() < Duration::from_secs(10), "three tries of a second: {:?}", begun.elapsed());
    assert_eq!(world.budget().await, (0, 0));
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_to_wait_is_kept_in_all_its_forms() {
    let at = |after: u64| httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(after));
    for (dated, least) in [(false, 1500), (true, 2000)] {
        let faulty = Faulty::start(Does::Works).await;
        let world = world(&faulty.url, &json!({})).await;
        // A date counts from now, not from before the world was made.
        let headers = if dated {
            format!("retry-after: {}\r\n", at(4))
        } else {
            "retry-after-ms: 1500\r\nretry-after: 0\r\n".to_owned()
        };
        faulty.does(Does::Answers(503, headers.clone()));
        let begun = Instant::now();
        let call = tokio::spawn(world.call(0, &ask(0, false)).send());
        while faulty.asked() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        faulty.does(Does::Works);
        assert_eq!(call.await.unwrap().unwrap().status(), 200, "{headers}");
        assert!(begun.elapsed() >= Duration::from_millis(least), "{headers}: {:?}", begun.elapsed());
        world.adds_up().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn breaker_settings_count_at_once_and_another_endpoint_begins_anew() {
    let faulty = Faulty::start(Does::Answers(500, String::new())).await;
    let patient = json!({"breaker": {"failureThreshold": 1, "recoverySeconds": 3600}});
    let world = world(&faulty.url, &patient).await;
    assert_eq!(world.call(0, &ask(0, false)).send().await.unwrap().status(), 500);
    let open = world.call(0, &ask(1, false)).send().await.unwrap();
    assert_eq!(code(open).await, (503, "circuit_open".into()), "one failure is enough");

    tokio::time::sleep(Duration::from_secs(1)).await;
    edit(&world, &faulty.url, &json!({"breaker": {"failureThreshold": 1, "recoverySeconds": 1}}));
    assert_eq!(world.call(0, &ask(2, false)).send().await.unwrap().status(), 500, "let through to see");

    edit(&world, &faulty.url, &patient);
    let open = world.call(0, &ask(3, false)).send().await.unwrap();
    assert_eq!(code(open).await, (503, "circuit_open".into()));
    edit(&world, &format!("{}/v1", world.model_url), &patient);
    assert_eq!(world.call(0, &ask(4, false)).send().await.unwrap().status(), 200, "mended");
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_a_silent_provider_does_not_count_as_its_success() {
    let faulty = Faulty::start(Does::StreamsAndResets).await;
    let world =
        world(&faulty.url, &json!({"breaker": {"failureThreshold": 2, "recoverySeconds": 3600}})).await;
    let broken = world.call(0, &ask(0, true)).send().await.unwrap();
    assert!(broken.text().await.is_err());

    faulty.does(Does::StreamsAndHangs);
    let mut left = world.call(0, &ask(1, true)).send().await.unwrap();
    left.chunk().await.unwrap().unwrap();
    drop(left);
    until(Duration::from_secs(5), async || {
        world.reservations().await.iter().filter(|row| row.state == "Unknown").count() == 2
    })
    .await;

    faulty.does(Does::StreamsAndResets);
    let broken = world.call(0, &ask(2, true)).send().await.unwrap();
    assert!(broken.text().await.is_err());
    let open = world.call(0, &ask(3, true)).send().await.unwrap();
    assert_eq!(code(open).await, (503, "circuit_open".into()), "two failures, and nothing good between them");
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_written_down_with_its_reason_and_so_is_its_end() {
    let faulty = Faulty::start(Does::Answers(401, String::new())).await;
    let once = json!({"breaker": {"failureThreshold": 1, "recoverySeconds": 1}});
    let world = world(&faulty.url, &once).await;
    let namespace = "golden-system";
    for (number, does, state, trouble) in [
        (0, Does::Answers(401, String::new()), "CLOSED", Some("KeyRefused")),
        (1, Does::Works, "CLOSED", None),
        (2, Does::Answers(500, String::new()), "OPEN", Some("BreakerOpen")),
        (3, Does::Resets, "OPEN", Some("EndpointUnreachable")),
        (4, Does::Works, "CLOSED", None),
    ] {
        faulty.does(does);
        // Past the recovery, so that it is asked.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        world.call(0, &ask(number, false)).send().await.unwrap();
        until(Duration::from_secs(5), async || {
            let rows = provider_health::of_namespace(&world.pool, namespace).await.unwrap();
            rows.len() == 1
                && (rows[0].state.as_str(), rows[0].trouble.as_deref()) == (state, trouble)
                && (rows[0].provider.as_str(), rows[0].fresh) == ("shared", true)
        })
        .await;
    }
    world.adds_up().await;
}
