//! Replicas that count together, on a real Redis.

use super::*;
use futures::future::join_all;
use golden_cluster::services::Redis;
use golden_platform::telemetry::Metrics;
use std::time::Instant;

/// A machine that builds beside the tests is out of breath at times.
const PATIENCE: Duration = Duration::from_millis(500);

/// One replica of the gateway.
async fn replica(redis: &Redis, lease: Duration) -> Arc<SharedLimits> {
    let cache = Cache::patient(&redis.url(), &Metrics::new("gateway").unwrap(), PATIENCE).unwrap();
    until("Redis answers", async || cache.standing().is_ok()).await;
    SharedLimits::leased(cache, lease)
}

async fn until(what: &str, mut found: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !found().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "not seen: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn limits(at_once: i64, requests: Option<i64>, tokens: Option<i64>) -> ProviderLimits {
    ProviderLimits { max_concurrent: at_once, requests_per_minute: requests, tokens_per_minute: tokens }
}

/// A place, if there is one; the test ends where Redis is of no help.
async fn place(replica: &SharedLimits, tokens: u64, limits: &ProviderLimits) -> Option<Lease> {
    replica.take(PROVIDER, tokens, limits).await.expect("Redis answers").ok()
}

const PROVIDER: Uuid = Uuid::from_u128(7);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_ask_at_once_get_no_more_places_than_there_are() {
    let redis = Redis::start().unwrap();
    let limits = limits(10, None, None);
    let mut replicas = Vec::new();
    for _ in 0..4 {
        replicas.push(replica(&redis, LEASE).await);
    }
    let asks = (0..80).map(|n| place(&replicas[n % 4], 1, &limits));
    let mut places: Vec<Lease> = join_all(asks).await.into_iter().flatten().collect();
    assert_eq!(places.len(), 10);
    let other = replicas[0].take(Uuid::from_u128(8), 1, &limits).await;
    assert!(other.unwrap().is_ok(), "another provider has places of its own");

    places.truncate(7);
    let mut again = Vec::new();
    until("three came back", async || {
        again.extend(place(&replicas[1], 1, &limits).await);
        again.len() == 3
    })
    .await;
    assert!(place(&replicas[2], 1, &limits).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minutes_calls_are_counted_for_all_and_one_that_was_never_sent_counts_for_nothing() {
    let redis = Redis::start().unwrap();
    let (one, two) = (replica(&redis, LEASE).await, replica(&redis, LEASE).await);
    let limits = limits(64, Some(3), None);
    let mut sent = Vec::new();
    for replica in [&one, &two, &one] {
        sent.push(place(replica, 1, &limits).await.unwrap());
    }
    assert!(place(&two, 1, &limits).await.is_none());
    sent[0].used(1);
    drop(sent.remove(0));
    assert!(place(&two, 1, &limits).await.is_none(), "it ended, and was in this minute all the same");
    drop(sent);
    until("what was not sent came back", async || place(&two, 1, &limits).await.is_some()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_were_not_used_come_back_to_all() {
    let redis = Redis::start().unwrap();
    let (one, two) = (replica(&redis, LEASE).await, replica(&redis, LEASE).await);
    let limits = limits(64, None, Some(1000));
    let mut first = place(&one, 900, &limits).await.unwrap();
    assert!(place(&two, 200, &limits).await.is_none());
    assert!(place(&two, 5000, &limits).await.is_none(), "more than the whole waits for an empty minute");
    first.used(100);
    drop(first);
    let mut second = None;
    until("they came back", async || {
        second = place(&two, 900, &limits).await;
        second.is_some()
    })
    .await;
    assert!(place(&one, 1, &limits).await.is_none(), "100 and 900 are all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_limit_counts_at_once() {
    let redis = Redis::start().unwrap();
    let one = replica(&redis, LEASE).await;
    let _held = place(&one, 1, &limits(1, None, None)).await.unwrap();
    assert!(place(&one, 1, &limits(1, None, None)).await.is_none());
    let _more = place(&one, 1, &limits(2, None, None)).await.unwrap();
    assert!(place(&one, 1, &limits(1, None, None)).await.is_none());
}

#[test]
fn the_places_of_a_gateway_that_was_killed_come_back_and_those_of_a_living_one_do_not() {
    let lease = Duration::from_secs(2);
    let redis = Redis::start().unwrap();
    let limits = limits(2, None, None);
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (killed, living) = (runtime(), runtime());
    let lost = killed.block_on(async {
        let replica = replica(&redis, lease).await;
        place(&replica, 1, &limits).await.unwrap()
    });
    living.block_on(async {
        let one = replica(&redis, lease).await;
        let held = place(&one, 1, &limits).await.unwrap();
        // Renewed, so that both are still there after a lease.
        tokio::time::sleep(lease + lease / 2).await;
        assert!(place(&one, 1, &limits).await.is_none());
        killed.shutdown_background();
        let mut other = None;
        until("the killed one's place", async || {
            other = place(&one, 1, &limits).await;
            other.is_some()
        })
        .await;
        assert!(place(&one, 1, &limits).await.is_none(), "the living one keeps its own");
        drop((held, other, lost));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_forgot_is_counted_again_soon() {
    let redis = Redis::start().unwrap();
    let one = replica(&redis, Duration::from_secs(3)).await;
    let limits = limits(1, None, None);
    let _held = place(&one, 1, &limits).await.unwrap();
    redis.flush().unwrap();
    until("it is told anew", async || {
        redis.command(&format!("ZCARD golden:limits:{{{PROVIDER}}}:calls")).unwrap() == ":1"
    })
    .await;
    assert!(place(&one, 1, &limits).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_redis_that_is_away_or_whose_keys_are_not_ours() {
    let redis = Redis::start().unwrap();
    let one = replica(&redis, LEASE).await;
    let limits = limits(1, Some(1), Some(1000));
    let [calls, ..] = keys(PROVIDER);
    redis.command(&format!("SET {calls} x")).unwrap();
    assert!(one.take(PROVIDER, 1, &limits).await.is_none());
    redis.flush().unwrap();
    until("a place", async || matches!(one.take(PROVIDER, 1, &limits).await, Some(Ok(_)))).await;
    redis.stop().unwrap();
    until("known to be away", async || {
        let begun = Instant::now();
        for _ in 0..100 {
            assert!(one.take(PROVIDER, 1, &limits).await.is_none());
        }
        begun.elapsed() < PATIENCE
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_came_free_while_redis_was_slow_is_given_back_before_its_lease_ends() {
    let redis = Redis::start().unwrap();
    let (one, two) = (replica(&redis, LEASE).await, replica(&redis, LEASE).await);
    let limits = limits(1, None, None);
    let held = place(&one, 1, &limits).await.unwrap();
    redis.freeze();
    until("it is not asked any more", async || {
        let begun = Instant::now();
        assert!(one.take(PROVIDER, 1, &limits).await.is_none());
        begun.elapsed() < PATIENCE / 2
    })
    .await;
    drop(held);
    redis.thaw();
    until("its place", async || matches!(two.take(PROVIDER, 1, &limits).await, Some(Ok(_)))).await;
}

#[test]
fn only_an_answer_that_says_something_counts() {
    let soon = |wait| Understood::Busy(Busy::For(wait));
    for (answer, want) in [
        (Ok(vec![0, 1_700_000_000]), Understood::Taken { second: 1_700_000_000 }),
        (Ok(vec![1, 0]), soon(AGAIN)),
        (Ok(vec![2, 40]), soon(LOOK)),
        (Ok(vec![2, i64::MAX]), soon(LOOK)),
        (Ok(vec![2, 0]), Understood::Nothing),
        (Ok(vec![2, -5]), Understood::Nothing),
        (Ok(vec![0, -1]), Understood::Nothing),
        (Ok(vec![7, 7]), Understood::Nothing),
        (Ok(vec![]), Understood::Nothing),
        (Ok(vec![0, 1, 2]), Understood::Nothing),
        (Err(Missed::NotAsked), Understood::NotAsked),
        (Err(Missed::Unanswered), Understood::Nothing),
    ] {
        assert_eq!(understood(answer.as_deref()), want, "{answer:?}");
    }
}

#[test]
fn the_keys_of_a_provider_are_in_one_slot_and_of_no_other() {
    let [calls, requests, tokens] = keys(Uuid::nil());
    let slot = |key: &str| key.split(['{', '}']).nth(1).unwrap_or_default().to_owned();
    assert_eq!(slot(&calls), Uuid::nil().to_string());
    assert_eq!((slot(&requests), slot(&tokens)), (slot(&calls), slot(&calls)));
    assert_ne!(keys(Uuid::max()), [calls, requests, tokens]);
}
