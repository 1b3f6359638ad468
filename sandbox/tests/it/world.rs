//! Real Postgres, NATS and apiserver, shared by the tests; a team, a namespace and a broker for each.
//! Nobody runs pods here: tests play the operator and the kubelet by writing the status of runs.

use golden_cluster::services::{Nats, Postgres};
use golden_cluster::{ApiServer, Kubectl};
use golden_crds::conditions::{RunState, set_run_state};
use golden_crds::sandbox_run::ArtifactStatus;
use golden_crds::{SandboxRun, SandboxRunStatus};
use golden_platform::config::TeamArgs;
use golden_platform::consumer::{Delivery, Slot};
use golden_platform::wire::{Envelope, GuardOutcome, GuardRequest, Message};
use golden_platform::{artifacts, db, nats, streams, telemetry};
use golden_sandbox::broker::{Broker, Metrics};
use kube::api::{Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use std::sync::OnceLock;
use std::time::Duration;
use uuid::Uuid;

struct Shared {
    postgres: Postgres,
    nats: Nats,
    api: ApiServer,
}

fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        golden_platform::init_crypto();
        let home = tempfile::tempdir().unwrap().keep();
        let api = ApiServer::start(&home).unwrap();
        let crd = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/golden-crds/files/sandboxruns.yaml");
        let admin = Kubectl::new(api.kubeconfig()).unwrap();
        admin.run(&["apply", "-f", crd]).unwrap();
        admin.run(&["wait", "--for=condition=Established", "crd/sandboxruns.goldenarch.dev"]).unwrap();
        let class = home.join("runtimeclass.yaml");
        let text =
            "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: gvisor}\nhandler: runsc\n";
        std::fs::write(&class, text).unwrap();
        admin.run(&["apply", "-f", class.to_str().unwrap()]).unwrap();
        Shared { postgres: Postgres::start().unwrap(), nats: Nats::start().unwrap(), api }
    })
}

pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) js: async_nats::jetstream::Context,
    pub(crate) namespace: String,
    pub(crate) team: Uuid,
}

impl World {
    pub(crate) async fn new() -> Self {
        let shared = tokio::task::spawn_blocking(shared).await.unwrap();
        let team = Uuid::new_v4();
        let namespace = format!("team-{}", &team.simple().to_string()[..8]);
        kubectl(&["create", "namespace", &namespace]);
        kubectl(&["create", "serviceaccount", "golden-run", "-n", &namespace]);
        let url = shared.postgres.create_database().unwrap();
        db::migrate_with(&url, None).await.unwrap();
        let pool = db::connect(&url, 3).unwrap();
        let connection = nats::connect(&shared.nats.url()).await.unwrap();
        let js = nats::jetstream(&connection);
        until("NATS is there", async || nats::ping(&connection).is_ok()).await;
        streams::ensure(&js, team).await.unwrap();
        let broker = Broker {
            artifacts: artifacts::Store::new(js.clone(), pool.clone()),
            pool,
            client: client().await,
            metrics: Metrics::new(&telemetry::Metrics::new("sandbox").unwrap()).unwrap(),
            team: TeamArgs { team_uid: team, team_name: "core".into(), team_namespace: namespace.clone() },
            golden_image: "golden:1".into(),
        };
        Self { broker, js, namespace, team }
    }

    pub(crate) fn runs(&self) -> Api<SandboxRun> {
        Api::namespaced(self.broker.client.clone(), &self.namespace)
    }

    pub(crate) fn request(&self, guard: &str) -> GuardRequest {
        serde_json::from_value(json!({
            "namespace": self.namespace, "taskName": "fix", "runName": format!("fix-3f2a9c1d-a1-t1-{guard}"),
            "guard": {"name": guard, "image": "golden-python", "command": ["pytest", "-q"], "timeoutSeconds": 60},
            "required": true, "tree": format!("sha256:{}", "a".repeat(64)), "runtimeClassName": "gvisor",
            "maxTimeoutSeconds": null, "maxMemoryBytes": null,
        }))
        .unwrap()
    }

    pub(crate) fn envelope(&self, task: Uuid, request: GuardRequest) -> Envelope {
        Envelope {
            v: 1,
            id: format!("{task}/1/guard/{}", Uuid::new_v4()),
            team: self.team,
            task,
            attempt: 1,
            r#try: 1,
            message: Message::GuardRequested(Box::new(request)),
        }
    }

    pub(crate) fn delivery(&self, task: Uuid, request: GuardRequest) -> Delivery {
        let envelope = self.envelope(task, request);
        Delivery { envelope, delivered: 1, stream_seq: 1, slot: Slot::default() }
    }

    /// Waits until the broker has made the run.
    pub(crate) async fn run(&self, name: &str) -> SandboxRun {
        until("the run is there", async || self.runs().get_opt(name).await.unwrap().is_some()).await;
        self.runs().get(name).await.unwrap()
    }

    /// Plays the operator: the run has ended.
    pub(crate) async fn end(&self, name: &str, reason: &str, exit_code: Option<i32>, output: Option<&str>) {
        let mut status = SandboxRunStatus {
            reason: Some(reason.into()),
            exit_code,
            isolation: Some("gvisor".into()),
            ..SandboxRunStatus::default()
        };
        if let Some(output) = output {
            let stored =
                self.broker.artifacts.put(&self.namespace, self.team, None, output.to_owned()).await.unwrap();
            let kept = ArtifactStatus { path: "stdout".into(), digest: stored.digest, bytes: stored.bytes };
            status.artifacts = vec![kept];
        }
        let state = if exit_code == Some(0) { RunState::Complete } else { RunState::Failed };
        set_run_state(&mut status.conditions, state, reason, "it ended", None, jiff::Timestamp::now());
        let patch = Patch::Merge(json!({"status": status}));
        self.runs().patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// The guard facts of a task, with the uid they are about.
    pub(crate) async fn facts(&self, task: Uuid) -> Vec<(Uuid, GuardOutcome)> {
        let rows: Vec<(Uuid, serde_json::Value)> = sqlx::query_as(
            "SELECT object_uid, body FROM facts WHERE task_uid = $1 AND kind = 'Guard' ORDER BY id",
        )
        .bind(task)
        .fetch_all(&self.broker.pool)
        .await
        .unwrap();
        rows.into_iter().map(|(uid, body)| (uid, serde_json::from_value(body).unwrap())).collect()
    }

    pub(crate) async fn end_task(&self, task: Uuid) {
        sqlx::query(
            "INSERT INTO tasks (task_uid, team_uid, namespace, name, submitted_by, spec, policy, models, state, view,
             stage, outcome, version, ended_at)
             VALUES ($1, $2, $3, 'fix', 'alice', '{}', '{}', '{}', '{}', '{}', 'Cancelled', 'Cancelled', 1, now())",
        )
        .bind(task)
        .bind(self.team)
        .bind(&self.namespace)
        .execute(&self.broker.pool)
        .await
        .unwrap();
    }

    pub(crate) async fn uid(&self, name: &str) -> Uuid {
        self.run(name).await.uid().unwrap().parse().unwrap()
    }
}

async fn client() -> kube::Client {
    let config = Kubeconfig::read_from(shared().api.kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    kube::Client::try_from(config).unwrap()
}

/// kubectl as the administrator.
pub(crate) fn kubectl(args: &[&str]) -> String {
    Kubectl::new(shared().api.kubeconfig()).unwrap().run(args).unwrap().trim().to_owned()
}

/// Waits until something holds, at most half a minute.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
