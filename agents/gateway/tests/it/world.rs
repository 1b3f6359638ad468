//! A gateway with everything it stands on, and one task to call for.

use crate::upstream::{Seen, Upstream};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use futures::future::BoxFuture;
use golden_cluster::services::Postgres;
use golden_crds::ModelProvider;
use golden_crds::model_provider::Protocol;
use golden_gateway::{
    Gateway, Ledger, Memory, Metrics, Providers, SecretData, Secrets, SharedLimits, upstream_client,
};
use golden_ledger_service::Leases;
use golden_model::{Options, Server};
use golden_platform::auth::{Authenticator, Caller, Fixed};
use golden_platform::budget_questions::{Answer, Question, answer, put};
use golden_platform::cache::Cache;
use golden_platform::http::{ServiceClient, TokenFile, client};
use golden_platform::ledger_accounts::{BudgetAccount, TaskAccount, set_path, upsert_budget, upsert_task};
use golden_platform::{CancellationToken, db, telemetry};
use kube::runtime::reflector::{self, store::Writer};
use kube::runtime::watcher;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use uuid::Uuid;

pub(crate) const GOAL: &str = "slugify() drops non-ASCII letters. Transliterate them.";
pub(crate) const KEY: &str = "the-providers-key";
const GOLDEN: &str = "golden-system";
const PODS: usize = 6;

/// One server for the tests that run at the same time; the last one ends it.
pub(crate) fn postgres() -> Arc<Postgres> {
    static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap();
    shared.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Postgres::start().unwrap());
        *shared = Arc::downgrade(&started);
        started
    })
}

pub(crate) struct Setup {
    /// Of the Budget, in micro-USD.
    pub limit: i64,
    pub on_exhausted: &'static str,
    /// Where the provider is; the recorded model when absent.
    pub base_url: Option<String>,
    /// Hosts that the key is for; the provider's own when absent.
    pub key_hosts: Option<String>,
    /// What the provider speaks.
    pub protocol: Protocol,
    /// Where replicas count together.
    pub redis: Option<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limit: 10_000_000,
            on_exhausted: "Pause",
            base_url: None,
            key_hosts: None,
            protocol: Protocol::OpenAI,
            redis: None,
        }
    }
}

pub(crate) struct World {
    pub url: String,
    pub pool: PgPool,
    pub model: Arc<Server>,
    pub model_url: String,
    pub http: reqwest::Client,
    pub team: Uuid,
    pub budget: Uuid,
    pub pods: Vec<Uuid>,
    /// While it is set, the ledger does what it is asked and its answers are lost.
    pub deaf: Arc<AtomicBool>,
    gateway: Arc<Gateway>,
    upstream: Upstream,
    providers: Mutex<Writer<ModelProvider>>,
    _postgres: Arc<Postgres>,
    _token: tempfile::NamedTempFile,
}

struct OneSecret(SecretData);

impl Secrets for OneSecret {
    fn read<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<SecretData>, String>> {
        Box::pin(std::future::ready(Ok(Some(self.0.clone()))))
    }
}

