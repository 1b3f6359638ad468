//! Everything around the orchestrator, played faithfully: facts under their keys, pods with uids, messages from the
//! streams, HTTP calls with the pods' tokens.

use async_nats::jetstream::Context;
use axum::Router;
use axum::body::Body;
use futures::StreamExt as _;
use golden_cluster::services::{Nats, Postgres};
use golden_crds::governance_policy::GovernancePolicySpec;
use golden_governance::{NamedPolicy, merge};
use golden_orchestrator::engine::{Clock, Engine, EngineMetrics, Faults, NoFaults};
use golden_orchestrator::http::{Interface, Secrets, router};
use golden_platform::artifacts::Store;
use golden_platform::auth::{self, Authenticator, Caller, Verifier};
use golden_platform::breaker::Breakers;
use golden_platform::telemetry::Metrics;
use golden_platform::wire::{Envelope, Fact, Message, NewFact, PersonDecision};
use golden_platform::{CancellationToken, db, facts, nats, streams, subjects};
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tower::ServiceExt as _;
use uuid::Uuid;

pub(crate) const NAMESPACE: &str = "checkout";
pub(crate) const GOLDEN: &str = "golden-system";

/// Servers that tests without faults share.
pub(crate) fn servers() -> &'static (Postgres, Nats) {
    static SERVERS: OnceLock<(Postgres, Nats)> = OnceLock::new();
    SERVERS.get_or_init(|| (Postgres::start().unwrap(), Nats::start().unwrap()))
}

/// A pod's token is its namespace and its uid, of Golden's namespace the uid alone; and its account, where it is not the usual.
struct PodTokens;

impl Verifier for PodTokens {
    fn verify<'a>(&'a self, token: &'a str) -> futures::future::BoxFuture<'a, Result<Caller, auth::Error>> {
        let (namespace, rest) = token.split_once('/').unwrap_or((GOLDEN, token));
        let usual = if namespace == GOLDEN { "golden-job" } else { "golden-run" };
        let (uid, account) = rest.split_once('/').unwrap_or((rest, usual));
        let caller = Caller::service(namespace, account).in_pod("pod", uid.parse().unwrap_or_default());
        Box::pin(std::future::ready(Ok(caller)))
    }
}

/// Secrets of the namespace, which a test may change.
#[derive(Clone, Default)]
pub(crate) struct Vault(pub(crate) Arc<Mutex<BTreeMap<String, Secret>>>);

impl Secrets for Vault {
    fn get<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> futures::future::BoxFuture<'a, Result<Option<Secret>, String>> {
        assert_eq!(namespace, NAMESPACE, "credentials are read in the task's own namespace");
        let found = self.0.lock().unwrap().get(name).cloned();
        Box::pin(std::future::ready(Ok(found)))
    }
}

/// How the agents, guards and peers of a story behave.
#[derive(Clone)]
pub(crate) struct Script {
    /// What attempt `n` writes to `slug.py`; nothing for an agent that fails.
    pub(crate) work: fn(u32) -> Option<&'static str>,
    /// Whether a guard passes on that content.
    pub(crate) passes: fn(&str) -> bool,
    /// The verdict of a voter on the attempt.
    pub(crate) verdict: fn(&str, u32) -> &'static str,
    /// Who answers a question, if anybody does.
    pub(crate) person: Option<&'static str>,
    /// Whether the first agent's call waits for money, which comes once its pod is freed.
    pub(crate) held: bool,
}

impl Script {
    /// A good change over which the peers are divided.
    pub(crate) fn tie() -> Self {
        Self {
            work: |_| Some("whole"),
            verdict: |role, _| if ["architect", "tester"].contains(&role) { "Reject" } else { "Approve" },
            ..Self::default()
        }
    }
}

impl Default for Script {
    fn default() -> Self {
        Self {
            work: |n| Some(if n == 1 { "half" } else { "whole" }),
            passes: |content| content == "whole",
            verdict: |role, _| if role == "architect" { "Reject" } else { "Approve" },
            person: None,
            held: false,
        }
    }
}

/// One database, one team.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) pool: PgPool,
    pub(crate) js: Context,
    pub(crate) team: Uuid,
    pub(crate) store: Store,
    pub(crate) vault: Vault,
    pub(crate) routes: Router,
    pub(crate) breakers: Breakers,
    pub(crate) script: Script,
    ahead: Arc<AtomicI64>,
    seen: BTreeSet<String>,
}

