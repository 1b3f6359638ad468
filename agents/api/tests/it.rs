//! The api with real Postgres and NATS: who may see and do what with dead letters.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use axum::Router;
use axum::body::Body;
use golden_api::{Sources, app};
use golden_cluster::services::{Nats, Postgres};
use golden_crds::labels::{AUDITOR_ACCOUNT as AUDITOR, READER_ACCOUNT as READER, STEWARD_ACCOUNT as STEWARD};
use golden_platform::artifacts::Store;
use golden_platform::auth::{Authenticator, Caller, Fixed};
use golden_platform::budget_questions::{Answer, Question, answer, put};
use golden_platform::dead_letters::{self, DeadLetter};
use golden_platform::{db, nats, streams, subjects};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use tower::ServiceExt as _;
use uuid::Uuid;

struct World {
    _stores: (Postgres, Nats),
    pool: PgPool,
    js: async_nats::jetstream::Context,
    team: Uuid,
    routes: Router,
}

impl World {
    async fn new() -> Self {
        let stores = (Postgres::start().unwrap(), Nats::start().unwrap());
        let database = stores.0.create_database().unwrap();
        db::migrate(&database).await.unwrap();
        let pool = db::connect(&database, 4).unwrap();
        let js = nats::jetstream(&nats::connect(&stores.1.url()).await.unwrap());
        let team = Uuid::new_v4();
        streams::ensure(&js, team).await.unwrap();
        sqlx::query(
            "INSERT INTO teams (team_uid, namespace, name, generation, spec) VALUES ($1, 'checkout', 'core', 1, '{}')",
        )
        .bind(team)
        .execute(&pool)
        .await
        .unwrap();
        let known = [
            ("reader", Caller::service("checkout", READER)),
            ("auditor", Caller::service("golden-system", AUDITOR)),
            ("steward", Caller::service("checkout", STEWARD)),
            ("pod", Caller::service("checkout", STEWARD).in_pod("p", Uuid::new_v4())),
            ("neighbour", Caller::service("billing", STEWARD)),
            ("neighbours-reader", Caller::service("billing", READER)),
        ]
        .map(|(token, caller)| (token.to_owned(), caller));
        let sources = Sources {
            db: pool.clone(),
            js: js.clone(),
            artifacts: Store::new(js.clone(), pool.clone()),
            golden_namespace: "golden-system".into(),
        };
        let routes = app(sources, Authenticator::new(Fixed(known.into())));
        Self { _stores: stores, pool, js, team, routes }
    }

    async fn bury(&self, seq: i64) {
        let letter = DeadLetter {
            team_uid: self.team,
            stream: subjects::prc_stream(self.team),
            stream_seq: seq,
            subject: subjects::review(self.team),
            consumer: subjects::PEER_HUB.into(),
            reason: format!("rules cannot be read, {seq}"),
            payload: json!({"v": 1, "seq": seq}),
        };
        dead_letters::insert(&mut self.pool.acquire().await.unwrap(), &letter).await.unwrap();
    }

    async fn cast(&self, task: Uuid, attempt: i32, round: i32, voter: &str, verdict: &str) {
        sqlx::query(
            "INSERT INTO ballots (task_uid, attempt, round, voter, digest, team_uid, model, ballot, raw, prompt_digest)
             VALUES ($1, $2, $3, $4, 'sha256:d', $5, 'p/m', $6, '', '')",
        )
        .bind(task)
        .bind(attempt)
        .bind(round)
        .bind(voter)
        .bind(self.team)
        .bind(json!({"role": voter, "verdict": verdict}))
        .execute(&self.pool)
        .await
        .unwrap();
    }

