//! Amounts that make no sense, over HTTP: refused with the field's name, or taken exactly; nothing else changes.

use golden_cluster::services::Postgres;
use golden_ledger_chaos::amount::Both;
use golden_ledger_chaos::history::Books;
use golden_ledger_chaos::wire;
use golden_ledger_chaos::world::World;
use golden_ledger_service::{CALLER, Leases, Ledger, router};
use golden_platform::auth::{Authenticator, Caller, Fixed};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

static SHARED: OnceLock<Arc<Postgres>> = OnceLock::new();

struct Service {
    world: World,
    url: String,
    http: reqwest::Client,
    /// Of the task's account and all above it: what is spent, over and held, by the answers.
    used: i64,
    held: i64,
}

impl Service {
    async fn start() -> Self {
        let server =
            tokio::task::spawn_blocking(|| SHARED.get_or_init(|| Arc::new(Postgres::start().unwrap())));
        let world = World::on(Arc::clone(server.await.unwrap())).await.unwrap();
        golden_platform::init_crypto();
        let known = [("gateway".to_owned(), Caller::service("golden-system", CALLER))];
        let ledger = Ledger::new(world.pool.clone(), Leases::default());
        let routes = router(ledger, "golden-system", Authenticator::new(Fixed(known.into())));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/{}", listener.local_addr().unwrap(), wire::PATH);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { world, url, http, used: 0, held: 0 }
    }

    async fn post(&self, operation: &str, body: &Value) -> (u16, Value) {
        let request = self.http.post(&self.url).bearer_auth("gateway").json(&wire::request(operation, body));
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        wire::answer(status, &response.json().await.unwrap())
    }

    fn reservation(&self, key: &str, cost: &Value, tokens: &Value) -> Value {
        json!({"opKey": key, "requestHash": "sha256:r", "teamUid": self.world.team,
            "taskUid": self.world.task(3), "tryUid": null, "attempt": 1, "role": "developer", "provider": "p",
            "model": "m", "promptDigest": "sha256:p", "costMicroUsd": cost, "tokens": tokens})
    }

    async fn reserve(&self, key: &str, cost: &Value, tokens: &Value) -> (u16, Value) {
        self.post("reserve", &self.reservation(key, cost, tokens)).await
    }

    async fn settle(&self, key: &str, cost: &Value, input: &Value, output: &Value) -> (u16, Value) {
        let body = json!({"opKey": key, "costMicroUsd": cost, "inputTokens": input, "outputTokens": output,
            "latencyMs": 1});
        self.post("settle", &body).await
    }

    /// The books say what the answers said, and nothing else.
    async fn check(&self) {
        let books = self.world.books().await.unwrap();
        for account in [0, 6] {
            let Books { spent, reserved, overage, .. } = books[account];
            assert_eq!(
                (spent.cost + overage.cost, reserved.cost),
                (self.used, self.held),
                "account {account}"
            );
        }
        let untouched = |books: &Books| (books.spent, books.reserved) == (Both::same(0), Both::same(0));
        assert!([1, 2, 3, 4, 5].into_iter().all(|other| untouched(&books[other])));
    }
}

/// What a JSON field may hold; whole numbers that fit 64 bits are the only amounts.
fn anything() -> impl Strategy<Value = Value> {
    let whole = prop_oneof![
        4 => 0..200_i64,
        2 => prop_oneof![Just(i64::MIN), Just(-1), Just(0), Just(1), Just(i64::MAX - 1), Just(i64::MAX)],
        1 => any::<i64>(),
    ];
    let other = [
        "1.5",
        "1e3",
        "1e30",
        "9223372036854775808",
        "-9223372036854775809",
        "\"12\"",
        "\"$0.50\"",
        "null",
        "true",
        "[1]",
        "{\"cost\": 1}",
    ];
    let other = prop::sample::select(other.to_vec()).prop_map(|text| serde_json::from_str(text).unwrap());
    prop_oneof![3 => whole.prop_map(Value::from), 1 => other]
}

/// A refusal that names the field which is wrong, or says that a sum does not fit.
fn refused(status: u16, body: &Value, fields: &[(&str, &Value)]) {
    assert_eq!((status, &body["error"]["reason"]), (400, &json!("BadRequest")), "{fields:?}: {body}");
    let message = body["error"]["message"].as_str().unwrap();
    let wrong = |value: &&Value| value.as_i64().is_none_or(|n| n < 0);
    let named = fields.iter().any(|(name, value)| wrong(value) && message.contains(name));
    let every_number_fits = fields.iter().all(|(_, value)| !wrong(value));
    let overflow = every_number_fits && message.contains("does not fit 64 bits");
    assert!(named || overflow, "{fields:?}: {message}");
}

