//! Everything around the orchestrator, played faithfully: facts under their keys, pods with uids, messages from the
//! streams, HTTP calls with the pods' tokens.

use async_nats::jetstream::Context;
use axum::Router;
use axum::body::Body;
use futures::StreamExt as _;
use golden_cluster::services::{Nats, Postgres};
use golden_consensus::{Ballot, DecisionRecord, GuardFact, GuardVerdict, decide, policy_from_value};
use golden_crds::governance_policy::GovernancePolicySpec;
use golden_governance::{NamedPolicy, merge};
use golden_orchestrator::engine::{Clock, Engine, EngineMetrics, Faults, NoFaults};
use golden_orchestrator::http::{Interface, Secrets, router};
use golden_platform::artifacts::Store;
use golden_platform::auth::{self, Authenticator, Caller, Verifier};
use golden_platform::telemetry::Metrics;
use golden_platform::tree::Tree;
use golden_platform::wire::{
    ArtifactStored, DesiredKind, Envelope, Fact, GuardOutcome, GuardRequest, JobContext, Message, NewFact,
    PersonDecision, PodOutcome, PodPhase, ReviewRequest, TryContext,
};
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

/// A pod's token is its uid; any pod of the two namespaces may show it.
struct PodTokens;

impl Verifier for PodTokens {
    fn verify<'a>(&'a self, token: &'a str) -> futures::future::BoxFuture<'a, Result<Caller, auth::Error>> {
        let (namespace, uid) = token.split_once('/').unwrap_or((GOLDEN, token));
        let account = if namespace == GOLDEN { "golden-job" } else { "golden-run" };
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
}

impl Default for Script {
    fn default() -> Self {
        Self {
            work: |n| Some(if n == 1 { "half" } else { "whole" }),
            passes: |content| content == "whole",
            verdict: |role, _| if role == "architect" { "Reject" } else { "Approve" },
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
        let interface = Interface {
            team,
            pool: pool.clone(),
            artifacts: store.clone(),
            secrets: Arc::new(vault.clone()),
        };
        let routes = router(interface, Authenticator::new(PodTokens));
        let (ahead, seen) = (Arc::new(AtomicI64::new(0)), BTreeSet::new());
        Self { url, pool, js, team, store, vault, routes, script, ahead, seen }
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
            if !self.react().await {
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
        let mut did = self.run_pods().await;
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
                self.run_guard(envelope.task, envelope.attempt, &request).await
            }
            Message::ReviewRequested(request) => self.vote(envelope.task, envelope.attempt, &request).await,
            Message::EscalationRaised(_) => {}
        }
    }

    /// The sandbox: looks at the tree it was given.
    async fn run_guard(&self, task: Uuid, attempt: u32, request: &GuardRequest) {
        let bytes = self.store.get(NAMESPACE, &request.tree).await.unwrap();
        let tree = Tree::parse(&bytes).unwrap();
        assert_eq!(file(&tree, "tests/test.py"), "the base's test", "a guard's tests are the base's");
        let passed = (self.script.passes)(&file(&tree, "slug.py"));
        let run_uid = Uuid::new_v5(&task, request.run_name.as_bytes());
        let outcome = GuardOutcome {
            attempt,
            guard: request.guard.name.clone(),
            verdict: if passed { "Passed" } else { "Failed" }.into(),
            tree: request.tree.clone(),
            sandbox_run: request.run_name.clone(),
            run_uid,
            exit_code: Some(i32::from(!passed)),
            reason: if passed { "Completed" } else { "NonZeroExit" }.into(),
            excerpt: "assert 'strae' == 'strasse'".into(),
            output_digest: None,
            image_id: None,
            isolation: "gvisor".into(),
        };
        let key = format!("guard/{attempt}/{}", request.guard.name);
        self.tell(task, run_uid, &key, Fact::Guard(outcome)).await;
    }

