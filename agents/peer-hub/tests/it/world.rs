//! A team's stores, the recorded model, and replicas of peer-hub at work.

use crate::watched::{self, Calls};
use golden_cluster::services::{Nats, Postgres};
use golden_consensus::{Ballot, DecisionRecord};
use golden_model::{Options, Server};
use golden_peer_hub::{Gateway, Hub, Metrics};
use golden_platform::consumer::Consumer;
use golden_platform::http::{ServiceClient, TokenFile, client};
use golden_platform::tree::Tree;
use golden_platform::wire::{Envelope, Message, ModelBinding, ReviewRequest};
use golden_platform::{CancellationToken, artifacts, db, nats, streams, subjects, telemetry};
use serde_json::Value;
use sqlx::PgPool;
use sqlx::types::Json;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use uuid::Uuid;

pub(crate) const NAMESPACE: &str = "checkout";
pub(crate) const ADR: &str = "Which queue should the shop use for order events?";
pub(crate) const DECISION: &str = include_str!("decision.md");

/// A conversation of a recorded story: what a role answers, if what it is shown contains some words (any, where none are
/// given).
pub(crate) fn conversation(role: &str, contains: &str, content: &str) -> String {
    let contains =
        if contains.is_empty() { String::new() } else { format!("    contains: [{contains:?}]\n") };
    format!(
        "  - role: {role}\n{contains}    turns:\n      - {{reply: {{content: {}}}}}\n",
        Value::from(content)
    )
}

pub(crate) struct Stores {
    pub(crate) postgres: Postgres,
    pub(crate) nats: Nats,
}

/// One pair of servers for the tests that run at the same time; the last one ends them.
pub(crate) fn stores() -> Arc<Stores> {
    static SHARED: Mutex<Weak<Stores>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap();
    shared.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Stores { postgres: Postgres::start().unwrap(), nats: Nats::start().unwrap() });
        *shared = Arc::downgrade(&started);
        started
    })
}

pub(crate) struct World {
    pub(crate) stores: Arc<Stores>,
    pub(crate) pool: PgPool,
    pub(crate) js: async_nats::jetstream::Context,
    pub(crate) model: Arc<Server>,
    /// What the model was asked.
    pub(crate) calls: Arc<Calls>,
    hub: Hub,
    artifacts: artifacts::Store,
    pub(crate) team: Uuid,
    pub(crate) task: Uuid,
    _token: tempfile::NamedTempFile,
    _recordings: tempfile::TempDir,
}