async fn listen(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

pub(crate) async fn serve(router: axum::Router) -> String {
    listen(router).await
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let postgres = postgres();
        let database = postgres.create_database().unwrap();
        db::migrate(&database).await.unwrap();
        let pool = db::connect(&database, 2).unwrap();
        let model = Server::new(Options { api_key: Some(KEY.into()), ..Options::default() }).unwrap();
        let upstream = Upstream::default();
        let model_url = listen(upstream.before(model.router())).await;
        let base_url = setup.base_url.clone().unwrap_or_else(|| format!("{model_url}/v1"));
        let pods: Vec<Uuid> = (0..PODS).map(|_| Uuid::new_v4()).collect();
        let token = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(token.path(), "gateways-token").unwrap();
        // Each service has a pool of its own, as small as in the cluster.
        let own = || db::connect(&database, db::POOL_SIZE).unwrap();
        let deaf = Arc::new(AtomicBool::new(false));
        let ledger = ledger(&own(), token.path(), Arc::clone(&deaf)).await;
        let (store, writer) = reflector::store();
        let hosts =
            setup.key_hosts.clone().unwrap_or_else(|| format!("{},{}", host(&base_url), host(&model_url)));
        let gateway = gateway(&own(), ledger, store, hosts, &pods, setup.redis.as_deref());
        let money = gateway.money.clone();
        tokio::spawn(golden_gateway::tell_standings(Arc::clone(&gateway), "gateway-0".to_owned()));
        tokio::spawn(async move { golden_gateway::hear(&database, money).await });
        let url = listen(golden_gateway::router(Arc::clone(&gateway))).await;
        let world = Self {
            url,
            pool,
            model,
            model_url,
            http: reqwest::Client::new(),
            team: Uuid::new_v4(),
            budget: Uuid::new_v4(),
            pods,
            deaf,
            gateway,
            upstream,
            providers: Mutex::new(writer),
            _postgres: postgres,
            _token: token,
        };
        world.provider("shared", &base_url, setup.protocol, &json!({}));
        world.set_limit(setup.limit, setup.on_exhausted).await;
        world
    }

    /// Creates or changes a ModelProvider of Golden's own: four models, and what `spec` says beyond them.
    pub(crate) fn provider(&self, name: &str, base_url: &str, protocol: Protocol, spec: &Value) {
        let provider = provider(name, base_url, protocol, spec);
        self.providers.lock().unwrap().apply_watcher_event(&watcher::Event::Apply(provider));
    }

    /// What holds after every scenario: each row has ended, and the budget's account is their sum.
    pub(crate) async fn adds_up(&self) {
        until(Duration::from_secs(5), async || self.budget().await.1 == 0).await;
        let rows = self.reservations().await;
        let open: Vec<_> =
            rows.iter().filter(|r| !["Settled", "Released", "Unknown"].contains(&r.state.as_str())).collect();
        assert!(open.is_empty(), "{open:?}");
        let spent: i64 = rows.iter().filter_map(|r| r.actual_cost).sum();
        assert_eq!(self.budget().await, (spent, 0), "{rows:?}");
        let served = self.model.tally();
        for (key, used) in &served.by_op {
            let row = rows.iter().find(|r| r.op_key == *key).expect("never sent unpaid");
            let tokens = (used.prompt_tokens.cast_signed(), used.completion_tokens.cast_signed());
            let known = (row.input_tokens, row.output_tokens) == (Some(tokens.0), Some(tokens.1));
            assert!(row.state == "Unknown" || known, "{row:?} {used:?}");
        }
    }

    pub(crate) async fn set_limit(&self, limit: i64, on_exhausted: &str) {
        let account = BudgetAccount {
            uid: self.budget,
            team_uid: None,
            namespace: "checkout".into(),
            name: "monthly".into(),
            parent_uid: None,
            on_exhausted: on_exhausted.into(),
            limit_cost: Some(limit),
            limit_tokens: None,
            period: "Total".into(),
            time_zone: "UTC".into(),
        };
        upsert_budget(&mut self.pool.acquire().await.unwrap(), &account).await.unwrap();
    }

    /// A person's answer to the budget's question, as the operator writes it.
    pub(crate) async fn decide(&self, grant: i64, grants: bool) {
        let asked = Question {
            generation: 1,
            digest: format!("sha256:{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
            period_start_us: None,
            missing_cost: grant,
            missing_tokens: 0,
            grant_cost: grant,
            grant_tokens: 0,
            tasks: 1,
            asked_at_us: 0,
            deadline_us: None,
        };
        let (decided_by, words) = ("bob@example".to_owned(), "bob@example".to_owned());
        let given = Answer { decision_uid: Uuid::new_v4(), decided_by, grants, words };
        let mut tx = self.pool.begin().await.unwrap();
        put(&mut tx, self.budget, &asked).await.unwrap();
        assert!(answer(&mut tx, self.budget, &given).await.unwrap());
        tx.commit().await.unwrap();
    }

    /// A task whose attempt 1 runs in pod number `pod`.
    pub(crate) async fn task(&self, pod: usize) -> Uuid {
        let task = Uuid::new_v4();
        let binding = |model: &str| json!({"namespace": GOLDEN, "provider": "shared", "model": model});
        let models = json!({
            "role:developer": binding("standard"),
            "role:unpriced": binding("unpriced"),
            "voter:security": binding("standard"),
        });
        sqlx::query(
            "INSERT INTO tasks (task_uid, team_uid, namespace, name, submitted_by, spec, policy, models, state,
                                view, stage, version)
             VALUES ($1, $2, 'checkout', $3, 'alice', '{}', '{}', $4, '{}', '{}', 'Producing', 1)",
        )
        .bind(task)
        .bind(self.team)
        .bind(format!("task-{pod}"))
        .bind(models)
        .execute(&self.pool)
        .await
        .unwrap();
        self.attempt(task, pod, 1, "developer").await;
        let mut connection = self.pool.acquire().await.unwrap();
        let account = TaskAccount {
            task_uid: task,
            team_uid: self.team,
            namespace: "checkout".into(),
            name: format!("task-{pod}"),
            limit_cost: None,
            limit_tokens: None,
        };
        upsert_task(&mut connection, &account).await.unwrap();
        set_path(&mut connection, task, self.team, &[self.budget, task]).await.unwrap();
        task
    }

    pub(crate) async fn attempt(&self, task: Uuid, pod: usize, r#try: i32, role: &str) {
        sqlx::query(
            "INSERT INTO desired (namespace, name, team_uid, task_uid, kind, attempt, try, spec, object_uid)
             VALUES ('checkout', $1, $2, $3, 'AttemptPod', 1, $4, $5, $6)",
        )
        .bind(format!("pod-{pod}"))
        .bind(self.team)
        .bind(task)
        .bind(r#try)
        .bind(json!({"role": role}))
        .bind(self.pods[pod])
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// What the provider was sent.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.upstream.seen()
    }

    /// Answers that the provider is giving now.
    pub(crate) fn streams(&self) -> usize {
        self.upstream.answers()
    }

    /// Binds the developers of all tasks to another model.
    pub(crate) async fn bind(&self, model: &str) {
        sqlx::query(
            "UPDATE tasks SET models = jsonb_set(models, '{role:developer,model}', to_jsonb($1::text))",
        )
        .bind(model)
        .execute(&self.pool)
        .await
        .unwrap();
        for pod in &self.pods {
            self.gateway.memory.forget(*pod);
        }
    }

    pub(crate) fn post(&self, pod: usize, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.http.post(format!("{}/v1/{path}", self.url)).bearer_auth(format!("pod-{pod}")).json(body)
    }

    pub(crate) fn call(&self, pod: usize, body: &Value) -> reqwest::RequestBuilder {
        self.post(pod, "chat/completions", body)
    }

    /// What is spent and reserved of the budget, once the answers so far are settled.
    pub(crate) async fn budget(&self) -> (i64, i64) {
        self.gateway.memory.settled().await;
        self.budget_now().await
    }

    /// The same at this moment.
    pub(crate) async fn budget_now(&self) -> (i64, i64) {
        sqlx::query_as("SELECT spent_cost, reserved_cost FROM accounts WHERE account_uid = $1")
            .bind(self.budget)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    pub(crate) async fn facts(&self, kind: &str) -> Vec<Value> {
        sqlx::query_scalar("SELECT body FROM facts WHERE kind = $1 ORDER BY id")
            .bind(kind)
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    /// State, reserved cost, actual cost, tokens of every reservation, by key, once the answers so far are settled.
    pub(crate) async fn reservations(&self) -> Vec<Reservation> {
        self.gateway.memory.settled().await;
        sqlx::query_as(
            "SELECT op_key, provider, state, cost, actual_cost, input_tokens, output_tokens FROM reservations
             ORDER BY created_at, op_key",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }
}

#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub(crate) struct Reservation {
    pub op_key: String,
    pub provider: String,
    pub state: String,
    pub cost: i64,
    pub actual_cost: Option<i64>,
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
}

async fn ledger(pool: &PgPool, token: &std::path::Path, deaf: Arc<AtomicBool>) -> Ledger {
    let known = [("gateways-token".to_owned(), Caller::service(GOLDEN, "golden-gateway"))].into();
    let ledger = golden_ledger_service::Ledger::new(pool.clone(), Leases::default());
    let routes = golden_ledger_service::router(ledger, GOLDEN, Authenticator::new(Fixed(known)));
    let lose = middleware::from_fn(move |request: axum::extract::Request, next: Next| {
        let deaf = Arc::clone(&deaf);
        async move {
            let answer = next.run(request).await;
            if deaf.load(Ordering::Relaxed) { StatusCode::BAD_GATEWAY.into_response() } else { answer }
        }
    });
    let url = listen(routes.layer(lose)).await;
    Ledger::new(ServiceClient::new(client().unwrap(), &url, TokenFile::new(token)))
}

fn host(base_url: &str) -> &str {
    base_url.trim_start_matches("http://").split('/').next().unwrap()
}

fn gateway(
    pool: &PgPool,
    ledger: Ledger,
    store: reflector::Store<ModelProvider>,
    key_hosts: String,
    pods: &[Uuid],
    redis: Option<&str>,
) -> Arc<Gateway> {
    let mut known: HashMap<String, Caller> = HashMap::new();
    for (number, uid) in pods.iter().enumerate() {
        let caller = Caller::service("checkout", "golden-run").in_pod("pod", *uid);
        known.insert(format!("pod-{number}"), caller);
        // A pod that somebody else made under that name, and had taken for the task's.
        let forged = Caller::service("checkout", "default").in_pod("pod", *uid);
        known.insert(format!("forged-{number}"), forged);
    }
    known.insert("hub".into(), Caller::service(GOLDEN, "golden-peer-hub"));
    known.insert("stranger".into(), Caller::service("checkout", "default"));
    let secret = SecretData {
        annotations: [
            ("goldenarch.dev/use".to_owned(), "model".to_owned()),
            ("goldenarch.dev/hosts".to_owned(), key_hosts),
        ]
        .into(),
        data: [("apiKey".to_owned(), KEY.as_bytes().to_vec())].into(),
    };
    let registry = telemetry::Metrics::new("gateway").unwrap();
    // A machine that builds beside the tests is out of breath at times.
    let patience = Duration::from_millis(500);
    let shared = redis.map(|url| SharedLimits::start(Cache::patient(url, &registry, patience).unwrap()));
    Arc::new(Gateway {
        pool: pool.clone(),
        ledger,
        providers: Providers::new(store, Box::new(OneSecret(secret)), GOLDEN).with_shared_limits(shared),
        authenticator: Authenticator::new(Fixed(known)),
        standalone: None,
        metrics: Metrics::new(&registry).unwrap(),
        namespace: GOLDEN.into(),
        upstream: upstream_client().unwrap(),
        memory: Memory::default(),
        money: tokio::sync::broadcast::Sender::new(golden_gateway::NOTICES_KEPT),
        stop: CancellationToken::new(),
        calls: tokio_util::task::TaskTracker::new(),
    })
}

fn provider(name: &str, base_url: &str, protocol: Protocol, more: &Value) -> ModelProvider {
    let model = |name: &str, output: i64| {
        json!({"name": name, "contextWindow": 128_000, "maxOutputTokens": output,
               "inputMicroUSDPerMToken": 1_000_000, "outputMicroUSDPerMToken": 4_000_000,
               "cachedInputMicroUSDPerMToken": 250_000})
    };
    let mut unpriced = model("unpriced", 4096);
    unpriced.as_object_mut().unwrap().remove("outputMicroUSDPerMToken");
    let mut spec = json!({
        "protocol": protocol, "baseURL": base_url, "secretRef": {"name": "model-key"}, "allowedNamespaces": ["*"],
        "models": [model("standard", 4096), unpriced, model("embedder", 4096), model("large", 64_000)],
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut provider = ModelProvider::new(name, serde_json::from_value(spec).unwrap());
    provider.metadata.namespace = Some(GOLDEN.into());
    provider.metadata.uid = Some(Uuid::new_v5(&Uuid::NAMESPACE_DNS, name.as_bytes()).to_string());
    provider
}

/// The developer's first question, with a field of its own, so that it is another request each time.
pub(crate) fn ask(number: usize, stream: bool) -> Value {
    json!({
        "model": "anything", "stream": stream, "max_tokens": 500, "user": format!("call {number}"),
        "messages": [
            {"role": "system", "content": "Role: developer\nAttempt: 1"},
            {"role": "user", "content": GOAL},
        ],
    })
}

/// Looks until `found` says so, for at most `limit`.
pub(crate) async fn until<F: AsyncFnMut() -> bool>(limit: Duration, mut found: F) -> Duration {
    let begun = Instant::now();
    while !found().await {
        assert!(begun.elapsed() < limit, "not seen within {limit:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}
