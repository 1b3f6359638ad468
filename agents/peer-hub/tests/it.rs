//! Peer-hub with real Postgres and NATS, and the recorded model over HTTP in the gateway's place: both speak
//! Chat Completions, and what the gateway adds is proved in its own tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use golden_cluster::services::{Nats, Postgres};
use golden_consensus::{Ballot, DecisionRecord, OutcomeKind, Verdict};
use golden_model::{Fault, Options, Server};
use golden_peer_hub::{Gateway, Hub, Metrics};
use golden_platform::consumer::Consumer;
use golden_platform::http::{ServiceClient, TokenFile, client};
use golden_platform::tree::Tree;
use golden_platform::wire::{Envelope, Fact, GuardOutcome, Message, NewFact, ReviewRequest};
use golden_platform::{CancellationToken, artifacts, db, facts, nats, streams, subjects, telemetry};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::types::Json;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use uuid::Uuid;

const NAMESPACE: &str = "checkout";
const ADR: &str = "Which queue should the shop use for order events?";
const DECISION: &str = include_str!("decision.md");

struct Stores {
    postgres: Postgres,
    nats: Nats,
}

/// One pair of servers for the tests that run at the same time; the last one ends them.
fn stores() -> Arc<Stores> {
    static SHARED: Mutex<Weak<Stores>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap();
    shared.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Stores { postgres: Postgres::start().unwrap(), nats: Nats::start().unwrap() });
        *shared = Arc::downgrade(&started);
        started
    })
}

struct World {
    stores: Arc<Stores>,
    pool: PgPool,
    js: async_nats::jetstream::Context,
    model: Arc<Server>,
    hub: Hub,
    artifacts: artifacts::Store,
    team: Uuid,
    task: Uuid,
    _token: tempfile::NamedTempFile,
    _recordings: tempfile::TempDir,
}

impl World {
    /// `recordings`: stories tried before the demo's.
    async fn new(recordings: &str) -> Self {
        let stores = stores();
        let database = stores.postgres.create_database().unwrap();
        db::migrate(&database).await.unwrap();
        let pool = db::connect(&database, 4).unwrap();
        let js = nats::jetstream(&nats::connect(&stores.nats.url()).await.unwrap());
        let team = Uuid::new_v4();
        streams::ensure(&js, team).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        if !recordings.is_empty() {
            std::fs::write(folder.path().join("story.yaml"), recordings).unwrap();
        }
        let options = Options { recordings: vec![folder.path().to_owned()], ..Options::default() };
        let model = Server::new(options).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = Arc::clone(&model);
        tokio::spawn(async move { golden_model::serve(listener, &serving).await });
        let token = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(token.path(), "t").unwrap();
        let artifacts = artifacts::Store::new(js.clone(), pool.clone());
        let registry = telemetry::Metrics::new("peer-hub").unwrap();
        let hub = Hub {
            pool: pool.clone(),
            artifacts: artifacts.clone(),
            gateway: Gateway::new(ServiceClient::new(client().unwrap(), &url, TokenFile::new(token.path()))),
            metrics: Metrics::new(&registry).unwrap(),
        };
        Self {
            stores,
            pool,
            js,
            model,
            hub,
            artifacts,
            team,
            task: Uuid::new_v4(),
            _token: token,
            _recordings: folder,
        }
    }

    /// A replica at work; dropping the token's guard stops it.
    fn replica(&self) -> tokio_util::sync::DropGuard {
        let stop = CancellationToken::new();
        let hub = self.hub.clone();
        let consumer = Consumer::new(
            self.js.clone(),
            self.pool.clone(),
            self.team,
            subjects::prc_stream(self.team),
            subjects::PEER_HUB,
        )
        .pauses(vec![Duration::from_millis(200)]);
        tokio::spawn(consumer.run(stop.clone(), move |delivery| {
            let hub = hub.clone();
            async move { hub.handle(delivery).await }
        }));
        stop.drop_guard()
    }