impl World {
    /// `recordings`: stories tried before the demo's.
    pub(crate) async fn new(recordings: &str) -> Self {
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
        let calls = Arc::new(Calls::default());
        let router = watched::router(&model, &calls);
        tokio::spawn(async move { axum::serve(listener, router).await });
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
            calls,
            hub,
            artifacts,
            team,
            task: Uuid::new_v4(),
            _token: token,
            _recordings: folder,
        }
    }

    /// A replica at work; dropping the token's guard stops it.
    pub(crate) fn replica(&self) -> tokio_util::sync::DropGuard {
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

    pub(crate) async fn request(&self, goal: &str, rules: Value, seconds: i64) -> Envelope {
        self.request_on(goal, rules, seconds, &[("decision.md", DECISION)]).await
    }

    /// A review of a change that adds these files.
    pub(crate) async fn request_on(
        &self,
        goal: &str,
        rules: Value,
        seconds: i64,
        files: &[(&str, &str)],
    ) -> Envelope {
        let tree = Tree::from_files(files.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned()))).unwrap();
        let base = self.put(Tree::default().to_tar().unwrap()).await;
        let patch = self.put(Tree::default().diff(&tree).unwrap().into_bytes()).await;
        let digest = self.put(tree.to_tar().unwrap()).await;
        let closes_at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        let request = ReviewRequest {
            namespace: NAMESPACE.into(),
            task_name: "adr".into(),
            round: 1,
            hears: None,
            beside: None,
            goal: goal.into(),
            digest,
            base,
            patch,
            rules,
            weights: Value::Null,
            guards: vec![],
            models: std::collections::BTreeMap::new(),
            author: None,
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

    async fn put(&self, bytes: Vec<u8>) -> String {
        self.artifacts.put(NAMESPACE, self.team, self.task, bytes).await.unwrap().digest
    }

    /// What the orchestrator does: the row first, then the message.
    pub(crate) async fn open(&self, envelope: &Envelope) {
        let Message::ReviewRequested(request) = &envelope.message else { panic!("no review") };
        sqlx::query(
            "INSERT INTO reviews (task_uid, attempt, round, team_uid, digest, request, closes_at)
             VALUES ($1, 1, $6, $2, $3, $4, $5::timestamptz)",
        )
        .bind(envelope.task)
        .bind(self.team)
        .bind(&request.digest)
        .bind(Json(request))
        .bind(&request.closes_at)
        .bind(i64::from(request.round))
        .execute(&self.pool)
        .await
        .unwrap();
    }

    pub(crate) async fn publish(&self, envelope: &Envelope, id: &str) {
        let envelope = Envelope { id: id.into(), ..envelope.clone() };
        nats::publish(&self.js, &envelope, &subjects::review(self.team)).await.unwrap();
    }

    pub(crate) async fn decision(&self, round: u32) -> Option<DecisionRecord> {
        let found: Option<Json<DecisionRecord>> = sqlx::query_scalar(
            "SELECT decision FROM reviews WHERE decision IS NOT NULL AND task_uid = $1 AND round = $2",
        )
        .bind(self.task)
        .bind(i64::from(round))
        .fetch_optional(&self.pool)
        .await
        .unwrap();
        found.map(|d| d.0)
    }

    pub(crate) async fn decided(&self) -> DecisionRecord {
        self.decided_in(1).await
    }

    pub(crate) async fn decided_in(&self, round: u32) -> DecisionRecord {
        let begun = Instant::now();
        loop {
            if let Some(decision) = self.decision(round).await {
                return decision;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "not decided in time");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The task ends, whatever its peers say.
    pub(crate) async fn end_task(&self) {
        sqlx::query(
            "INSERT INTO tasks (task_uid, team_uid, namespace, name, submitted_by, spec, policy, models, state, view,
                                stage, outcome, version, ended_at)
             VALUES ($1, $2, $3, 'adr', 'alice', '{}', '{}', '{}', '{}', '{}', 'Cancelled', 'Cancelled', 1, now())",
        )
        .bind(self.task)
        .bind(self.team)
        .bind(NAMESPACE)
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// Waits until the request is acknowledged.
    pub(crate) async fn worked_off(&self) {
        let begun = Instant::now();
        loop {
            let mut stream = self.js.get_stream(subjects::prc_stream(self.team)).await.unwrap();
            if stream.info().await.unwrap().state.messages == 0 {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "the message is not worked off");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn ballots(&self) -> Vec<Ballot> {
        self.ballots_of(1).await
    }

    pub(crate) async fn ballots_of(&self, round: u32) -> Vec<Ballot> {
        let rows: Vec<Json<Ballot>> =
            sqlx::query_scalar("SELECT ballot FROM ballots WHERE round = $1 ORDER BY voter")
                .bind(i64::from(round))
                .fetch_all(&self.pool)
                .await
                .unwrap();
        rows.into_iter().map(|row| row.0).collect()
    }

    pub(crate) async fn facts(&self) -> Vec<Value> {
        sqlx::query_scalar("SELECT body FROM facts WHERE kind = 'Review'")
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }
}

pub(crate) fn request(envelope: &mut Envelope) -> &mut ReviewRequest {
    let Message::ReviewRequested(request) = &mut envelope.message else { panic!("no review") };
    request
}

/// A model with a window of so many tokens.
pub(crate) fn binding(context_window: u64) -> ModelBinding {
    ModelBinding {
        namespace: "golden-system".into(),
        provider: "p".into(),
        model: "m".into(),
        context_window: Some(context_window),
    }
}