/// Roles belong to the server, so migrations of several databases must not change them at once.
static MIGRATING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl World {
    pub(crate) async fn new(script: Script) -> Self {
        let (postgres, nats) = servers();
        Self::on(postgres, nats, script).await
    }

    pub(crate) async fn on(postgres: &Postgres, nats: &Nats, script: Script) -> Self {
        golden_platform::init_crypto();
        let owner = postgres.create_database().unwrap();
        {
            let _one = MIGRATING.lock().await;
            db::migrate_with(&owner, Some("service")).await.unwrap();
        }
        // The engine works with the rights it has in production.
        let url = owner.replace("//golden@", "//golden_service:service@");
        let pool = db::connect(&url, 8).unwrap();
        let js = nats::jetstream(&nats::connect(&nats.url()).await.unwrap());
        let team = Uuid::new_v4();
        streams::ensure(&js, team).await.unwrap();
        sqlx::query(
            "INSERT INTO teams (team_uid, namespace, name, generation, spec) VALUES ($1, $2, 'core', 1, $3)",
        )
        .bind(team)
        .bind(NAMESPACE)
        .bind(json!({"maxConcurrentTasks": 2}))
        .execute(&pool)
        .await
        .unwrap();
        let store = Store::new(js.clone(), pool.clone());
        let vault = Vault::default();
        let breakers = Breakers::default();
        let interface = Interface {
            team,
            pool: pool.clone(),
            artifacts: store.clone(),
            secrets: Arc::new(vault.clone()),
            breakers: breakers.clone(),
        };
        let routes = router(interface, Authenticator::new(PodTokens));
        let (ahead, seen) = (Arc::new(AtomicI64::new(0)), BTreeSet::new());
        Self { url, pool, js, team, store, vault, routes, breakers, script, ahead, seen }
    }

    pub(crate) fn engine(&self) -> Engine {
        self.engine_with(self.pool.clone(), Arc::new(NoFaults))
    }

    /// An engine with connections of its own, as another process has.
    pub(crate) fn engine_with(&self, pool: PgPool, faults: Arc<dyn Faults>) -> Engine {
        let metrics = EngineMetrics::new(&Metrics::new("test").unwrap()).unwrap();
        let ahead = self.ahead.clone();
        let clock = Clock::new(move || {
            Timestamp::now().checked_add(SignedDuration::from_secs(ahead.load(Ordering::SeqCst))).unwrap()
        });
        Engine::new(self.team, GOLDEN, Uuid::from_u128(1), pool, self.js.clone(), clock, faults, metrics)
    }

    pub(crate) fn later(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Writes a fact as the operator would.
    pub(crate) async fn tell(&self, task: Uuid, object: Uuid, key: &str, fact: Fact) -> bool {
        let new = NewFact {
            team_uid: self.team,
            task_uid: task,
            object_uid: object,
            fact_key: key.to_owned(),
            fact,
        };
        facts::insert(&mut self.pool.acquire().await.unwrap(), &new).await.unwrap()
    }

    /// A task from git, to git, with a guard that resets its tests, admitted.
    pub(crate) async fn admit(&self, name: &str, change: impl FnOnce(&mut Value, &mut Value)) -> Uuid {
        let task = Uuid::new_v4();
        let mut spec = json!({
            "teamRef": {"name": "core"}, "goal": "Transliterate them.\nKeep the signature.",
            "source": {"git": {"url": "http://git.example/shop.git", "ref": "main", "secretRef": {"name": "git-read"}}},
            "delivery": {"git": {"branch": format!("golden/{name}"), "secretRef": {"name": "git-write"}}},
            "maxAttempts": 3, "deadlineSeconds": 100_000, "submittedBy": "alice",
        });
        let mut policy = json!({
            "guards": {"required": [{"name": "unit", "image": "i", "command": ["pytest"], "restorePaths": ["tests/**"]}]},
            "review": {"voters": [
                {"role": "security", "weight": 2, "veto": true}, {"role": "reviewer", "weight": 2},
                {"role": "architect"}, {"role": "tester"},
            ]},
        });
        change(&mut spec, &mut policy);
        let depends_on = spec.as_object_mut().unwrap().remove("dependencies").unwrap_or_else(|| json!([]));
        let rules: GovernancePolicySpec = serde_json::from_value(policy).unwrap();
        let named = [NamedPolicy { name: "house", spec: &rules }];
        let merged = merge(&BTreeMap::new(), &BTreeMap::new(), &named, &[]).unwrap();
        let binding = json!({"namespace": GOLDEN, "provider": "p", "model": "m"});
        let admission = serde_json::from_value(json!({
            "namespace": NAMESPACE, "name": name, "generation": 1, "labels": {}, "submittedBy": "alice", "spec": spec,
            "teamName": "core",
            "team": {"roles": [{"name": "developer", "modelRef": {"provider": "p", "model": "m"}}]},
            "policy": merged, "models": {"role:developer": binding, "voter:security": binding}, "dependsOn": depends_on,
        }));
        assert!(self.tell(task, task, "admitted", Fact::Admitted(Box::new(admission.unwrap()))).await);
        task
    }

    pub(crate) fn allow_secrets(&self) {
        for (name, purpose) in [("git-read", "git-read"), ("git-write", "git-write")] {
            let secret = serde_json::from_value(json!({
                "metadata": {"annotations": {"goldenarch.dev/use": purpose, "goldenarch.dev/hosts": "git.example"}},
                "data": {"username": "Z29sZGVu", "password": "aHVzaA=="},
            }));
            self.vault.0.lock().unwrap().insert(name.into(), secret.unwrap());
        }
    }

    /// The engine's and the world's turns, until the task ends.
    pub(crate) async fn play(&mut self, engine: &Engine, task: Uuid) -> String {
        for _ in 0..200 {
            engine.settle(&CancellationToken::new()).await.unwrap();
            if let Some(outcome) = self.outcome(task).await {
                return outcome;
            }
            if !self.react().await && !self.person(task).await {
                self.later(400);
            }
        }
        panic!("{} did not end: {}", task, self.view(task).await);
    }

    pub(crate) async fn outcome(&self, task: Uuid) -> Option<String> {
        sqlx::query_scalar("SELECT outcome FROM tasks WHERE task_uid = $1")
            .bind(task)
            .fetch_optional(&self.pool)
            .await
            .unwrap()
            .flatten()
    }

    pub(crate) async fn view(&self, task: Uuid) -> Value {
        let found = sqlx::query_scalar("SELECT view FROM tasks WHERE task_uid = $1").bind(task);
        found.fetch_optional(&self.pool).await.unwrap().unwrap_or_default()
    }

    /// `status/reason` of a condition.
    pub(crate) async fn condition(&self, task: Uuid, kind: &str) -> String {
        let view = self.view(task).await;
        let found = view["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == kind).cloned();
        found.map_or_else(String::new, |c| {
            format!("{}/{}", c["status"].as_str().unwrap(), c["reason"].as_str().unwrap())
        })
    }

    pub(crate) async fn record(&self, task: Uuid) -> Vec<golden_record::Entry> {
        let rows: Vec<(i64, String, String, Value, String, String)> = sqlx::query_as(
            "SELECT seq, at, kind, body, prev, hash FROM task_events WHERE task_uid = $1 ORDER BY seq",
        )
        .bind(task)
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let entry = |(seq, at, kind, body, prev, hash): (i64, String, String, Value, String, String)| {
            golden_record::Entry { seq: seq.try_into().unwrap(), at, kind, body, prev, hash }
        };
        rows.into_iter().map(entry).collect()
    }

    /// Does everything that is waited for. Whether there was anything.
    pub(crate) async fn react(&mut self) -> bool {
        let mut did = self.run_pods().await | self.save_pods().await | self.pay().await;
        for stream in [subjects::prc_stream(self.team), subjects::escalations_stream(self.team)] {
            let consumers = if stream.starts_with("PRC") {
                vec![subjects::PEER_HUB, subjects::SANDBOX]
            } else {
                vec![subjects::SUPERVISOR]
            };
            for consumer in consumers {
                for envelope in self.take(&stream, consumer).await {
                    did = true;
                    self.answer(envelope).await;
                }
            }
        }
        did
    }

    /// Messages of a consumer; each id is seen once.
    async fn take(&mut self, stream: &str, consumer: &str) -> Vec<Envelope> {
        let consumer: async_nats::jetstream::consumer::PullConsumer =
            self.js.get_stream(stream).await.unwrap().get_consumer(consumer).await.unwrap();
        let mut batch = consumer.fetch().max_messages(100).messages().await.unwrap();
        let mut taken = vec![];
        while let Some(message) = batch.next().await {
            let message = message.unwrap();
            let envelope: Envelope = serde_json::from_slice(&message.payload).unwrap();
            message.double_ack().await.unwrap();
            assert!(self.seen.insert(envelope.id.clone()), "message {} came twice", envelope.id);
            taken.push(envelope);
        }
        taken
    }

    async fn answer(&self, envelope: Envelope) {
        match envelope.message {
            Message::GuardRequested(request) => {
                self.run_guard(envelope.task, envelope.attempt, &request).await;
            }
            Message::ReviewRequested(request) => self.vote(envelope.task, envelope.attempt, &request).await,
            Message::EscalationRaised(_) => {}
        }
    }

    /// The script's person answers an open question, once. Whether they did.
    pub(crate) async fn person(&self, task: Uuid) -> bool {
        let Some(by) = self.script.person else { return false };
        let asked: bool = sqlx::query_scalar(
            "SELECT (EXISTS (SELECT FROM escalations WHERE task_uid = $1 AND state = 'Open')
                     OR EXISTS (SELECT FROM tasks WHERE task_uid = $1 AND stage = 'Approving'))
                AND NOT EXISTS (SELECT FROM facts WHERE task_uid = $1 AND kind = 'Decided')",
        )
        .bind(task)
        .fetch_one(&self.pool)
        .await
        .unwrap();
        if asked {
            self.decide(task, by, "Approve").await;
        }
        asked
    }

    /// A person's Decision about the digest the task shows.
    pub(crate) async fn decide(&self, task: Uuid, by: &str, verdict: &str) {
        let digest = self.view(task).await["result"]["digest"].as_str().unwrap().to_owned();
        let uid = Uuid::new_v4();
        let decision = PersonDecision {
            decision_uid: uid,
            name: format!("d-{by}"),
            decided_by: by.into(),
            verdict: serde_json::from_value(json!(verdict)).unwrap(),
            option: None,
            note: None,
            digest,
            question: String::new(),
        };
        self.tell(task, uid, "decision", Fact::Decided(decision)).await;
    }

    /// A call of a pod.
    pub(crate) async fn call(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Body,
    ) -> (StatusCode, Vec<u8>) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(body)
            .unwrap();
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let status = response.status();
        (status, axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec())
    }
}