    /// The peers: each votes, and the consensus decides.
    async fn vote(&self, task: Uuid, attempt: u32, request: &ReviewRequest) {
        let mut ballots = vec![];
        for role in ["security", "reviewer", "architect", "tester"] {
            let ballot: Ballot = serde_json::from_value(json!({
                "voter": role, "role": role, "model": "m", "verdict": (self.script.verdict)(role, attempt),
                "severity": "Minor", "confidence": 80, "rationale": "the mapping is hard to read",
                "digest": request.digest,
                "evidence": [{"file": "slug.py", "startLine": 1, "endLine": 1, "quote": "whole", "verified": true}],
            }))
            .unwrap();
            sqlx::query(
                "INSERT INTO ballots (task_uid, attempt, round, voter, digest, team_uid, model, ballot, raw, prompt_digest)
                 VALUES ($1, $2, $3, $4, $5, $6, 'm', $7, 'raw', 'sha256:00') ON CONFLICT DO NOTHING",
            )
            .bind(task)
            .bind(i64::from(attempt))
            .bind(i64::from(request.round))
            .bind(role)
            .bind(&request.digest)
            .bind(self.team)
            .bind(serde_json::to_value(&ballot).unwrap())
            .execute(&self.pool)
            .await
            .unwrap();
            ballots.push(ballot);
        }
        let policy = policy_from_value(&request.rules).unwrap();
        let guards: Vec<GuardFact> = request
            .guards
            .iter()
            .map(|g| GuardFact {
                guard: g.guard.clone(),
                verdict: if g.verdict == "Passed" { GuardVerdict::Passed } else { GuardVerdict::Failed },
                required: true,
                digest: None,
            })
            .collect();
        let decision: DecisionRecord = decide(&policy, &ballots, &guards, &request.digest, true).into();
        let fact = Fact::Review {
            attempt,
            round: request.round,
            digest: request.digest.clone(),
            decision: serde_json::to_value(decision).unwrap(),
        };
        self.tell(task, task, &format!("review/{attempt}/{}", request.round), fact).await;
    }

    /// A person's Decision about the digest the task shows.
    pub(crate) async fn decide(&self, task: Uuid, by: &str, verdict: &str) {
        let digest = self.view(task).await["result"]["digest"].as_str().unwrap().to_owned();
        let uid = Uuid::new_v4();
        let decision = PersonDecision {
            decision_uid: uid,
            name: format!("d-{by}"),
            decided_by: by.into(),
            verdict: verdict.into(),
            option: None,
            note: None,
            digest,
        };
        self.tell(task, uid, "decision", Fact::Decided(decision)).await;
    }

    /// The operator and the kubelet: pods that are wanted and have no uid are made and do their work.
    async fn run_pods(&self) -> bool {
        let rows: Vec<(Uuid, String, String, String, i32, i32)> = sqlx::query_as(
            "SELECT task_uid, namespace, name, kind, attempt, try FROM desired
             WHERE team_uid = $1 AND wanted AND object_uid IS NULL ORDER BY name",
        )
        .bind(self.team)
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let any = !rows.is_empty();
        for (task, namespace, name, kind, attempt, try_no) in rows {
            let uid = self.adopt(&name).await;
            let token = format!("{namespace}/{uid}");
            let kind: DesiredKind = serde_json::from_value(json!(kind)).unwrap();
            self.tell(
                task,
                uid,
                "pod/Created",
                self.pod(kind, &name, uid, (attempt, try_no), PodPhase::Created),
            )
            .await;
            let done = match kind {
                DesiredKind::FetchPod => self.fetch(&token).await,
                DesiredKind::AttemptPod => self.work(&token).await,
                DesiredKind::DeliveryPod => self.deliver(&token, &name).await,
            };
            let phase = if done { PodPhase::Succeeded } else { PodPhase::Failed };
            let key = format!("pod/{phase:?}");
            self.tell(task, uid, &key, self.pod(kind, &name, uid, (attempt, try_no), phase)).await;
        }
        any
    }

    /// Notes a pod's uid, as the operator does once the pod is made.
    pub(crate) async fn adopt(&self, name: &str) -> Uuid {
        let uid = Uuid::new_v5(&self.team, name.as_bytes());
        sqlx::query("UPDATE desired SET object_uid = $2 WHERE name = $1")
            .bind(name)
            .bind(uid)
            .execute(&self.pool)
            .await
            .unwrap();
        uid
    }

