//! A cluster's control plane with Golden's stores and an operator.

use golden_cluster::ApiServer;
use golden_cluster::services::{Nats, Postgres};
use golden_operator::{Args, run_until};
use golden_platform::CancellationToken;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::NamespaceResourceScope;
use kube::runtime::wait::{await_condition, conditions::is_crd_established};
use kube::{Client, Config, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// Golden's namespace.
pub(crate) const GOLDEN: &str = "golden-system";
/// How long anything may take that needs no grace period.
pub(crate) const SOON: Duration = Duration::from_secs(25);

/// The servers.
pub(crate) struct Servers {
    pub(crate) api: ApiServer,
    pub(crate) postgres: Postgres,
    pub(crate) nats: Nats,
    pub(crate) database: String,
}

/// Servers, and one test's own clients: those of another test end with its runtime.
pub(crate) struct World {
    pub(crate) servers: Arc<Servers>,
    pub(crate) client: Client,
    pub(crate) pool: PgPool,
    pub(crate) js: async_nats::jetstream::Context,
}

/// An operator that runs in this process.
pub(crate) struct Operator {
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<anyhow::Result<()>>,
}

/// The world that most tests share, each in a namespace of its own; its operator runs until the process ends.
pub(crate) async fn shared() -> World {
    static WORLD: OnceLock<(Runtime, Arc<Servers>)> = OnceLock::new();
    let started = || {
        // A runtime of its own: those of the tests end with them.
        let start = || {
            let runtime = Runtime::new().unwrap();
            let servers = runtime.block_on(async {
                let world = World::start("shared").await;
                std::mem::forget(world.operator("shared-1").await);
                world.servers
            });
            (runtime, servers)
        };
        std::thread::spawn(start).join().unwrap()
    };
    let servers =
        tokio::task::spawn_blocking(move || Arc::clone(&WORLD.get_or_init(started).1)).await.unwrap();
    World::over(servers).await
}

impl World {
    /// Starts the servers, with the kinds, Golden's namespace and the RuntimeClass gvisor.
    pub(crate) async fn start(name: &str) -> Self {
        golden_platform::init_crypto();
        golden_platform::telemetry::init("operator-tests");
        let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("operator-{name}"));
        let started = tokio::task::spawn_blocking(move || {
            // The audit log of an earlier run would be counted too.
            let _ = std::fs::remove_dir_all(&home);
            (ApiServer::start(&home).unwrap(), Postgres::start().unwrap(), Nats::start().unwrap())
        });
        let (api, postgres, nats) = started.await.unwrap();
        let database = postgres.create_database().unwrap();
        let world = Self::over(Arc::new(Servers { api, postgres, nats, database })).await;
        world.kinds().await;
        world.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": GOLDEN}})).await;
        world
            .apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "golden-job", "namespace": GOLDEN}}))
            .await;
        world
            .apply(&json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "gvisor"}, "handler": "runsc"}))
            .await;
        world.apply(&crate::objects::provider(GOLDEN, "default")).await;
        world
    }

    async fn over(servers: Arc<Servers>) -> Self {
        let client = client(&servers).await;
        let messaging = golden_platform::nats::connect(&servers.nats.url()).await.unwrap();
        let pool = golden_platform::db::connect(&servers.database, 3).unwrap();
        Self { client, pool, js: golden_platform::nats::jetstream(&messaging), servers }
    }

    async fn kinds(&self) {
        let api: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        for crd in golden_crds::crdgen::definitions().unwrap() {
            let name = crd["metadata"]["name"].as_str().unwrap().to_owned();
            api.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(&crd)).await.unwrap();
            let established = await_condition(api.clone(), &name, is_crd_established());
            tokio::time::timeout(Duration::from_secs(30), established).await.expect("established").unwrap();
        }
    }

    /// Starts an operator under a name of its own.
    pub(crate) async fn operator(&self, identity: &str) -> Operator {
        let stop = CancellationToken::new();
        let client = client(&self.servers).await;
        let task = tokio::spawn(run_until(self.args(identity), client, stop.clone()));
        Operator { stop, task }
    }

    fn args(&self, identity: &str) -> Args {
        Args {
            namespace: GOLDEN.into(),
            listen: "127.0.0.1:0".parse().unwrap(),
            database_owner_url: self.servers.database.clone(),
            database_url: None,
            nats_url: self.servers.nats.url(),
            image: "golden:test".into(),
            git_image: "golden-git:test".into(),
            image_pull_policy: "IfNotPresent".into(),
            image_pull_secrets: Vec::new(),
            gateway_url: None,
            ledger_url: None,
            default_provider: "default".into(),
            default_model: "m".into(),
            stores_secret: "golden-stores".into(),
            identity: identity.into(),
        }
    }

    /// Creates or changes an object, as a person does.
    pub(crate) async fn apply(&self, object: &Value) {
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        let types = object.types.clone().unwrap();
        let gvk = kube::core::GroupVersionKind::try_from(&types).unwrap();
        let plural =
            if types.kind == "GovernancePolicy" { "governancepolicies".into() } else { plural(&types.kind) };
        let resource = kube::core::ApiResource::from_gvk_with_plural(&gvk, &plural);
        let api: Api<DynamicObject> = match &object.metadata.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let name = object.metadata.name.clone().unwrap();
        api.patch(&name, &PatchParams::apply("person").force(), &Patch::Apply(&object))
            .await
            .unwrap_or_else(|e| panic!("{} {name}: {e}", types.kind));
    }

    /// A new namespace.
    pub(crate) async fn namespace(&self, name: &str) -> String {
        self.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await;
        name.to_owned()
    }

    /// Objects of a namespace.
    pub(crate) fn of<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Waits until the object is as wanted.
    pub(crate) async fn until<K>(
        &self,
        namespace: &str,
        name: &str,
        within: Duration,
        wanted: impl Fn(&K) -> bool,
    ) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let (api, start) = (self.of::<K>(namespace), Instant::now());
        let mut last = None;
        while start.elapsed() < within {
            // A restarting apiserver refuses for a moment.
            last = api.get_opt(name).await.unwrap_or(None).or(last);
            if let Some(object) = last.as_ref().filter(|o| wanted(o)) {
                return object.clone();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{} {namespace}/{name} is not as wanted after {within:?}: {last:#?}", K::kind(&()));
    }

    /// Waits until the object is gone.
    pub(crate) async fn gone<K>(&self, namespace: &str, name: &str)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        self.gone_within::<K>(namespace, name, SOON).await;
    }

    /// Waits until the object is gone.
    pub(crate) async fn gone_within<K>(&self, namespace: &str, name: &str, within: Duration)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let (api, start) = (self.of::<K>(namespace), Instant::now());
        while api.get_opt(name).await.unwrap().is_some() {
            assert!(start.elapsed() < within, "{} {namespace}/{name} is still there", K::kind(&()));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until something was told of an object of the namespace, as `type/reason`: events are sent behind the status.
    pub(crate) async fn told(&self, namespace: &str, event: &str) {
        let (api, start) = (self.of::<Event>(namespace), Instant::now());
        loop {
            let events = api.list(&ListParams::default()).await.unwrap();
            let shown = |e: &Event| {
                format!(
                    "{}/{}",
                    e.type_.as_deref().unwrap_or_default(),
                    e.reason.as_deref().unwrap_or_default()
                )
            };
            if events.iter().any(|e| shown(e) == event) {
                return;
            }
            assert!(start.elapsed() < Duration::from_mins(1), "{event} was not told: {events:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the query, which yields one number, yields the wanted one.
    pub(crate) async fn count(&self, query: &'static str, uid: uuid::Uuid, wanted: i64) {
        let start = Instant::now();
        let mut last = -1;
        while start.elapsed() < SOON {
            last = sqlx::query_scalar(query).bind(uid).fetch_one(&self.pool).await.unwrap();
            if last == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{query} of {uid} is {last} and not {wanted}");
    }

    /// Writes a pod's status, as its kubelet does.
    pub(crate) async fn kubelet(&self, namespace: &str, pod: &str, status: &Value) {
        self.status::<k8s_openapi::api::core::v1::Pod>(namespace, pod, status).await;
    }

    /// Writes a status, as the kind's own controller does.
    pub(crate) async fn status<K>(&self, namespace: &str, name: &str, status: &Value)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let patch = Patch::Merge(json!({"status": status}));
        self.of::<K>(namespace).patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Status writes to one object, by the apiserver's audit log.
    pub(crate) fn status_writes(&self, resource: &str, namespace: &str, name: &str) -> usize {
        let log = std::fs::read_to_string(self.servers.api.audit_log()).unwrap();
        let fits = |line: &&str| {
            let Ok(entry) = serde_json::from_str::<Value>(line) else { return false };
            let of = &entry["objectRef"];
            of["resource"] == resource
                && of["namespace"] == namespace
                && of["name"] == name
                && of["subresource"] == "status"
                && entry["verb"] != "get"
                && entry["stage"] == "ResponseComplete"
        };
        log.lines().filter(fits).count()
    }
}

async fn client(servers: &Servers) -> Client {
    let config = Kubeconfig::read_from(servers.api.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    if lower.ends_with("class") { format!("{lower}es") } else { format!("{lower}s") }
}