    async fn call(&self, token: &str, method: Method, path: &str) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("/v1/namespaces/checkout/{path}"))
            .header("x-golden-token", token)
            .body(Body::empty())
            .unwrap();
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn messages(&self) -> u64 {
        let mut stream = self.js.get_stream(subjects::prc_stream(self.team)).await.unwrap();
        stream.info().await.unwrap().state.messages
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_dead_letters_and_only_stewards_replay_and_discard_them() {
    let world = World::new().await;
    world.bury(1).await;
    world.bury(2).await;
    let (status, listed) = world.call("reader", Method::GET, "dead-letters").await;
    assert_eq!((status, listed.as_array().unwrap().len()), (StatusCode::OK, 2));
    assert!(listed[0].get("payload").is_none() && listed[0]["team"] == "core", "{listed}");
    let id = listed[1]["id"].as_i64().unwrap();
    let (_, shown) = world.call("reader", Method::GET, &format!("dead-letters/{id}")).await;
    assert_eq!((&shown["payload"]["seq"], &shown["state"]), (&json!(1), &json!("Held")));
    assert_eq!(world.call("neighbours-reader", Method::GET, "dead-letters").await.0, StatusCode::FORBIDDEN);

    for what in ["replay", "discard"] {
        for token in ["reader", "pod", "neighbour", "neighbours-reader"] {
            let (status, said) = world.call(token, Method::POST, &format!("dead-letters/{id}/{what}")).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{token} {what}");
            assert!(said["error"]["message"].as_str().unwrap().contains(STEWARD), "{said}");
        }
    }
    assert_eq!(world.messages().await, 0);

    let (status, done) = world.call("steward", Method::POST, &format!("dead-letters/{id}/replay")).await;
    assert_eq!((status, &done["state"]), (StatusCode::OK, &json!("Replayed")));
    assert_eq!(world.messages().await, 1, "it is in the stream it came from");
    let (status, said) = world.call("steward", Method::POST, &format!("dead-letters/{id}/replay")).await;
    assert_eq!(status, StatusCode::CONFLICT, "{said}");
    assert_eq!(world.messages().await, 1);

    let other = listed[0]["id"].as_i64().unwrap();
    assert_eq!(
        world.call("steward", Method::POST, &format!("dead-letters/{other}/discard")).await.0,
        StatusCode::OK
    );
    let (_, listed) = world.call("reader", Method::GET, "dead-letters").await;
    let after: Vec<&str> = listed.as_array().unwrap().iter().map(|l| l["state"].as_str().unwrap()).collect();
    assert_eq!(after, ["Discarded", "Replayed"]);
    assert_eq!(world.call("steward", Method::POST, "dead-letters/99/replay").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_another_namespace_are_out_of_reach() {
    let world = World::new().await;
    world.bury(1).await;
    sqlx::query("UPDATE teams SET namespace = 'billing'").execute(&world.pool).await.unwrap();
    assert_eq!(world.call("reader", Method::GET, "dead-letters").await.1, json!([]));
    assert_eq!(world.call("reader", Method::GET, "dead-letters/1").await.0, StatusCode::NOT_FOUND);
    assert_eq!(world.call("steward", Method::POST, "dead-letters/1/discard").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_made_anew_under_an_old_name_shows_nothing_of_the_one_before() {
    let world = World::new().await;
    world.bury(1).await;
    sqlx::query(
        "INSERT INTO tasks (task_uid, team_uid, namespace, name, submitted_by, spec, policy, models, state, view, stage,
                            version)
         VALUES (gen_random_uuid(), $1, 'checkout', 'fix', 'alice', '{}', '{}', '{}', '{}', '{}', 'Producing', 1)",
    )
    .bind(world.team)
    .execute(&world.pool)
    .await
    .unwrap();
    let seen = async |token: &str| {
        let (tasks, letters) = (
            world.call(token, Method::GET, "tasks").await,
            world.call(token, Method::GET, "dead-letters").await,
        );
        let (one, letter) = (
            world.call(token, Method::GET, "tasks/fix").await,
            world.call(token, Method::GET, "dead-letters/1").await,
        );
        let listed = (tasks.1.as_array().unwrap().len(), letters.1.as_array().unwrap().len());
        (listed, one.0.as_u16(), letter.0.as_u16())
    };
    assert_eq!(seen("reader").await, ((1, 1), 200, 200));
    // Another team of the same namespace changes nothing; the first one is deleted and still shown.
    for (name, namespace_uid) in [("second", None), ("third", Some(Uuid::new_v4()))] {
        assert_eq!(seen("reader").await, ((1, 1), 200, 200), "before {name}");
        sqlx::query(
            "INSERT INTO teams (team_uid, namespace, name, generation, spec, namespace_uid)
             VALUES (gen_random_uuid(), 'checkout', $1, 1, '{}', $2)",
        )
        .bind(name)
        .bind(namespace_uid)
        .execute(&world.pool)
        .await
        .unwrap();
    }
    assert_eq!(seen("reader").await, ((0, 0), 404, 404), "the third is of another namespace");
    assert_eq!(seen("auditor").await, ((1, 1), 200, 200));
    assert_eq!(world.call("steward", Method::POST, "dead-letters/1/discard").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_shown_with_what_it_was_expected_to_cost() {
    let world = World::new().await;
    for (name, p50, p90, basis) in
        [("told", Some(50_i64), Some(120_i64), 41), ("untold", None, None, 0), ("older", None, None, -1)]
    {
        let task = Uuid::new_v4();
        sqlx::query(
            "INSERT INTO tasks (task_uid, team_uid, namespace, name, submitted_by, spec, policy, models, state, view,
                                stage, version)
             VALUES ($1, $2, 'checkout', $3, 'alice', '{}', '{}', '{}', '{}', '{}', 'Producing', 1)",
        )
        .bind(task)
        .bind(world.team)
        .bind(name)
        .execute(&world.pool)
        .await
        .unwrap();
        // One of before there were forecasts has no row.
        if basis >= 0 {
            sqlx::query(
                "INSERT INTO forecasts (task_uid, team_uid, source_bytes, models, p50_cost, p90_cost, basis)
                 VALUES ($1, $2, 9, 'm', $3, $4, $5)",
            )
            .bind(task)
            .bind(world.team)
            .bind(p50)
            .bind(p90)
            .bind(basis)
            .execute(&world.pool)
            .await
            .unwrap();
        }
        let shown = world.call("reader", Method::GET, &format!("tasks/{name}")).await.1;
        let want = p50.map(|_| json!({"p50CostMicroUSD": 50, "p90CostMicroUSD": 120, "basis": 41}));
        assert_eq!(shown["forecast"], json!(want), "{name}");
    }
    let listed = world.call("reader", Method::GET, "tasks").await.1;
    let told = listed.as_array().unwrap().iter().find(|t| t["name"] == "told").unwrap();
    assert_eq!(told["forecast"]["basis"], 41);
}

/// A Budget of 100 in checkout, spent by a task there and by one of billing.
async fn spent(world: &World) -> Uuid {
    let (root, mine, theirs) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    for (uid, kind, namespace, name, limit) in [
        (root, "Budget", "checkout", "all", Some(100_i64)),
        (mine, "Task", "checkout", "fix", None),
        (theirs, "Task", "billing", "secret", None),
    ] {
        sqlx::query(
            "INSERT INTO accounts (account_uid, kind, namespace, name, limit_cost, spent_cost, reserved_cost)
             VALUES ($1, $2, $3, $4, $5, 50, 5)",
        )
        .bind(uid)
        .bind(kind)
        .bind(namespace)
        .bind(name)
        .bind(limit)
        .execute(&world.pool)
        .await
        .unwrap();
    }
    for (task, key, cost) in [(mine, "a", 10_i64), (mine, "b", 5), (theirs, "c", 35)] {
        sqlx::query(
            "INSERT INTO task_accounts (task_uid, team_uid, path) VALUES ($1, $2, ARRAY[$3, $1]) ON CONFLICT DO NOTHING",
        )
        .bind(task)
        .bind(world.team)
        .bind(root)
        .execute(&world.pool)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO reservations (op_key, request_hash, team_uid, task_uid, attempt, role, provider, model,
                 prompt_digest, path, state, cost, tokens, actual_cost, input_tokens, output_tokens, lease_until, ended_at)
             VALUES ($1, 'h', $2, $3, 1, 'developer', 'p', 'm', 'd', ARRAY[$4, $3], 'Settled', $5, 1, $5, 7, 3, now(), now())",
        )
        .bind(key)
        .bind(world.team)
        .bind(task)
        .bind(root)
        .bind(cost)
        .execute(&world.pool)
        .await
        .unwrap();
    }
    root
}

#[tokio::test]
async fn budgets_tell_what_is_left_and_who_spent_it_and_hide_other_namespaces_tasks() {
    let world = World::new().await;
    let root = spent(&world).await;
    let (status, budgets) = world.call("reader", Method::GET, "budgets").await;
    assert_eq!(status, StatusCode::OK, "{budgets}");
    assert_eq!(budgets[0]["spentMicroUSD"], 50);
    assert_eq!(budgets.as_array().unwrap().len(), 1, "a task's own limit is none");
    let (_, spend) = world.call("reader", Method::GET, "budgets/all/spend").await;
    assert_eq!(
        (&spend[0]["namespace"], &spend[0]["task"], &spend[0]["costMicroUSD"]),
        (&json!("billing"), &Value::Null, &json!(35))
    );
    assert_eq!(
        (&spend[1]["task"], &spend[1]["calls"], &spend[1]["costMicroUSD"]),
        (&json!("fix"), &json!(2), &json!(15))
    );
    // A period that has ended counts as begun anew.
    sqlx::query("UPDATE accounts SET period = 'Day', period_start = now() - interval '2 days', period_end = now() - interval '1 day' WHERE account_uid = $1")
        .bind(root)
        .execute(&world.pool)
        .await
        .unwrap();
    let (_, budgets) = world.call("reader", Method::GET, "budgets").await;
    assert_eq!((&budgets[0]["spentMicroUSD"], &budgets[0]["reservedMicroUSD"]), (&json!(0), &json!(5)));
    assert_eq!(world.call("reader", Method::GET, "budgets/all/spend").await.1, json!([]));
    assert_eq!(world.call("reader", Method::GET, "budgets/none/spend").await.0, StatusCode::NOT_FOUND);
    assert_eq!(world.call("neighbours-reader", Method::GET, "budgets").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_budget_that_asks_tells_its_question_and_the_answers_of_its_period() {
    let world = World::new().await;
    let root = spent(&world).await;
    let (_, budgets) = world.call("reader", Method::GET, "budgets").await;
    assert_eq!((&budgets[0]["question"], &budgets[0]["answers"]), (&Value::Null, &json!([])));
    let mut conn = world.pool.acquire().await.unwrap();
    for (digit, grant) in [('a', 30), ('b', 8)] {
        let asked = Question {
            generation: 1,
            digest: format!("sha256:{}", digit.to_string().repeat(64)),
            period_start_us: None,
            missing_cost: 5,
            missing_tokens: 0,
            grant_cost: grant,
            grant_tokens: 0,
            tasks: 1,
            asked_at_us: 0,
            deadline_us: None,
        };
        put(&mut conn, root, &asked).await.unwrap();
        let (decided_by, words) = ("bob".to_owned(), "bob".to_owned());
        let given = Answer { decision_uid: Uuid::new_v4(), decided_by, grants: true, words };
        if digit == 'a' {
            assert!(answer(&mut conn, root, &given).await.unwrap());
        }
    }
    let (_, budgets) = world.call("reader", Method::GET, "budgets").await;
    let asks = &budgets[0];
    assert_eq!((&asks["grantedMicroUSD"], &asks["question"]["grantMicroUSD"]), (&json!(30), &json!(8)));
    assert_eq!(asks["answers"].as_array().unwrap().len(), 1, "an open one is no answer");
    let given = &asks["answers"][0];
    assert_eq!((&given["outcome"], &given["by"]), (&json!("Granted"), &json!("bob")));
    assert_eq!(given["costMicroUSD"], 30);
}

#[tokio::test]
async fn a_namespaces_readers_see_how_the_gateway_fares_with_its_providers() {
    use golden_platform::provider_health::{Standing, write};
    let world = World::new().await;
    for (namespace, trouble) in [("checkout", Some("BreakerOpen")), ("billing", None)] {
        let standing =
            Standing { state: "OPEN", failures: 0, trouble, message: "it answered 503".into(), limits: None };
        write(&world.pool, (namespace, "models", Uuid::new_v4()), "gateway-0", &standing).await.unwrap();
    }
    let (status, breakers) = world.call("reader", Method::GET, "breakers").await;
    assert_eq!(status, StatusCode::OK, "{breakers}");
    assert_eq!(breakers.as_array().unwrap().len(), 1, "of this namespace only");
    assert_eq!(
        (&breakers[0]["provider"], &breakers[0]["trouble"], &breakers[0]["fresh"]),
        (&json!("models"), &json!("BreakerOpen"), &json!(true))
    );
    assert_eq!(world.call("neighbours-reader", Method::GET, "breakers").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_each_voters_last_word_on_a_result_and_what_a_person_made_of_it() {
    let world = World::new().await;
    let task = Uuid::new_v4();
    sqlx::query(
        "INSERT INTO tasks (task_uid, team_uid, namespace, name, submitted_by, spec, policy, models, state, view, stage,
                            version)
         VALUES ($1, $2, 'checkout', 'fix', 'alice', '{}', '{}', '{}', '{}', '{}', 'Producing', 1)",
    )
    .bind(task)
    .bind(world.team)
    .execute(&world.pool)
    .await
    .unwrap();
    let ballots = [
        (1, 1, "tester", "Reject"),
        (1, 2, "tester", "Approve"),
        (1, 1, "architect", "Abstain"),
        (1, 1, "security", "Reject"),
        (2, 1, "security", "Approve"),
    ];
    for (attempt, round, voter, verdict) in ballots {
        world.cast(task, attempt, round, voter, verdict).await;
    }
    sqlx::query(
        "INSERT INTO escalations (escalation_id, team_uid, task_uid, attempt, reason, evidence, options, owner, digest,
                                  deadline, default_option, state, chosen, resolved_by, resolved_at)
         VALUES (gen_random_uuid(), $1, $2, 1, 'Vetoed', '{}', '[]', 'core', 'sha256:d', now(), 'Reject', 'Resolved',
                 'Retry', 'bob', now())",
    )
    .bind(world.team)
    .bind(task)
    .execute(&world.pool)
    .await
    .unwrap();
    let (status, told) = world.call("reader", Method::GET, "ballots").await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let words = told.as_array().unwrap().iter();
    let mut words: Vec<(&str, &str, Option<&str>)> = words
        .map(|w| {
            let attempt = w["item"].as_str().unwrap().split('/').nth(1).unwrap();
            assert_eq!((&w["task"], &w["model"]), (&json!("fix"), &json!("p/m")));
            (attempt, w["verdict"].as_str().unwrap(), w["outcome"].as_str())
        })
        .collect();
    words.sort_unstable();
    assert_eq!(
        words,
        [("1", "Approve", Some("Reject")), ("1", "Reject", Some("Reject")), ("2", "Approve", None)],
        "the tester's second word, and no abstention; a person wanted another attempt"
    );
    assert_eq!(world.call("neighbours-reader", Method::GET, "ballots").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_a_task_that_has_not_begun_is_told_in_its_teams_namespace_alone() {
    let world = World::new().await;
    let evidence = json!({"message": "the forecast is $0.12", "p90CostMicroUSD": 120_000});
    sqlx::query(
        "INSERT INTO escalations (escalation_id, team_uid, task_uid, task_name, attempt, reason, evidence, options, owner,
                                  digest, deadline, default_option)
         VALUES (gen_random_uuid(), $1, gen_random_uuid(), 'fix', 0, 'ForecastExceedsBudget', $2,
                 '[\"Start\", \"Wait\", \"Refuse\"]', 'core', 'sha256:d', now(), 'Wait')",
    )
    .bind(world.team)
    .bind(&evidence)
    .execute(&world.pool)
    .await
    .unwrap();
    let (status, told) = world.call("reader", Method::GET, "escalations").await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let asked = &told[0];
    assert_eq!((&asked["task"], &asked["attempt"]), (&json!("fix"), &json!(0)));
    assert_eq!((&asked["evidence"], &asked["state"]), (&evidence, &json!("Open")));
    assert_eq!(world.call("neighbours-reader", Method::GET, "escalations").await.0, StatusCode::FORBIDDEN);
    sqlx::query("UPDATE teams SET namespace = 'billing'").execute(&world.pool).await.unwrap();
    let (_, told) = world.call("reader", Method::GET, "escalations").await;
    assert_eq!(told, json!([]), "it is another namespace's");
}
