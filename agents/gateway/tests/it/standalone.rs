//! The gateway outside a cluster: one file, and the very same routes and money.

use crate::caps;
use crate::world::{GOAL, KEY, postgres, until};
use golden_cluster::services::{Postgres, Redis};
use golden_gateway::{Config, Standalone};
use golden_model::{Options, Server};
use golden_platform::{CancellationToken, db};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

const TOKEN: &str = "what-clients-must-send";

/// A database and the recorded model, for one gateway after the other.
struct Ground {
    database: String,
    pool: PgPool,
    model: Arc<Server>,
    model_url: String,
    postgres: Arc<Postgres>,
}

impl Ground {
    async fn new() -> Self {
        let postgres = postgres();
        let database = postgres.create_database().unwrap();
        let model = Server::new(Options { api_key: Some(KEY.into()), ..Options::default() }).unwrap();
        let model_url = crate::world::serve(model.router()).await;
        let pool = db::connect(&database, 2).unwrap();
        Self { database, pool, model, model_url, postgres }
    }

    /// Both families of the recorded model; input costs 1, output 4 micro-USD a token.
    fn file(&self, budget: &Value) -> Value {
        let models = |names: &[&str]| {
            let model = |name: &&str| {
                json!({"name": name, "contextWindow": 128_000, "maxOutputTokens": 500,
                       "inputMicroUSDPerMToken": 1_000_000, "outputMicroUSDPerMToken": 4_000_000})
            };
            names.iter().map(model).collect::<Vec<_>>()
        };
        json!({
            "listen": "127.0.0.1:0",
            "postgres": "env:DATABASE",
            "tokenEnv": "TOKEN",
            "providers": [
                {"name": "open", "protocol": "OpenAI", "baseURL": format!("{}/v1", self.model_url),
                 "keyEnv": "PROVIDER_KEY", "models": models(&["standard", "embedder"])},
                {"name": "other", "protocol": "Anthropic", "baseURL": self.model_url,
                 "keyEnv": "PROVIDER_KEY", "models": models(&["careful"])},
            ],
            "model": "open/standard",
            "models": {"claude-*": "other/careful"},
            "budget": budget,
        })
    }

    fn config(&self, file: &Value) -> Config {
        let environment = |name: &str| match name {
            "DATABASE" => Some(self.database.clone()),
            "TOKEN" => Some(TOKEN.to_owned()),
            "PROVIDER_KEY" => Some(KEY.to_owned()),
            _ => None,
        };
        Config::parse(&file.to_string(), &environment).map_err(|e| e.to_string()).unwrap()
    }

    async fn start(&self, budget: &Value) -> Running {
        self.serve(&self.file(budget)).await
    }

    async fn serve(&self, file: &Value) -> Running {
        let stop = CancellationToken::new();
        let standalone = Standalone::start(self.config(file), stop.clone()).await.unwrap();
        let url = format!("http://{}", standalone.address().unwrap());
        let welcome = standalone.welcome().await.unwrap();
        let limits = standalone.limits();
        let serving = tokio::spawn(standalone.serve());
        Running { url, welcome, limits, stop, serving, http: reqwest::Client::new() }
    }

