//! Artifacts are what their digest says, and stay in their namespace.

use async_nats::jetstream::Context;
use axum::Extension;
use golden_cluster::services::Nats;
use golden_platform::artifacts::{BUCKET, Error, MAX_BYTES, Scope, Store, router};
use golden_platform::http::{Health, serve_on};
use golden_platform::telemetry::Metrics;
use golden_platform::wire::ArtifactStored;
use golden_platform::{CancellationToken, Class, Classify as _, nats};
use std::time::Duration;
use uuid::Uuid;

use crate::support::{pool, team, until};

async fn store() -> (Store, Context) {
    let (js, _) = team().await;
    (Store::new(js.clone(), pool().await), js)
}

fn bytes(seed: &Uuid, len: usize) -> Vec<u8> {
    seed.as_bytes().iter().copied().cycle().take(len).collect()
}

#[tokio::test]
async fn what_is_put_is_got_and_putting_again_changes_nothing() {
    let (store, _) = store().await;
    let (team, task) = (Uuid::new_v4(), Uuid::new_v4());
    for len in [0, 1, 300_000, 3 << 20] {
        let body = bytes(&team, len);
        let stored = store.put("shop", team, task, body.clone()).await.unwrap();
        assert_eq!(stored.bytes, i64::try_from(len).unwrap());
        assert_eq!(store.put("shop", team, None, body.clone()).await.unwrap(), stored);
        assert_eq!(store.get("shop", &stored.digest).await.unwrap(), body);
    }
}

#[tokio::test]
async fn a_digest_alone_opens_nothing() {
    let (store, _) = store().await;
    let team = Uuid::new_v4();
    let stored = store.put("shop", team, None, bytes(&team, 100)).await.unwrap();
    assert!(matches!(store.get("other", &stored.digest).await, Err(Error::NotFound { .. })));
    for wrong in ["", "sha256:", "../x", "sha256:ABC", &"a".repeat(1 << 20)] {
        assert!(matches!(store.get("shop", wrong).await, Err(Error::NotADigest(_))));
    }
}

#[tokio::test]
async fn damage_is_seen_and_mended_by_putting_again() {
    let (store, js) = store().await;
    let team = Uuid::new_v4();
    let body = bytes(&team, 100);
    let stored = store.put("shop", team, None, body.clone()).await.unwrap();
    let bucket = js.get_object_store(BUCKET).await.unwrap();
    let name = format!("shop/{}", stored.digest);
    bucket.put(name.as_str(), &mut &b"something else"[..]).await.unwrap();
    assert!(matches!(store.get("shop", &stored.digest).await, Err(Error::Corrupt { .. })));
    store.put("shop", team, None, body.clone()).await.unwrap();
    assert_eq!(store.get("shop", &stored.digest).await.unwrap(), body);
    bucket.delete(&name).await.unwrap();
    assert!(matches!(store.get("shop", &stored.digest).await, Err(Error::Lost { .. })));
}

#[tokio::test]
async fn artifacts_outlive_a_crash_of_the_store() {
    let own = Nats::start().unwrap();
    let js = nats::jetstream(&nats::connect(&own.url()).await.unwrap());
    until("NATS is there", async || nats::ping(&js.client()).is_ok()).await;
    let store = Store::new(js.clone(), pool().await);
    let team = Uuid::new_v4();
    let stored = store.put("shop", team, None, bytes(&team, 500_000)).await.unwrap();
    own.kill().unwrap();
    own.restart().unwrap();
    until("read again", async || store.get("shop", &stored.digest).await.is_ok()).await;
}

#[tokio::test]
async fn while_the_store_is_away_callers_are_told_at_once_and_served_soon_after_it_is_back() {
    let own = Nats::start().unwrap();
    let js = nats::jetstream(&nats::connect(&own.url()).await.unwrap());
    until("NATS is there", async || nats::ping(&js.client()).is_ok()).await;
    let metrics = Metrics::new("test").unwrap();
    let store = Store::new(js.clone(), pool().await).listed(metrics.breakers());
    let team = Uuid::new_v4();
    let stored = store.put("shop", team, None, bytes(&team, 5000)).await.unwrap();
    own.kill().unwrap();
    let waiting = (0..5).map(|_| store.get("shop", &stored.digest));
    let failed = futures::future::join_all(waiting).await;
    assert!(failed.iter().all(|got| matches!(got, Err(Error::Store(_)))), "{failed:?}");
    let begun = std::time::Instant::now();
    let refused = store.get("shop", &stored.digest).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(2), "not waited for: {:?}", begun.elapsed());
    assert_eq!(refused.class(), Class::Dependency);
    assert!(refused.to_string().contains("store/artifacts: the circuit is open"), "{refused}");
    assert!(
        matches!(store.get("shop", "sha256:x").await, Err(Error::NotADigest(_))),
        "no matter of the store"
    );
    own.restart().unwrap();
    until("read again", async || store.get("shop", &stored.digest).await.is_ok()).await;
    let views = metrics.breakers().views(std::time::Instant::now());
    assert!(
        views.iter().any(|v| v.name == "store/artifacts" && v.state == "CLOSED" && v.statistics.refused > 0)
    );
}

#[tokio::test]
async fn over_http_a_caller_sees_its_namespace_only() {
    let (store, _) = store().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let scope = Scope { namespace: "shop".into(), team_uid: Uuid::new_v4(), task_uid: None };
    let team = scope.team_uid;
    let app = router(store.clone()).layer(Extension(scope));
    let stop = CancellationToken::new();
    let health = Health::new(Metrics::new("test").unwrap());
    tokio::spawn(serve_on(listener, app, health, stop.clone()));
    let http = golden_platform::http::client().unwrap();
    let put = http.put(format!("{base}/v1/artifacts")).body(bytes(&team, 3 << 20)).send().await.unwrap();
    let stored: ArtifactStored = put.json().await.unwrap();
    let got = http.get(format!("{base}/v1/artifacts/{}", stored.digest)).send().await.unwrap();
    assert_eq!(got.bytes().await.unwrap(), bytes(&team, 3 << 20));
    let foreign = store.put("other", team, None, bytes(&team, 7)).await.unwrap();
    let refused = http.get(format!("{base}/v1/artifacts/{}", foreign.digest)).send().await.unwrap();
    assert_eq!(refused.status(), 404);
    stop.cancel();
}

#[tokio::test]
async fn large_bodies_take_turns_so_that_memory_stays_bounded() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (store, _) = store().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let team = Uuid::new_v4();
    let app =
        router(store).layer(Extension(Scope { namespace: "shop".into(), team_uid: team, task_uid: None }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    // Two callers announce bodies of the largest size; that the server asks for them says that they have room.
    let mut large = vec![];
    for _ in 0..2 {
        let mut caller = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!(
            "PUT /v1/artifacts HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {MAX_BYTES}\r\n\r\n"
        );
        caller.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        caller.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 100");
        large.push(caller);
    }
    let http = golden_platform::http::client().unwrap();
    let small = http.put(format!("http://{address}/v1/artifacts")).body(bytes(&team, 7)).send();
    let mut small = tokio::spawn(small);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), &mut small).await.is_err(),
        "there is no room for it"
    );
    large.pop();
    assert_eq!(small.await.unwrap().unwrap().status(), 200, "one that went made room");
    let huge = MAX_BYTES + 1;
    let mut caller = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("PUT /v1/artifacts HTTP/1.1\r\nhost: x\r\ncontent-length: {huge}\r\n\r\n");
    caller.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    caller.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413", "refused before it is sent");
}
