//! `GET /v1/job`: what a fetch or delivery pod does, with the credential for it. The only place where a credential
//! leaves, and it goes to a pod of Golden's own namespace.

use super::caller::Pod;
use super::credentials::credential;
use super::git_host;
use super::router::Interface;
use crate::machine::{State as TaskState, Task, Why};
use crate::message::{AUTHOR, commit_date, commit_message};
use axum::Json;
use axum::extract::State;
use golden_crds::common::LocalRef;
use golden_platform::auth::Caller;
use golden_platform::facts;
use golden_platform::http::Error;
use golden_platform::wire::{Credential, DesiredKind, Fact, JobContext, JobResult, NewFact};
use http::StatusCode;
use std::time::Instant;

pub(super) async fn current_job(
    State(interface): State<Interface>,
    caller: Caller,
) -> Result<Json<JobContext>, Error> {
    let pod = interface.pod(&caller).await?.of(|k| k != DesiredKind::AttemptPod)?.newest()?;
    let (task, state) = (&pod.loaded.task, &pod.loaded.state);
    let git = task.spec.source.git.as_ref().ok_or_else(|| Error::conflict("the task's source is not git"))?;
    let (purpose, secret) = match pod.kind {
        DesiredKind::FetchPod => ("git-read", git.secret_ref.as_ref()),
        _ => (
            "git-write",
            task.spec.delivery.as_ref().and_then(|d| d.git.as_ref()).and_then(|g| g.secret_ref.as_ref()),
        ),
    };
    let credential = interface.credential(&pod, secret, purpose, &git.url).await?;
    let host = git_host::circuit(&interface.breakers, &git.url);
    if let Err(refused) = host.admit(Instant::now()) {
        let held = git_host::held_back(&host, refused);
        return Err(interface.fail(&pod, "GitHostHeldBack", held).await?);
    }
    match pod.kind {
        DesiredKind::FetchPod => {
            Ok(Json(JobContext::Fetch { url: git.url.clone(), git_ref: git.git_ref.clone(), credential }))
        }
        _ => delivery(task, state, git.url.clone(), credential).map(Json),
    }
}

fn delivery(
    task: &Task,
    state: &TaskState,
    url: String,
    credential: Option<Credential>,
) -> Result<JobContext, Error> {
    let (Some(base), Some(delivery), Some(branch)) = (&state.base, &state.delivery, task.branch()) else {
        return Err(Error::conflict("nothing is to be delivered"));
    };
    Ok(JobContext::Deliver {
        url,
        branch: branch.to_owned(),
        base_commit: base.commit.clone().unwrap_or_default(),
        base_tree: base.tree.clone(),
        tree: delivery.digest.clone(),
        message: commit_message(task, state),
        author: AUTHOR.to_owned(),
        author_date: commit_date(delivery.approved_at),
        credential,
    })
}

impl Interface {
    /// The credential, or the fact that it cannot be had, which shows on the task and is tried again later.
    async fn credential(
        &self,
        pod: &Pod,
        secret: Option<&LocalRef>,
        purpose: &str,
        url: &str,
    ) -> Result<Option<Credential>, Error> {
        let Some(name) = secret.map(|s| s.name.as_str()) else { return Ok(None) };
        let found = self.secrets.get(&pod.loaded.task.namespace, name).await;
        let found =
            found.map_err(|e| Error::unavailable(format!("Secret {name} cannot be read now: {e}")))?;
        match credential(name, found.as_ref(), purpose, url) {
            Ok(credential) => Ok(Some(credential)),
            Err(why) => Err(self.no_credential(pod, why).await?),
        }
    }

    async fn no_credential(&self, pod: &Pod, why: Why) -> Result<Error, Error> {
        let result = JobResult::Failed { reason: why.reason, message: why.message, retryable: true };
        self.fail(pod, "SecretRefused", result).await
    }

    /// Takes the job as failed before it began: the result is kept as if the pod had told it, and the pod is refused.
    async fn fail(&self, pod: &Pod, refusal: &'static str, result: JobResult) -> Result<Error, Error> {
        let JobResult::Failed { message, .. } = &result else {
            return Ok(Error::conflict("the job is done"));
        };
        let message = message.clone();
        let fact = NewFact {
            team_uid: self.team,
            task_uid: pod.loaded.task.uid,
            object_uid: pod.uid,
            fact_key: super::result::JOB_KEY.to_owned(),
            fact: Fact::JobResult(result),
        };
        let mut tx = self.pool.begin().await?;
        facts::insert(&mut tx, &fact).await?;
        tx.commit().await?;
        Ok(Error::new(StatusCode::CONFLICT, refusal, message))
    }
}
