//! Another provider's model stands in for one that cannot answer: paid for itself, and never for the same answer twice.

use crate::faulty::{Does, Faulty};
use crate::world::{Setup, World, ask};
use golden_crds::model_provider::Protocol;
use golden_model::Fault;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpSocket;

const SECOND: &str = "golden-system/second";

/// A world whose provider is at `url`, with the recorded model behind it as `second`, at twice the price.
async fn world(url: &str) -> World {
    let world = World::with(Setup { base_url: Some(url.to_owned()), ..Setup::default() }).await;
    world.task(0).await;
    world.provider(
        "shared",
        url,
        Protocol::OpenAI,
        &json!({"fallbacks": [{"provider": "second", "model": "dear"}]}),
    );
    second(&world, &json!({}));
    world
}

fn second(world: &World, more: &Value) {
    let mut spec = json!({"models": [{
        "name": "dear", "contextWindow": 128_000, "maxOutputTokens": 4096,
        "inputMicroUSDPerMToken": 2_000_000, "outputMicroUSDPerMToken": 8_000_000,
    }]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.provider("second", &format!("{}/v1", world.model_url), Protocol::OpenAI, &spec);
}

/// A place where nobody listens, for as long as the socket is kept: a port that is free another test would take.
fn nobody() -> (TcpSocket, String) {
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/v1", closed.local_addr().unwrap());
    (closed, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_cannot_answer_is_stood_in_for_at_the_others_own_price() {
    let busy = |status| Does::Answers(status, "retry-after: 0\r\n".into());
    let far = Does::Answers(429, "retry-after: 3600\r\n".into());
    for (does, tries, stream) in
        [(busy(429), 3, false), (busy(503), 3, true), (busy(529), 3, false), (far, 1, false)]
    {
        let faulty = Faulty::start(does.clone()).await;
        let world = world(&faulty.url).await;
        let response = world.call(0, &ask(0, stream)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{does:?}");
        assert_eq!(response.headers()["x-golden-provider"], SECOND);
        assert_eq!(response.headers()["x-golden-model"], "dear");
        assert!(!response.headers().contains_key("x-golden-upstream-model"), "it has one name");
        assert!(response.text().await.unwrap().contains("list_files"));
        assert_eq!(faulty.asked(), tries);
        let rows = world.reservations().await;
        assert_eq!(rows.len(), tries + 1, "a key for each try");
        let (last, before) = rows.split_last().unwrap();
        assert!(before.iter().all(|r| r.provider == "golden-system/shared" && r.actual_cost == Some(0)));
        assert_eq!((last.provider.as_str(), last.state.as_str()), (SECOND, "Settled"));
        let (input, output) = (last.input_tokens.unwrap(), last.output_tokens.unwrap());
        assert_eq!(last.actual_cost, Some(2 * input + 8 * output));
        assert!(last.cost > before[0].cost, "reserved at the other's own bound");
        world.adds_up().await;
        assert!(world.facts("CallStuck").await.is_empty(), "the call was answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_not_there_is_stood_in_for_and_then_not_asked_any_more() {
    let (_closed, nowhere) = nobody();
    let world = world(&nowhere).await;
    let works = Faulty::start(Does::Works).await;
    let second = json!({"baseURL": works.url, "secretRef": null});
    self::second(&world, &second);
    for number in 0..3 {
        let response = world.call(0, &ask(number, false)).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["x-golden-provider"]),
            (200, &SECOND.parse().unwrap())
        );
    }
    let asked = world.reservations().await.iter().filter(|r| r.provider != SECOND).count();
    assert_eq!(asked, 5, "its breaker is open");
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answered_is_the_gateways_to_say() {
    const FORGED: &str = "application/json\r\nx-golden-provider: forged\r\nx-golden-model: forged\r\n\
                          x-golden-upstream-model: forged";
    let whole =
        r#"{"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}"#;
    let forger = Faulty::start(Does::Says(FORGED, whole.to_owned())).await;
    let world = world(&forger.url).await;
    let told = async |number| {
        let response = world.call(0, &ask(number, false)).send().await.unwrap();
        let text = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        ["x-golden-provider", "x-golden-model", "x-golden-upstream-model"].map(text)
    };
    assert_eq!(told(0).await, [Some("golden-system/shared".into()), Some("standard".into()), None]);
    // Under which name the provider knows it is the second one's to say: it may be the author's model by another name.
    forger.does(Does::Answers(529, "retry-after: 0\r\n".into()));
    let works = Faulty::start(Does::Works).await;
    let models = json!([{
        "name": "dear", "upstreamName": "vendor/large", "contextWindow": 128_000, "maxOutputTokens": 4096,
        "inputMicroUSDPerMToken": 2_000_000, "outputMicroUSDPerMToken": 8_000_000,
    }]);
    second(&world, &json!({"baseURL": works.url, "secretRef": null, "models": models}));
    let named = [SECOND, "dear", "vendor/large"].map(|name| Some(name.to_owned()));
    assert_eq!(told(1).await, named);
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_charged_goes_nowhere_else() {
    for does in [Does::Answers(502, String::new()), Does::Answers(504, String::new()), Does::Resets] {
        let faulty = Faulty::start(does.clone()).await;
        let world = world(&faulty.url).await;
        let response = world.call(0, &ask(0, false)).send().await.unwrap();
        assert!(response.status().is_server_error(), "{does:?}");
        let rows = world.reservations().await;
        assert_eq!((rows.len(), rows[0].state.as_str()), (1, "Unknown"), "{does:?}");
        assert_eq!(world.model.tally().totals.calls, 0);
        world.adds_up().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_stands_in_once_an_answer_has_begun_or_for_a_wrong_request() {
    let faulty = Faulty::start(Does::StreamsAndResets).await;
    let world = world(&faulty.url).await;
    let mut broken = world.call(0, &ask(0, true)).send().await.unwrap();
    assert!(broken.chunk().await.unwrap().is_some(), "what has come is passed on");
    assert!(broken.text().await.is_err());
    // A client that hangs up has had enough.
    for (number, does) in [(1, Does::Hangs), (2, Does::StreamsAndHangs)] {
        faulty.does(does);
        let call = world.call(0, &ask(number, true)).timeout(Duration::from_millis(500));
        let ended = match call.send().await {
            Ok(response) => response.text().await.map(drop),
            Err(error) => Err(error),
        };
        assert!(ended.is_err());
    }
    faulty.does(Does::Answers(400, String::new()));
    let refused = world.call(0, &ask(3, false)).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.headers()["x-golden-provider"], "golden-system/shared");
    assert_eq!(world.model.tally().totals.calls, 0);
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_fallback_answers_the_providers_own_words_are_told() {
    let faulty = Faulty::start(Does::Answers(429, "retry-after: 3600\r\n".into())).await;
    let world = world(&faulty.url).await;
    // It refuses this request, knows another protocol, has no price, and is not there: none of them can be used.
    let unknown = |model: &str| json!({"provider": "second", "model": model});
    world.provider(
        "shared",
        &faulty.url,
        Protocol::OpenAI,
        &json!({"fallbacks": [unknown("dear"), unknown("none"), {"provider": "other", "model": "standard"},
               {"provider": "missing", "model": "m"}]}),
    );
    world.provider("other", "http://127.0.0.1:1", Protocol::Anthropic, &json!({}));
    world.model.order(Fault { status: Some(400), ..Fault::default() });
    let response = world.call(0, &ask(0, false)).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"3600".parse().unwrap())
    );
    assert_eq!(world.facts("CallStuck").await[0]["reason"], "ModelRateLimited");
    assert_eq!(world.budget().await, (0, 0));
    world.adds_up().await;

    // A fallback whose try may have cost money is told of.
    world.model.order(Fault { status: Some(504), ..Fault::default() });
    let response = world.call(0, &ask(1, false)).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-golden-provider"]),
        (504, &SECOND.parse().unwrap())
    );
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallbacks_own_fallbacks_are_not_asked() {
    let (_closed, url) = nobody();
    let world = world(&url).await;
    let back = json!({"baseURL": url, "fallbacks": [{"provider": "third", "model": "standard"}]});
    second(&world, &back);
    world.provider("third", &format!("{}/v1", world.model_url), Protocol::OpenAI, &json!({}));
    assert_eq!(world.call(0, &ask(0, false)).send().await.unwrap().status(), 503);
    assert_eq!(world.model.tally().totals.calls, 0);
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_model_cannot_continue_stays_with_its_provider() {
    let (_closed, nowhere) = nobody();
    let world = world(&nowhere).await;
    let vectors = world.post(0, "embeddings", &json!({"model": "embedder", "input": "text"}));
    let continued = world.post(0, "responses", &json!({"input": "go on", "previous_response_id": "resp_1"}));
    for call in [vectors, continued] {
        assert_eq!(call.send().await.unwrap().status(), 503);
    }
    assert_eq!(world.model.tally().totals.calls, 0);
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_that_cannot_be_paid_is_not_asked() {
    for on_exhausted in ["Fail", "Pause"] {
        // Enough for the first provider's bound, not for the second's.
        let (_closed, url) = nobody();
        let setup = Setup { limit: 4_000, on_exhausted, base_url: Some(url.clone()), ..Setup::default() };
        let world = World::with(setup).await;
        world.task(0).await;
        world.provider(
            "shared",
            &url,
            Protocol::OpenAI,
            &json!({"fallbacks": [{"provider": "second", "model": "dear"}]}),
        );
        second(&world, &json!({}));
        let response = world.call(0, &ask(0, false)).send().await.unwrap();
        assert_eq!(
            response.status(),
            503,
            "the first provider's outage is what there is to tell, and it passes"
        );
        assert_eq!((world.model.tally().totals.calls, world.budget().await), (0, (0, 0)));
        assert!(world.facts("BudgetHeld").await.is_empty(), "{on_exhausted}: its budget is not what lacks");
        world.adds_up().await;
    }
}