    async fn request(&self, goal: &str, rules: Value, seconds: i64) -> Envelope {
        let tree = Tree::from_files([("decision.md", DECISION)]).unwrap().to_tar().unwrap();
        let stored = self.artifacts.put(NAMESPACE, self.team, self.task, tree).await.unwrap();
        let closes_at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        let request = ReviewRequest {
            namespace: NAMESPACE.into(),
            task_name: "adr".into(),
            round: 1,
            goal: goal.into(),
            digest: stored.digest.clone(),
            base: stored.digest.clone(),
            patch: "+decision".into(),
            rules,
            guards: vec![],
            models: std::collections::BTreeMap::new(),
            closes_at: closes_at.to_string(),
        };
        Envelope {
            v: 1,
            id: format!("{}/1/review/1", self.task),
            team: self.team,
            task: self.task,
            attempt: 1,
            r#try: 1,
            message: Message::ReviewRequested(Box::new(request)),
        }
    }

    /// What the orchestrator does: the row first, then the message.
    async fn open(&self, envelope: &Envelope) {
        let Message::ReviewRequested(request) = &envelope.message else { panic!("no review") };
        sqlx::query(
            "INSERT INTO reviews (task_uid, attempt, round, team_uid, digest, request, closes_at)
             VALUES ($1, 1, 1, $2, $3, $4, $5::timestamptz)",
        )
        .bind(self.task)
        .bind(self.team)
        .bind(&request.digest)
        .bind(Json(request))
        .bind(&request.closes_at)
        .execute(&self.pool)
        .await
        .unwrap();
    }

    async fn publish(&self, envelope: &Envelope, id: &str) {
        let envelope = Envelope { id: id.into(), ..envelope.clone() };
        nats::publish(&self.js, &envelope, &subjects::review(self.team)).await.unwrap();
    }

    async fn decision(&self) -> Option<DecisionRecord> {
        let found: Option<Json<DecisionRecord>> =
            sqlx::query_scalar("SELECT decision FROM reviews WHERE decision IS NOT NULL AND task_uid = $1")
                .bind(self.task)
                .fetch_optional(&self.pool)
                .await
                .unwrap();
        found.map(|d| d.0)
    }

