use crate::objects::{provider, shown};
use crate::world::{SOON, World, shared};
use golden_crds::ModelProvider;
use golden_crds::conditions::{FALLBACKS_USABLE, LIMITS_SHARED, REACHABLE, READY};
use golden_platform::provider_health::{Standing, write};
use serde_json::{Value, json};

fn of(provider: &ModelProvider, type_: &str) -> String {
    shown(provider.status.as_ref().map(|s| s.conditions.as_slice()), type_)
}

async fn becomes(world: &World, home: &str, name: &str, want: &[(&str, &str)]) -> ModelProvider {
    world
        .until::<ModelProvider>(home, name, SOON, |p| want.iter().all(|(type_, want)| of(p, type_) == *want))
        .await
}

/// A gateway's replica tells.
async fn told(world: &World, of: &ModelProvider, replica: &str, trouble: Option<&'static str>) {
    tell(world, of, replica, trouble, None).await;
}

async fn tell(
    world: &World,
    of: &ModelProvider,
    replica: &str,
    trouble: Option<&'static str>,
    limits: Option<&'static str>,
) {
    let state = if trouble.is_some() { "OPEN" } else { "CLOSED" };
    let standing = Standing { state, failures: 0, trouble, message: "it answered 503".into(), limits };
    let meta = &of.metadata;
    let uid = meta.uid.as_ref().unwrap().parse().unwrap();
    let names = (meta.namespace.as_deref().unwrap(), meta.name.as_deref().unwrap(), uid);
    write(&world.pool, names, replica, &standing).await.unwrap();
}

fn with(home: &str, name: &str, more: &Value) -> Value {
    let mut object = provider(home, name);
    object["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_says_whether_it_answers_and_is_mended_by_a_call_that_is_answered() {
    let world = &shared().await;
    let home = world.namespace("provider-reach").await;
    world.apply(&provider(&home, "p")).await;
    let seen =
        becomes(world, &home, "p", &[(READY, "True/Available"), (REACHABLE, "Unknown/NotCalled")]).await;
    for trouble in ["BreakerOpen", "EndpointUnreachable", "KeyRefused"] {
        told(world, &seen, "gateway-0", Some(trouble)).await;
        let want = format!("False/{trouble}");
        becomes(world, &home, "p", &[(REACHABLE, &want), (READY, &want)]).await;
    }
    told(world, &seen, "gateway-1", None).await;
    told(world, &seen, "gateway-0", None).await;
    becomes(world, &home, "p", &[(REACHABLE, "True/Answers"), (READY, "True/Available")]).await;

    // A replica that is gone does not say anything any more.
    told(world, &seen, "gateway-0", Some("BreakerOpen")).await;
    becomes(world, &home, "p", &[(REACHABLE, "False/BreakerOpen")]).await;
    sqlx::query("UPDATE provider_health SET seen = now() - interval '5 minutes' WHERE replica = 'gateway-0' AND namespace = $1")
        .bind(&home)
        .execute(&world.pool)
        .await
        .unwrap();
    told(world, &seen, "gateway-1", None).await;
    becomes(world, &home, "p", &[(REACHABLE, "True/Answers"), (READY, "True/Available")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_says_while_its_limits_are_counted_by_each_replica_and_answers_all_the_same() {
    let world = &shared().await;
    let home = world.namespace("provider-limits").await;
    world.apply(&provider(&home, "p")).await;
    let seen = becomes(world, &home, "p", &[(READY, "True/Available"), (LIMITS_SHARED, "absent")]).await;
    for (limits, want) in [
        (Some("Shared"), "True/Shared"),
        (Some("CacheUnreachable"), "False/CacheUnreachable"),
        (Some("Shared"), "True/Shared"),
        (None, "absent"),
    ] {
        tell(world, &seen, "gateway-0", None, limits).await;
        becomes(world, &home, "p", &[(LIMITS_SHARED, want), (READY, "True/Available")]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_with_a_fallback_that_can_answer_stays_ready_and_one_that_cannot_is_told_of() {
    let world = &shared().await;
    let home = world.namespace("provider-fallbacks").await;
    let to = |provider: &str, model: &str| json!({"fallbacks": [{"provider": provider, "model": model}]});
    world.apply(&provider(&home, "second")).await;
    world.apply(&with(&home, "first", &to("second", "m"))).await;
    let first = becomes(world, &home, "first", &[(FALLBACKS_USABLE, "True/Available")]).await;
    told(world, &first, "gateway-0", Some("BreakerOpen")).await;
    becomes(world, &home, "first", &[(REACHABLE, "False/BreakerOpen"), (READY, "True/Available")]).await;

    let second = becomes(world, &home, "second", &[(READY, "True/Available")]).await;
    told(world, &second, "gateway-0", Some("EndpointUnreachable")).await;
    becomes(world, &home, "second", &[(REACHABLE, "False/EndpointUnreachable")]).await;
    told(world, &first, "gateway-0", Some("BreakerOpen")).await;
    becomes(world, &home, "first", &[(READY, "False/BreakerOpen")]).await;

    world.apply(&with(&home, "other", &json!({"protocol": "Anthropic"}))).await;
    let unpriced = json!({"models": [{"name": "m", "contextWindow": 10, "maxOutputTokens": 5}]});
    world.apply(&with(&home, "unpriced", &unpriced)).await;
    for (fallback, want) in [
        (to("other", "m"), "False/FallbackProtocolDiffers"),
        (to("none", "m"), "False/FallbackNotFound"),
        (to("second", "none"), "False/FallbackNotFound"),
        (to("unpriced", "m"), "False/FallbackUnpriced"),
    ] {
        world.apply(&with(&home, "first", &fallback)).await;
        becomes(world, &home, "first", &[(FALLBACKS_USABLE, want)]).await;
    }
    world.apply(&provider(&home, "first")).await;
    becomes(world, &home, "first", &[(FALLBACKS_USABLE, "absent")]).await;
}
