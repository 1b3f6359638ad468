//! The run pods' way to the artifact store.
//!
//! A caller is a pod by its token, and that pod is a run's by its owner: the run's name and uid, its team's label and
//! the team's namespace. It may read the trees its run names, and keep bytes in its namespace.

use super::tend::Broker;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::{Json, Router, routing};
use bytes::Bytes;
use golden_crds::{SandboxRun, labels};
use golden_platform::artifacts::MAX_BYTES;
use golden_platform::auth::{Authenticator, Caller, RUN_ACCOUNT, protect};
use golden_platform::http::Error;
use golden_platform::wire::ArtifactStored;
use http::header::CONTENT_LENGTH;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// KiB of uploads that are held in memory at once: one of the largest, or many small ones.
const MEMORY_KIB: u32 = 64 << 10;
/// How long an upload may take, its wait for memory included.
const UPLOAD: Duration = Duration::from_mins(1);
const LOOK_UP: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct Door {
    broker: Broker,
    memory: Arc<Semaphore>,
}

/// `GET /v1/artifacts/{digest}` and `PUT /v1/artifacts`, for run pods of this team alone.
pub fn router(broker: Broker, authenticator: Authenticator) -> Router {
    let door = Door { broker, memory: Arc::new(Semaphore::new(MEMORY_KIB as usize)) };
    let router = Router::new()
        .route("/v1/artifacts/{digest}", routing::get(read))
        .route("/v1/artifacts", routing::put(keep))
        .with_state(door);
    protect(router, authenticator)
}

async fn read(State(door): State<Door>, caller: Caller, Path(digest): Path<String>) -> Result<Bytes, Error> {
    let run = door.broker.run_of(&caller).await?;
    if !run.spec.trees().any(|tree| tree == digest) {
        return Err(Error::forbidden(format!("run {} has no business with {digest}", run.name_any())));
    }
    Ok(door.broker.artifacts.get(&caller.namespace, &digest).await?)
}

async fn keep(
    State(door): State<Door>,
    caller: Caller,
    request: Request,
) -> Result<Json<ArtifactStored>, Error> {
    let run = door.broker.run_of(&caller).await?;
    let task = run.labels().get(labels::TASK_UID).and_then(|uid| uid.parse::<Uuid>().ok());
    let taking = async {
        let _memory = door
            .memory
            .acquire_many(size_kib(&request)?)
            .await
            .map_err(|e| Error::internal(e.to_string()))?;
        let body = to_bytes(request.into_body(), MAX_BYTES)
            .await
            .map_err(|_| Error::too_large(format!("an artifact has at most {MAX_BYTES} bytes")))?;
        let broker = &door.broker;
        Ok(Json(broker.artifacts.put(&caller.namespace, broker.team.team_uid, task, body).await?))
    };
    tokio::time::timeout(UPLOAD, taking)
        .await
        .map_err(|_| Error::unavailable("no room in time; try again"))?
}

/// What to set aside before a body is read. Without a length it may be the largest.
fn size_kib(request: &Request) -> Result<u32, Error> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let length = length.unwrap_or(MAX_BYTES);
    if length > MAX_BYTES {
        return Err(Error::too_large(format!(
            "an artifact has at most {MAX_BYTES} bytes, this one has {length}"
        )));
    }
    Ok(u32::try_from(length.div_ceil(1024)).unwrap_or(MEMORY_KIB).min(MEMORY_KIB))
}

impl Broker {
    /// The run whose pod calls.
    async fn run_of(&self, caller: &Caller) -> Result<SandboxRun, Error> {
        let stranger =
            |why: &str| Error::forbidden(format!("only pods of this team's sandbox runs call here: {why}"));
        let (Some(name), Some(uid)) = (&caller.pod_name, caller.pod_of(RUN_ACCOUNT)) else {
            return Err(stranger("the token is not one of a run's pod"));
        };
        if caller.namespace != self.team.team_namespace {
            return Err(stranger("the pod is in another namespace"));
        }
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &caller.namespace);
        let runs: Api<SandboxRun> = Api::namespaced(self.client.clone(), &caller.namespace);
        let pod = looked_up(pods.get_metadata_opt(name)).await?.ok_or_else(|| stranger("the pod is gone"))?;
        // A run's pod has its run's name.
        let run = looked_up(runs.get_opt(name)).await?.ok_or_else(|| stranger("there is no such run"))?;
        let owner = pod.owner_references().iter().find(|o| o.controller == Some(true));
        if pod.uid() != Some(uid.to_string()) || owner.map(|o| &o.uid) != run.metadata.uid.as_ref() {
            return Err(stranger("the pod is not its run's"));
        }
        if run.labels().get(labels::TEAM_UID) != Some(&self.team.team_uid.to_string()) {
            return Err(stranger("the run is another team's"));
        }
        Ok(run)
    }
}

async fn looked_up<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout(LOOK_UP, call).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(e)) => Err(Error::unavailable(format!("the apiserver does not answer as it should: {e}"))),
        Err(_) => Err(Error::unavailable("the apiserver does not answer in time")),
    }
}