    async fn decided(&self) -> DecisionRecord {
        let begun = Instant::now();
        loop {
            if let Some(decision) = self.decision().await {
                return decision;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "not decided in time");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ballots(&self) -> Vec<Ballot> {
        let rows: Vec<Json<Ballot>> = sqlx::query_scalar("SELECT ballot FROM ballots ORDER BY voter")
            .fetch_all(&self.pool)
            .await
            .unwrap();
        rows.into_iter().map(|row| row.0).collect()
    }

    async fn facts(&self) -> Vec<Value> {
        sqlx::query_scalar("SELECT body FROM facts WHERE kind = 'Review'")
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }
}

fn four() -> Value {
    json!({"voters": [{"role": "security"}, {"role": "reviewer"}, {"role": "architect"}, {"role": "tester"}],
           "quorumPercent": 50, "approvePercent": 50, "onTie": "Escalate", "timeoutSeconds": 60})
}

fn one(rule: &Value) -> Value {
    json!({"voters": [rule], "timeoutSeconds": 60})
}

#[tokio::test(flavor = "multi_thread")]
async fn even_votes_are_a_tie_with_verified_dissent() {
    let world = World::new("").await;
    let envelope = world.request(ADR, four(), 60).await;
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    let decision = world.decided().await;
    assert_eq!(decision.decision, OutcomeKind::Tie);
    assert_eq!((decision.tally.approve_weight, decision.tally.reject_weight), (2, 2));
    let ballots = world.ballots().await;
    assert_eq!(ballots.len(), 4);
    assert!(ballots.iter().all(Ballot::has_verified_evidence), "{ballots:#?}");
    let facts = world.facts().await;
    assert_eq!(facts.len(), 1);
    assert_eq!(facts[0]["decision"]["decision"], "Tie");
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT raw, prompt_digest FROM ballots").fetch_all(&world.pool).await.unwrap();
    assert!(rows.iter().all(|(raw, digest)| raw.contains("verdict") && digest.starts_with("sha256:")));
}

#[tokio::test(flavor = "multi_thread")]
async fn redelivery_and_two_replicas_make_one_ballot_per_voter_and_one_decision() {
    let world = World::new("").await;
    let envelope = world.request(ADR, four(), 60).await;
    world.open(&envelope).await;
    world.model.order(Fault { next: 8, latency_ms: 300, ..Fault::default() });
    let _replicas = (world.replica(), world.replica());
    for copy in 0..4 {
        world.publish(&envelope, &format!("copy-{copy}")).await;
    }
    world.decided().await;
    // Every copy is worked off before the count.
    let begun = Instant::now();
    loop {
        let mut stream = world.js.get_stream(subjects::prc_stream(world.team)).await.unwrap();
        if stream.info().await.unwrap().state.messages == 0 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "copies are left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((world.ballots().await.len(), world.facts().await.len()), (4, 1));
    assert_eq!(world.model.tally().totals.unmatched, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_ballots_are_used_again_after_a_crash() {
    let world = World::new("").await;
    let envelope = world.request(ADR, four(), 60).await;
    world.open(&envelope).await;
    let Message::ReviewRequested(request) = &envelope.message else { panic!("no review") };
    let stored = Ballot {
        voter: "architect".into(),
        role: "architect".into(),
        model: "m".into(),
        verdict: Verdict::Approve,
        severity: golden_consensus::Severity::Info,
        confidence: 50,
        evidence: vec![],
        rationale: "before the crash".into(),
        digest: request.digest.clone(),
    };
    sqlx::query(
        "INSERT INTO ballots (task_uid, attempt, round, voter, digest, team_uid, model, ballot, raw, prompt_digest)
         VALUES ($1, 1, 1, 'architect', $2, $3, 'm', $4, 'raw', 'sha256:x')",
    )
    .bind(world.task)
    .bind(&request.digest)
    .bind(world.team)
    .bind(Json(&stored))
    .execute(&world.pool)
    .await
    .unwrap();
    let _replica = world.replica();
    world.publish(&envelope, "again").await;
    let decision = world.decided().await;
    assert_eq!(decision.decision, OutcomeKind::Approved, "{}", decision.reason);
    assert_eq!(world.model.tally().totals.calls, 3, "the architect was not asked again");
}

/// The model's words are the recording's; the goal is this test's own.
fn story(turns: &str) -> String {
    format!(
        "name: mine\ncontains: [\"my own goal\"]\nconversations:\n  - role: security\n    turns:\n{turns}"
    )
}

const APPROVE: &str =
    r#"{"verdict":"Approve","severity":"Info","confidence":80,"evidence":[],"rationale":"fine"}"#;

fn turn(asked: Option<&str>, content: &str) -> String {
    let asked = asked.map_or_else(String::new, |words| format!("asked: {words:?}, "));
    format!("      - {{{asked}reply: {{content: {}}}}}\n", Value::from(content))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_ballot_is_mended_once() {
    let turns = turn(None, "I approve.") + &turn(Some("could not be read"), APPROVE);
    let world = World::new(&story(&turns)).await;
    let envelope = world.request("my own goal", one(&json!({"role": "security"})), 60).await;
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    assert_eq!(world.decided().await.decision, OutcomeKind::Approved);
    assert_eq!(world.model.tally().totals.calls, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_malformed_twice_is_an_abstention() {
    let turns = turn(None, "I approve.") + &turn(Some("no JSON object"), "{\"verdict\": \"Yes!\"}");
    let world = World::new(&story(&turns)).await;
    let envelope = world.request("my own goal", one(&json!({"role": "security"})), 60).await;
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    assert_eq!(world.decided().await.decision, OutcomeKind::Tie, "nobody had an opinion");
    let ballot = world.ballots().await.remove(0);
    assert_eq!(ballot.verdict, Verdict::Abstain);
    assert!(ballot.rationale.contains("Malformed twice"), "{}", ballot.rationale);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_veto_counts_only_with_evidence_that_is_there() {
    let reject = |quote: &str| {
        let evidence = json!([{"file": "decision.md", "startLine": 1, "endLine": 1, "quote": quote}]);
        json!({"verdict": "Reject", "severity": "Major", "confidence": 90, "evidence": evidence, "rationale": "no"})
            .to_string()
    };
    for (quote, want) in
        [("SKIP LOCKED", OutcomeKind::Vetoed), ("this is written nowhere", OutcomeKind::VetoUnverified)]
    {
        let world = World::new(&story(&turn(None, &reject(quote)))).await;
        let rules = one(&json!({"role": "security", "veto": true}));
        let envelope = world.request("my own goal", rules, 60).await;
        world.open(&envelope).await;
        let _replica = world.replica();
        world.publish(&envelope, "first").await;
        assert_eq!(world.decided().await.decision, want, "{quote}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_guard_cannot_be_outvoted() {
    let world = World::new(&story(&turn(None, APPROVE))).await;
    let mut envelope = world.request("my own goal", one(&json!({"role": "security"})), 60).await;
    let Message::ReviewRequested(request) = &mut envelope.message else { panic!("no review") };
    request.guards.push(GuardOutcome {
        attempt: 1,
        guard: "unit-tests".into(),
        verdict: "Failed".into(),
        tree: request.digest.clone(),
        sandbox_run: "run".into(),
        run_uid: Uuid::new_v4(),
        exit_code: Some(1),
        reason: "NonZeroExit".into(),
        excerpt: String::new(),
        output_digest: None,
        image_id: None,
        isolation: "gvisor".into(),
    });
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    let decision = world.decided().await;
    assert_eq!(decision.decision, OutcomeKind::GuardFailed);
    assert!(decision.reason.contains("unit-tests"), "{}", decision.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voter_that_fails_is_asked_until_the_review_closes_and_then_absent() {
    let world = World::new(&story(&turn(None, APPROVE))).await;
    let rules = one(&json!({"role": "security"}));
    let envelope = world.request("my own goal", rules, 3).await;
    world.open(&envelope).await;
    world.model.order(Fault { next: 100, status: Some(503), ..Fault::default() });
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    assert_eq!(world.decided().await.decision, OutcomeKind::QuorumMissing);
    assert!(world.ballots().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voter_whose_call_waits_for_money_is_waited_for() {
    let world = World::new(&story(&turn(None, APPROVE))).await;
    let envelope = world.request("my own goal", one(&json!({"role": "security"})), 2).await;
    world.open(&envelope).await;
    // As the gateway writes it when it holds a call.
    let fact = NewFact {
        team_uid: world.team,
        task_uid: world.task,
        object_uid: world.task,
        fact_key: "held/op-1/u1".into(),
        fact: Fact::BudgetHeld {
            op_key: "op-1/u1".into(),
            missing_micro_usd: 1,
            missing_tokens: 0,
            account: "Budget checkout/monthly".into(),
            on_exhausted: "Pause".into(),
        },
    };
    facts::insert(&mut world.pool.acquire().await.unwrap(), &fact).await.unwrap();
    world.model.order(Fault { latency_ms: 5000, ..Fault::default() });
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    assert_eq!(world.decided().await.decision, OutcomeKind::Approved);
    assert_eq!(world.model.tally().totals.calls, 1, "the same call, not another");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_nobody_was_asked_for_in_time_is_left_to_the_orchestrator() {
    let world = World::new("").await;
    let envelope = world.request(ADR, four(), -5).await;
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    let begun = Instant::now();
    loop {
        let mut stream = world.js.get_stream(subjects::prc_stream(world.team)).await.unwrap();
        if stream.info().await.unwrap().state.messages == 0 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the message is not worked off");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((world.decision().await, world.facts().await.len()), (None, 0));
    assert!(world.stores.nats.pid().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_cannot_be_read_end_among_the_dead_letters() {
    let world = World::new("").await;
    let envelope = world.request(ADR, json!({"voters": []}), 60).await;
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    let begun = Instant::now();
    loop {
        let reasons: Vec<String> =
            sqlx::query_scalar("SELECT reason FROM dead_letters").fetch_all(&world.pool).await.unwrap();
        if let Some(reason) = reasons.first() {
            assert!(reason.contains("names no voters"), "{reason}");
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "no dead letter");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