    /// What is spent and reserved of every account, the budget's first.
    async fn accounts(&self) -> Vec<(String, i64, i64)> {
        sqlx::query_as("SELECT kind, spent_cost, reserved_cost FROM accounts ORDER BY kind")
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    /// State, cost, provider and model of every call.
    async fn calls(&self) -> Vec<(String, Option<i64>, String, String)> {
        sqlx::query_as("SELECT state, actual_cost, provider, model FROM reservations ORDER BY created_at")
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }
}

struct Running {
    url: String,
    welcome: String,
    limits: golden_gateway::LimitsHandle,
    stop: CancellationToken,
    serving: JoinHandle<anyhow::Result<String>>,
    http: reqwest::Client,
}

impl Running {
    fn post(&self, (path, body): &(&'static str, Value)) -> reqwest::RequestBuilder {
        self.http.post(format!("{}/v1/{path}", self.url)).bearer_auth(TOKEN).json(body)
    }

    async fn get(&self, path: &str, family: Option<&str>) -> (u16, Value) {
        let mut request = self.http.get(format!("{}/v1/{path}", self.url)).bearer_auth(TOKEN);
        if let Some(version) = family {
            request = request.header("anthropic-version", version);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Ends it, as ctrl-c does.
    async fn end(self) -> String {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap()
    }
}

/// One call in each protocol, for names of models as their clients ask for.
fn asks() -> [(&'static str, Value); 3] {
    let system = "Role: developer\nAttempt: 1";
    [
        (
            "chat/completions",
            json!({"model": "gpt-5", "messages": [
                {"role": "system", "content": system}, {"role": "user", "content": GOAL}]}),
        ),
        ("responses", json!({"model": "gpt-5-codex", "instructions": system, "input": GOAL})),
        (
            "messages",
            json!({"model": "claude-opus", "max_tokens": 64_000, "system": system,
                   "messages": [{"role": "user", "content": GOAL}]}),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_each_protocol_is_answered_and_settled_and_the_end_says_what_was_spent() {
    let ground = Ground::new().await;
    let running = ground.start(&json!({"costMicroUSD": 5_000_000})).await;
    for told in [
        format!("listens on {}\n", running.url),
        "any model: open/standard".into(),
        "claude-*: other/careful".into(),
        "budget local: $5.00 of $5.00 left; a call that cannot be paid waits\n".into(),
        format!("export ANTHROPIC_BASE_URL={} ANTHROPIC_API_KEY=\"$TOKEN\"\n", running.url),
        format!("export OPENAI_BASE_URL={}/v1 OPENAI_API_KEY=\"$TOKEN\"\n", running.url),
        "env_key=\"TOKEN\", wire_api=\"responses\"".into(),
    ] {
        assert!(running.welcome.contains(&told), "{told}: {}", running.welcome);
    }
    for ask in asks() {
        let response = running.post(&ask).send().await.unwrap();
        assert_eq!(response.status(), 200, "{}", ask.0);
        assert!(response.text().await.unwrap().contains("list_files"), "{}", ask.0);
    }
    let served = ground.model.tally().totals;
    let cost = (served.prompt_tokens + 4 * served.completion_tokens).cast_signed();
    assert_eq!(served.calls, 3);
    assert_eq!(ground.accounts().await, [("Budget".into(), cost, 0), ("Task".into(), cost, 0)]);
    let calls = ground.calls().await;
    assert!(calls.iter().all(|(state, ..)| state == "Settled"), "{calls:?}");
    let by: Vec<_> = calls.iter().map(|(.., provider, model)| (provider.as_str(), model.as_str())).collect();
    let open = ("local/open", "standard");
    assert_eq!(by, [open, open, ("local/other", "careful")]);
    let fares = async || -> Vec<(String, String)> {
        let rows = sqlx::query_as("SELECT name, state FROM provider_health ORDER BY name");
        rows.fetch_all(&ground.pool).await.unwrap()
    };
    let want = ["open", "other"].map(|name| (name.to_owned(), "CLOSED".to_owned()));
    until(Duration::from_secs(10), async || fares().await == want).await;
    let farewell = running.end().await;
    let spent = golden_ledger::MicroUsd(cost).exact();
    let want = format!(
        "spent since the start: {spent} for 3 calls with {} input and {} output tokens\n",
        served.prompt_tokens, served.completion_tokens
    );
    assert!(farewell.starts_with(&want), "{farewell}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_says_in_which_field_a_provider_takes_the_cap() {
    let ground = Ground::new().await;
    let mut file = ground.file(&json!({"costMicroUSD": 5_000_000}));
    file["providers"][0]["baseURL"] = caps::takes("max_completion_tokens", "max_tokens").await.into();
    file["providers"][0]["outputCapField"] = "MaxCompletionTokens".into();
    let running = ground.serve(&file).await;
    let (path, mut body) = asks()[0].clone();
    body["max_tokens"] = 300.into();
    let answered = running.post(&(path, body)).send().await.unwrap();
    assert_eq!(answered.status(), 200);
    assert_eq!(answered.json::<Value>().await.unwrap()["cap"], 300);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_may_be_named_and_may_go() {
    let (ground, redis) = (Ground::new().await, Redis::start().unwrap());
    let mut file = ground.file(&json!({"costMicroUSD": 5_000_000}));
    file["redis"] = redis.url().into();
    let running = ground.serve(&file).await;
    assert!(running.welcome.contains("Gateways on the same Redis"), "{}", running.welcome);
    let ready = async || {
        let response = running.http.get(format!("{}/readyz", running.url)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    until(Duration::from_secs(10), async || ready().await.1.contains("[+] redis ok")).await;
    for round in 0..2 {
        for ask in asks() {
            assert_eq!(running.post(&ask).send().await.unwrap().status(), 200, "{round} {}", ask.0);
        }
        if round == 0 {
            // Each call's end is kept there, behind its answer.
            let kept = async || redis.command("KEYS golden:ended:*").unwrap() == "*3";
            until(Duration::from_secs(10), kept).await;
            redis.stop().unwrap();
            until(Duration::from_secs(10), async || ready().await.1.contains("[~] redis: CacheUnreachable"))
                .await;
            assert_eq!(ready().await.0, 200, "ready all the same");
        }
    }
    assert_eq!(ground.model.tally().totals.calls, 6);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_budget_fails_in_the_clients_own_words_and_calls_nobody() {
    let ground = Ground::new().await;
    for (number, budget) in [
        json!({"costMicroUSD": 100, "onExhausted": "Fail"}),
        json!({"name": "tokens", "tokens": 100, "onExhausted": "Fail"}),
    ]
    .iter()
    .enumerate()
    {
        let running = ground.start(budget).await;
        for ask in asks() {
            let response = running.post(&ask).send().await.unwrap();
            assert_eq!(response.status(), 402, "{}", ask.0);
            let body: Value = response.json().await.unwrap();
            let code = if ask.0 == "messages" { "/error/details/error_code" } else { "/error/code" };
            assert_eq!(body.pointer(code), Some(&json!("budget_exhausted")), "{body}");
            let said = body["error"]["message"].as_str().unwrap();
            assert!(said.contains(["Budget local/local", "Budget local/tokens"][number]), "{said}");
        }
        running.end().await;
    }
    assert_eq!(ground.model.tally().totals.calls, 0);
    assert!(ground.accounts().await.iter().all(|(_, spent, reserved)| (*spent, *reserved) == (0, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tasks_own_limit_fails_as_the_file_says() {
    let ground = Ground::new().await;
    let mut file = ground.file(&json!({"costMicroUSD": 5_000_000, "onExhausted": "Fail"}));
    file["task"] = json!({"name": "small", "limits": {"costMicroUSD": 100}});
    let stop = CancellationToken::new();
    let standalone = Standalone::start(ground.config(&file), stop.clone()).await.unwrap();
    let url = format!("http://{}/v1/responses", standalone.address().unwrap());
    let serving = tokio::spawn(standalone.serve());
    let refused =
        reqwest::Client::new().post(url).bearer_auth(TOKEN).json(&asks()[1].1).send().await.unwrap();
    assert_eq!(refused.status(), 402);
    assert!(refused.text().await.unwrap().contains("AgentTask local/small"));
    stop.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_with_what_is_spent() {
    let ground = Ground::new().await;
    let budget = json!({"costMicroUSD": 5_000_000, "period": "Month", "timeZone": "Europe/Berlin"});
    let first = ground.start(&budget).await;
    assert!(first.welcome.contains("of a month, which begins with the first call"), "{}", first.welcome);
    assert_eq!(first.post(&asks()[0]).send().await.unwrap().status(), 200);
    first.end().await;
    let before = ground.accounts().await;
    assert!(before[0].1 > 0);

    // Less than is spent: edited limits count, and nothing more is granted.
    let lowered =
        json!({"costMicroUSD": 1, "period": "Month", "timeZone": "Europe/Berlin", "onExhausted": "Fail"});
    let second = ground.start(&lowered).await;
    assert_eq!(ground.accounts().await, before);
    assert!(second.welcome.contains("$0.00 of $0.000001 left of this month (until "), "{}", second.welcome);
    assert_eq!(second.post(&asks()[1]).send().await.unwrap().status(), 402);
    assert!(second.end().await.starts_with("spent since the start: $0.00 for 0 calls"));

    // The same question again is another call of the same task, and is paid for again.
    let third = ground.start(&budget).await;
    assert_eq!(third.post(&asks()[0]).send().await.unwrap().status(), 200);
    third.end().await;
    let after = ground.accounts().await;
    assert_eq!((after.len(), after[0].1), (2, 2 * before[0].1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_for_money_goes_on_when_the_files_limit_is_raised() {
    let ground = Ground::new().await;
    let running = ground.start(&json!({"costMicroUSD": 100})).await;
    let call = tokio::spawn(running.post(&asks()[2]).send());
    let held = async || {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM facts WHERE kind = 'BudgetHeld'")
            .fetch_one(&ground.pool)
            .await
            .unwrap();
        count == 1
    };
    until(Duration::from_secs(10), held).await;
    assert_eq!(ground.model.tally().totals.calls, 0, "nothing was sent yet");
    let raised = ground.config(&ground.file(&json!({"costMicroUSD": 1_000_000})));
    assert!(running.limits.take(&raised).await.unwrap().contains("$1.00 of $1.00 left"));
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    let other = ground.config(&ground.file(&json!({"name": "other", "costMicroUSD": 1})));
    assert!(running.limits.take(&other).await.unwrap_err().to_string().contains("budget.name"));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nothing_is_answered_and_the_words_say_which() {
    let ground = Ground::new().await;
    let running = ground.start(&json!({"costMicroUSD": 5_000_000})).await;
    for (path, body) in asks() {
        for token in [Some("guessed"), None] {
            let mut call = running.http.post(format!("{}/v1/{path}", running.url)).json(&body);
            if let Some(token) = token {
                call = call.header("x-api-key", token);
            }
            let refused = call.send().await.unwrap();
            assert_eq!(refused.status(), 401, "{path}");
            let said = refused.text().await.unwrap();
            assert!(said.contains("token of this gateway's configuration"), "{said}");
        }
    }
    // Headers by which services speak for others mean nothing here.
    let forged = running.post(&asks()[0]).header("x-golden-role", "voter:security");
    assert_eq!(forged.send().await.unwrap().status(), 200);
    assert_eq!(ground.calls().await.len(), 1);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_asks_for_finds_its_model_or_is_told_what_there_is() {
    let ground = Ground::new().await;
    let running = ground.start(&json!({"costMicroUSD": 5_000_000})).await;
    let ids = |list: &Value| -> Vec<String> {
        list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&running.get("models", None).await.1), ["standard", "embedder"]);
    assert!(
        ids(&running.get("models", Some("2023-06-01")).await.1).is_empty(),
        "its one line is a beginning"
    );
    assert_eq!(running.get("models/claude-opus", Some("2023-06-01")).await.1["display_name"], "careful");
    assert_eq!(running.get("models/unheard-of", Some("2023-06-01")).await.0, 404);

    let mut messages = asks()[2].clone();
    messages.1["model"] = "gpt-5".into();
    let refused = running.post(&messages).send().await.unwrap();
    assert_eq!(refused.status(), 404);
    let said = refused.text().await.unwrap();
    assert!(said.contains("Anthropic Messages") && said.contains("claude-*"), "{said}");

    let embed = |model: &str| ("embeddings", json!({"model": model, "input": "some words"}));
    assert_eq!(running.post(&embed("embedder")).send().await.unwrap().status(), 200);
    assert_eq!(running.post(&embed("text-embedding")).send().await.unwrap().status(), 404);
    let calls = ground.calls().await;
    assert_eq!((calls.len(), calls[0].3.as_str()), (1, "embedder"));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_used_says_what_is_missing() {
    let ground = Ground::new().await;
    let started = async |database: &str| {
        let mut file = ground.file(&json!({"costMicroUSD": 1}));
        file["postgres"] = database.into();
        match Standalone::start(ground.config(&file), CancellationToken::new()).await {
            Ok(_) => panic!("it started on {database}"),
            Err(error) => format!("{error:#}"),
        }
    };
    let absent = started(&format!("{}_absent", ground.database)).await;
    assert!(absent.contains("does not exist") && absent.contains("createdb"), "{absent}");

    let name = ground.database.rsplit('/').next().unwrap();
    let user = format!("alone_{name}");
    let execute = |statement: &str| ground.postgres.execute(statement).unwrap();
    execute(&format!("CREATE ROLE {user} LOGIN"));
    let theirs = ground.database.replace("golden@", &format!("{user}@"));
    let stranger = started(&theirs).await;
    assert!(stranger.contains(&format!("ALTER DATABASE {name} OWNER TO {user}")), "{stranger}");
    execute(&format!("ALTER DATABASE {name} OWNER TO {user}"));
    let no_roles = started(&theirs).await;
    assert!(no_roles.contains(&format!("ALTER ROLE {user} CREATEROLE")), "{no_roles}");
    execute(&format!("ALTER ROLE {user} CREATEROLE"));
    let mut file = ground.file(&json!({"costMicroUSD": 1}));
    file["postgres"] = theirs.clone().into();
    drop(Standalone::start(ground.config(&file), CancellationToken::new()).await.unwrap());

    sqlx::query(
        "INSERT INTO teams (team_uid, namespace, name, generation, spec) VALUES ($1, 'shop', 'core', 1, '{}')",
    )
    .bind(uuid::Uuid::new_v4())
    .execute(&ground.pool)
    .await
    .unwrap();
    let clusters = started(&ground.database).await;
    assert!(clusters.contains("is a cluster's"), "{clusters}");
}