    pub(crate) fn pod(
        &self,
        kind: DesiredKind,
        name: &str,
        uid: Uuid,
        at: (i32, i32),
        phase: PodPhase,
    ) -> Fact {
        Fact::Pod(PodOutcome {
            kind,
            name: name.into(),
            pod_uid: uid,
            attempt: at.0.try_into().unwrap(),
            r#try: at.1.try_into().unwrap(),
            phase,
            reason: String::new(),
            message: String::new(),
            exit_code: match phase {
                PodPhase::Succeeded => Some(0),
                PodPhase::Failed => Some(1),
                _ => None,
            },
        })
    }

    async fn fetch(&self, token: &str) -> bool {
        let (status, body) = self.call(token, "GET", "/v1/job", Body::empty()).await;
        if status != StatusCode::OK {
            return false;
        }
        let JobContext::Fetch { credential, .. } = serde_json::from_slice(&body).unwrap() else {
            panic!("not a fetch")
        };
        assert_eq!(credential.unwrap().hosts, ["git.example"]);
        let base = Tree::from_files([("slug.py", "old"), ("tests/test.py", "the base's test")]).unwrap();
        let tree = self.put(token, base.to_tar().unwrap()).await;
        let body = json!({"result": "Fetched", "commit": "c0ffee".repeat(7)[..40], "tree": tree});
        self.call(token, "POST", "/v1/job/result", Body::from(body.to_string())).await.0 == StatusCode::OK
    }

    async fn work(&self, token: &str) -> bool {
        let (status, body) = self.call(token, "GET", "/v1/try", Body::empty()).await;
        if status != StatusCode::OK {
            return false;
        }
        let context: TryContext = serde_json::from_slice(&body).unwrap();
        assert!(context.prompt.contains("Transliterate them.") && context.role == "developer");
        assert_eq!(context.feedback.is_empty(), context.attempt == 1);
        let (status, tree) =
            self.call(token, "GET", &format!("/v1/artifacts/{}", context.tree), Body::empty()).await;
        assert_eq!(status, StatusCode::OK);
        assert!(!Tree::parse(&tree).unwrap().is_empty());
        let made = (self.script.work)(context.attempt);
        let mut result = json!({"attempt": 99, "try": 99, "tree": null, "agentExitCode": 1, "summary": "\u{0}gave up", "transcript": null});
        if let Some(content) = made {
            // The agent also weakens the test, which must help nothing.
            let tree =
                Tree::from_files([("slug.py", content), ("tests/test.py", "nothing is tested")]).unwrap();
            result["tree"] = json!(self.put(token, tree.to_tar().unwrap()).await);
            result["agentExitCode"] = json!(0);
        }
        self.call(token, "POST", "/v1/result", Body::from(result.to_string())).await.0 == StatusCode::OK
    }

    async fn deliver(&self, token: &str, name: &str) -> bool {
        let (status, body) = self.call(token, "GET", "/v1/job", Body::empty()).await;
        if status != StatusCode::OK {
            return false;
        }
        let JobContext::Deliver { branch, message, author_date, tree, .. } =
            serde_json::from_slice(&body).unwrap()
        else {
            panic!("{name} is not a delivery")
        };
        assert!(
            message.starts_with("Transliterate them.\n\n") && message.contains("\nGolden-Record: sha256:"),
            "{message}"
        );
        // A commit is a function of what it is made of.
        let commit = golden_platform::tree::digest(format!("{tree}{message}{author_date}").as_bytes());
        let body = json!({"result": "Delivered", "branch": branch, "commit": commit[7..47]});
        self.call(token, "POST", "/v1/job/result", Body::from(body.to_string())).await.0 == StatusCode::OK
    }

    pub(crate) async fn put(&self, token: &str, bytes: Vec<u8>) -> String {
        let (status, body) = self.call(token, "PUT", "/v1/artifacts", Body::from(bytes)).await;
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        serde_json::from_slice::<ArtifactStored>(&body).unwrap().digest
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

fn file(tree: &Tree, path: &str) -> String {
    match tree.get(path) {
        Some(golden_platform::tree::Entry::File { bytes, .. }) => String::from_utf8(bytes.clone()).unwrap(),
        _ => String::new(),
    }
}