#[test]
fn an_amount_is_a_whole_number_that_fits_or_it_is_refused_with_its_name() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut service = runtime.block_on(Service::start());
    // Room for everything the cases can take: what is refused here is refused for what it is.
    runtime.block_on(async {
        for account in [0, 6] {
            service.world.edit(account, Both::same(None)).await.unwrap();
        }
    });
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let strategy = (anything(), anything());
    let cases: Vec<(Value, Value)> =
        (0..100).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let mut taken = 0;
    for (n, (cost, tokens)) in cases.into_iter().enumerate() {
        let key = format!("k{n}");
        let (status, body) = runtime.block_on(service.reserve(&key, &cost, &tokens));
        if status == 200 {
            taken += 1;
            assert_eq!(body["outcome"], "Granted", "{cost} {tokens}: {body}");
            service.held += cost.as_i64().unwrap();
            runtime.block_on(service.check());
            // The room is for the next case.
            let (status, _) = runtime.block_on(service.post("release", &json!({"opKey": key})));
            assert_eq!(status, 200);
            service.held -= cost.as_i64().unwrap();
        } else {
            refused(status, &body, &[("costMicroUsd", &cost), ("tokens", &tokens)]);
        }
    }
    runtime.block_on(service.check());
    assert!(taken > 10, "only {taken} cases made sense");
}

#[test]
fn a_least_is_between_nothing_and_the_whole_or_nothing_is_reserved() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut service = runtime.block_on(Service::start());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let strategy = (anything(), anything());
    let mut taken = 0;
    for n in 0..100 {
        let (cost, tokens) = strategy.new_tree(&mut runner).unwrap().current();
        let key = format!("k{n}");
        let mut body = service.reservation(&key, &json!(150), &json!(150));
        body["least"] = json!({"costMicroUsd": cost, "tokens": tokens});
        let (status, answer) = runtime.block_on(service.post("reserve", &body));
        let fits = |value: &Value| value.as_i64().is_some_and(|amount| (0..=150).contains(&amount));
        if fits(&cost) && fits(&tokens) {
            taken += 1;
            assert_eq!((status, &answer["state"]), (200, &json!("Reserved")), "{cost} {tokens}: {answer}");
            service.held += 150;
            runtime.block_on(service.check());
            assert_eq!(runtime.block_on(service.post("release", &json!({"opKey": key}))).0, 200);
            service.held -= 150;
        } else {
            assert_eq!((status, &answer["error"]["reason"]), (400, &json!("BadRequest")), "{answer}");
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(message.contains("least"), "{cost} {tokens}: {message}");
        }
    }
    runtime.block_on(service.check());
    assert!(taken > 5, "only {taken} cases made sense");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_makes_no_sense_settles_nothing_and_the_next_one_does() {
    let mut service = Service::start().await;
    let (status, body) = service.reserve("a", &json!(100), &json!(100)).await;
    assert_eq!((status, &body["state"]), (200, &json!("Reserved")), "{body}");
    assert_eq!(service.post("dispatch", &json!({"opKey": "a"})).await.0, 200);
    service.held = 100;
    let (most, zero) = (json!(i64::MAX), json!(0));
    for (cost, input, output) in [
        (json!(-1), zero.clone(), zero.clone()),
        (zero.clone(), json!(i64::MIN), zero.clone()),
        (zero.clone(), most.clone(), json!(1)),
        (json!(1.5), zero.clone(), zero.clone()),
        (json!("60"), zero.clone(), zero.clone()),
        (serde_json::from_str("9223372036854775808").unwrap(), zero.clone(), zero.clone()),
        (Value::Null, zero.clone(), zero.clone()),
    ] {
        let (status, body) = service.settle("a", &cost, &input, &output).await;
        assert_eq!(status, 400, "{cost} {input} {output}: {body}");
        service.check().await;
    }
    assert_eq!(service.settle("a", &json!(60), &json!(50), &json!(10)).await.0, 200);
    (service.used, service.held) = (60, 0);
    service.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amounts_at_the_edge_of_64_bits_are_kept_exactly_and_one_more_is_refused() {
    let mut service = Service::start().await;
    for account in [0, 6] {
        service.world.edit(account, Both::same(None)).await.unwrap();
    }
    assert_eq!(service.reserve("most", &json!(i64::MAX - 1), &json!(0)).await.1["state"], "Reserved");
    service.held = i64::MAX - 1;
    service.check().await;
    assert_eq!(service.reserve("last", &json!(1), &json!(0)).await.1["state"], "Reserved");
    service.held = i64::MAX;
    service.check().await;
    let (status, body) = service.reserve("more", &json!(1), &json!(0)).await;
    assert_eq!(status, 400, "{body}");
    assert!(body["error"]["message"].as_str().unwrap().contains("does not fit 64 bits"), "{body}");
    service.check().await;
}
