//! Two replicas of the gateway before one provider: with a Redis, while it is away, and when it is back.

use crate::faulty::{Does, Faulty};
use crate::world::{Setup, World, ask, until};
use golden_cluster::services::Redis;
use golden_crds::model_provider::Protocol;
use golden_platform::provider_health;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

/// A replica whose provider takes one call at once.
async fn replica(redis: &Redis, url: &str) -> World {
    let setup = Setup { base_url: Some(url.to_owned()), redis: Some(redis.url()), ..Setup::default() };
    let world = World::with(setup).await;
    world.task(0).await;
    world.provider("shared", url, Protocol::OpenAI, &json!({"limits": {"maxConcurrent": 1}}));
    world
}

/// How the replica says that it counts.
async fn counts(world: &World, how: &str) {
    until(SOON, async || {
        let rows = provider_health::of_namespace(&world.pool, "golden-system").await.unwrap();
        rows.iter().any(|row| row.limits.as_deref() == Some(how))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_keep_a_limit_together_and_each_for_itself_while_redis_is_away() {
    let redis = Redis::start().unwrap();
    let provider = Faulty::start(Does::Works).await;
    let (one, two) = (replica(&redis, &provider.url).await, replica(&redis, &provider.url).await);
    // Each is asked once Redis answers it, and says that it counts with the other.
    for world in [&one, &two] {
        assert_eq!(world.call(0, &ask(0, false)).send().await.unwrap().status(), 200);
        counts(world, "Shared").await;
    }
    let before = provider.asked();

    provider.does(Does::Hangs);
    let held = tokio::spawn(one.call(0, &ask(1, false)).timeout(Duration::from_mins(1)).send());
    until(SOON, async || provider.asked() == before + 1).await;
    let mut waits = tokio::spawn(two.call(0, &ask(1, false)).timeout(Duration::from_mins(1)).send());
    assert!(timeout(Duration::from_secs(2), &mut waits).await.is_err());
    assert_eq!(provider.asked(), before + 1, "the one place is taken by the other replica");

    redis.stop().unwrap();
    until(SOON, async || provider.asked() == before + 2).await;
    counts(&two, "CacheUnreachable").await;
    held.abort();
    waits.abort();

    // Back without a restart; what the other replica holds counts again.
    redis.restart().unwrap();
    provider.does(Does::Works);
    until(
        Duration::from_secs(40),
        async || matches!(one.call(0, &ask(2, false)).send().await, Ok(answer) if answer.status() == 200),
    )
    .await;
    counts(&one, "Shared").await;
    counts(&two, "Shared").await;
    one.adds_up().await;
    two.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_holds_up_no_call() {
    let redis = Redis::start().unwrap();
    let provider = Faulty::start(Does::Works).await;
    let world = replica(&redis, &provider.url).await;
    assert_eq!(world.call(0, &ask(0, false)).send().await.unwrap().status(), 200);
    counts(&world, "Shared").await;
    redis.freeze();
    for number in 1..20 {
        let answer = timeout(Duration::from_secs(5), world.call(0, &ask(number, false)).send()).await;
        assert_eq!(answer.unwrap().unwrap().status(), 200);
    }
    counts(&world, "CacheUnreachable").await;
    redis.thaw();
    counts(&world, "Shared").await;
    world.adds_up().await;
}
