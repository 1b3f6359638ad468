//! Redis away, slow, or not what it says: nobody gets a wrong answer, and nobody waits.

use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use golden_cluster::services::Redis;
use golden_platform::cache::{Cache, Script, UNREACHABLE};
use golden_platform::http::{Health, app};
use golden_platform::telemetry::Metrics;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

/// A machine that builds beside the tests is out of breath at times.
const PATIENCE: Duration = Duration::from_millis(250);
const KEPT: Duration = Duration::from_mins(1);

fn cache(url: &str) -> (Cache, Metrics) {
    let metrics = Metrics::new("test").unwrap();
    (Cache::patient(url, &metrics, PATIENCE).unwrap(), metrics)
}

async fn until(what: &str, mut found: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !found().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "not seen: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn answers(cache: &Cache) {
    until("Redis answers", async || cache.standing().is_ok()).await;
}

async fn is_away(cache: &Cache) {
    until("Redis is away", async || cache.standing().is_err()).await;
}

async fn put(cache: &Cache, key: &str, value: &str) {
    cache.keep(&[(key.to_owned(), value.to_owned())], KEPT).await;
}

/// A hundred questions to one that is known to be away take less than one answer of a slow one may.
async fn nobody_waits(cache: &Cache) {
    until("known to be away", async || {
        let begun = Instant::now();
        for _ in 0..100 {
            assert_eq!(cache.get("a").await, None);
        }
        begun.elapsed() < PATIENCE + Duration::from_millis(50)
    })
    .await;
}

fn line<'a>(text: &'a str, series: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(series)).unwrap_or_else(|| panic!("no {series} in {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_goes_and_comes_back_is_empty_meanwhile_and_used_again() {
    let redis = Redis::start().unwrap();
    let (cache, metrics) = cache(&redis.url());
    answers(&cache).await;
    put(&cache, "a", "1").await;
    assert_eq!(cache.get("a").await.as_deref(), Some("1"));
    assert_eq!(cache.get("b").await, None);
    assert!(line(&metrics.render().unwrap(), "golden_cache_up").ends_with(" 1"));

    redis.stop().unwrap();
    is_away(&cache).await;
    let why = cache.standing().unwrap_err();
    assert!(why.starts_with(UNREACHABLE) && why.contains("everything goes on"), "{why}");
    nobody_waits(&cache).await;
    let text = metrics.render().unwrap();
    assert!(line(&text, "golden_cache_up").ends_with(" 0"));
    assert!(text.contains("golden_breaker_state{name=\"store/redis\""), "{text}");

    redis.restart().unwrap();
    answers(&cache).await;
    until("kept again", async || {
        put(&cache, "a", "2").await;
        cache.get("a").await.as_deref() == Some("2")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_never_was_there_is_found_once_it_is() {
    let redis = Redis::start().unwrap();
    redis.stop().unwrap();
    let (cache, _) = cache(&redis.url());
    is_away(&cache).await;
    nobody_waits(&cache).await;
    redis.restart().unwrap();
    answers(&cache).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_hangs_is_left_and_found_again() {
    let redis = Redis::start().unwrap();
    let (cache, _) = cache(&redis.url());
    answers(&cache).await;
    put(&cache, "a", "1").await;
    redis.freeze();
    let begun = Instant::now();
    assert_eq!(cache.get("a").await, None);
    assert!(begun.elapsed() < PATIENCE + Duration::from_millis(250), "{:?}", begun.elapsed());
    nobody_waits(&cache).await;
    is_away(&cache).await;
    redis.thaw();
    answers(&cache).await;
    until("as it was", async || cache.get("a").await.as_deref() == Some("1")).await;
}

/// Answers everything with the same bytes.
async fn liar(says: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = [0; 4096];
                while connection.read(&mut read).await.is_ok_and(|n| n > 0) {
                    if connection.write_all(says).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_no_redis_counts_as_away() {
    for says in [
        &b"+HELLO\r\n"[..],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b":12\r\n",
        b"$-1\r\n",
        b"\0\0\0\0",
    ] {
        let (cache, metrics) = cache(&liar(says).await);
        is_away(&cache).await;
        until("it was looked at", async || {
            metrics
                .render()
                .unwrap()
                .contains("golden_breaker_calls_total{name=\"store/redis\",outcome=\"failed\"")
        })
        .await;
        assert_eq!(cache.get("a").await, None);
        assert!(cache.standing().is_err(), "{}", String::from_utf8_lossy(says));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_wrote_is_no_answer() {
    let redis = Redis::start().unwrap();
    let (cache, _) = cache(&redis.url());
    answers(&cache).await;
    redis.command("LPUSH list x").unwrap();
    redis.command(&format!("SET long {}", "x".repeat(5000))).unwrap();
    assert_eq!((cache.get("list").await, cache.get("long").await), (None, None));
    let script = Script::new("return redis.call('GET', KEYS[1])");
    assert!(cache.run(&script, &["list".to_owned()], &[]).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_is_known_again_after_a_restart() {
    let redis = Redis::start().unwrap();
    let (cache, _) = cache(&redis.url());
    answers(&cache).await;
    let script = Script::new("return {redis.call('INCRBY', KEYS[1], ARGV[1]), 7}");
    let run = async || cache.run(&script, &["n".to_owned()], &["5".to_owned()]).await;
    assert_eq!((run().await, run().await), (Ok(vec![5, 7]), Ok(vec![10, 7])));
    redis.restart().unwrap();
    until("sent anew", async || run().await == Ok(vec![5, 7])).await;
}

#[test]
fn a_url_that_is_of_no_use_is_told_without_its_password() {
    for url in ["127.0.0.1:6379", "http://:hush@127.0.0.1/", "redis://:hush@127.0.0.1:port/", "", "redis://"]
    {
        let error = golden_platform::cache::check_url(url).unwrap_err().to_string();
        assert!(error.contains("redis://") && !error.contains("hush"), "{url}: {error}");
    }
    for url in ["redis://:hush@golden-redis:6379", "rediss://user:hush@cache.example:6380/1"] {
        golden_platform::cache::check_url(url).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_says_that_redis_is_away_and_is_ready_all_the_same() {
    let redis = Redis::start().unwrap();
    let (cache, metrics) = cache(&redis.url());
    let ready = async || {
        let app = app(Router::new(), Health::new(metrics.clone()).cache(Some(cache.clone())));
        let request = axum::http::Request::get("/readyz").body(axum::body::Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    answers(&cache).await;
    assert_eq!(ready().await, (StatusCode::OK, "[+] redis ok\n".to_owned()));
    redis.stop().unwrap();
    is_away(&cache).await;
    let (status, text) = ready().await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.starts_with("[~] redis: CacheUnreachable: "), "{text}");
}
