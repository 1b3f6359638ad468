//! `POST /v1/result` and `POST /v1/job/result`: what became of the work. Written once per pod; telling it again is
//! answered like the first time, also when the task has moved on since.

use super::caller::Pod;
use super::git_host;
use super::router::Interface;
use axum::Json;
use axum::extract::State;
use golden_platform::artifacts::is_digest;
use golden_platform::auth::Caller;
use golden_platform::facts;
use golden_platform::http::Error;
use golden_platform::wire::{AttemptResult, DesiredKind, Fact, JobResult, NewFact};
use serde_json::{Value, json};
use std::time::Instant;
use uuid::Uuid;

/// Keys of the facts, per pod.
const RESULT_KEY: &str = "result";
pub(super) const JOB_KEY: &str = "job-result";

/// Longest text of an agent or job that is kept, in bytes.
const MAX_TEXT_BYTES: usize = 4096;

pub(super) async fn attempt_result(
    State(interface): State<Interface>,
    caller: Caller,
    Json(body): Json<AttemptResult>,
) -> Result<Json<Value>, Error> {
    let pod = interface.pod(&caller).await?.of(|k| k == DesiredKind::AttemptPod)?;
    if interface.is_known(pod.uid, RESULT_KEY).await? {
        return Ok(accepted(false));
    }
    let pod = pod.newest()?;
    if let Some(tree) = &body.tree {
        interface.must_have(&pod, tree).await?;
    }
    let transcript = match body.transcript {
        Some(digest) if interface.has(&pod, &digest).await? => Some(digest),
        _ => None,
    };
    let result = AttemptResult {
        attempt: pod.attempt,
        r#try: pod.r#try,
        tree: body.tree,
        agent_exit_code: body.agent_exit_code,
        summary: clean(&body.summary, MAX_TEXT_BYTES),
        transcript,
    };
    interface.tell(&pod, RESULT_KEY, Fact::AttemptResult(result)).await
}

pub(super) async fn job_result(
    State(interface): State<Interface>,
    caller: Caller,
    Json(body): Json<JobResult>,
) -> Result<Json<Value>, Error> {
    let pod = interface.pod(&caller).await?.of(|k| k != DesiredKind::AttemptPod)?;
    if interface.is_known(pod.uid, JOB_KEY).await? {
        return Ok(accepted(false));
    }
    let pod = pod.newest()?;
    let result = match body {
        JobResult::Fetched { commit, tree } if pod.kind == DesiredKind::FetchPod => {
            interface.must_have(&pod, &tree).await?;
            JobResult::Fetched { commit: object_id(commit)?, tree }
        }
        JobResult::Delivered { branch, commit } if pod.kind == DesiredKind::DeliveryPod => {
            if Some(branch.as_str()) != pod.loaded.task.branch() {
                return Err(Error::bad_request(format!(
                    "the task delivers to another branch than {}",
                    clean(&branch, MAX_TEXT_BYTES)
                )));
            }
            JobResult::Delivered { branch, commit: object_id(commit)? }
        }
        JobResult::Failed { reason, message, retryable } => JobResult::Failed {
            reason: clean(&reason, MAX_TEXT_BYTES).chars().take(63).collect(),
            message: clean(&message, MAX_TEXT_BYTES),
            retryable,
        },
        _ => return Err(Error::bad_request(format!("a {:?} cannot end like that", pod.kind))),
    };
    if let Some(git) = &pod.loaded.task.spec.source.git {
        git_host::count(&git_host::circuit(&interface.breakers, &git.url), &result, Instant::now());
    }
    interface.tell(&pod, JOB_KEY, Fact::JobResult(result)).await
}

/// A git object id, in full.
fn object_id(text: String) -> Result<String, Error> {
    let whole = matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
    if whole { Ok(text) } else { Err(Error::bad_request("commit is not a full object id of git")) }
}

/// Text for people: bounded, without what a database or a terminal would choke on.
pub(super) fn clean(text: &str, most: usize) -> String {
    let mut out = String::new();
    for c in text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')) {
        if out.len() + c.len_utf8() > most {
            break;
        }
        out.push(c);
    }
    out
}

pub(super) fn accepted(new: bool) -> Json<Value> {
    Json(json!({"accepted": true, "new": new}))
}

impl Interface {
    pub(super) async fn is_known(&self, pod: Uuid, key: &str) -> Result<bool, Error> {
        Ok(sqlx::query_scalar("SELECT EXISTS (SELECT FROM facts WHERE object_uid = $1 AND fact_key = $2)")
            .bind(pod)
            .bind(key)
            .fetch_one(&self.pool)
            .await?)
    }

    pub(super) async fn has(&self, pod: &Pod, digest: &str) -> Result<bool, Error> {
        if !is_digest(digest) {
            return Ok(false);
        }
        Ok(sqlx::query_scalar("SELECT EXISTS (SELECT FROM artifacts WHERE namespace = $1 AND digest = $2)")
            .bind(&pod.loaded.task.namespace)
            .bind(digest)
            .fetch_one(&self.pool)
            .await?)
    }

    pub(super) async fn must_have(&self, pod: &Pod, digest: &str) -> Result<(), Error> {
        if self.has(pod, digest).await? {
            return Ok(());
        }
        let shown: String = clean(digest, MAX_TEXT_BYTES).chars().take(80).collect();
        Err(Error::bad_request(format!("{shown} is not stored: PUT /v1/artifacts first")))
    }

    pub(super) async fn tell(&self, pod: &Pod, key: &str, fact: Fact) -> Result<Json<Value>, Error> {
        let new = NewFact {
            team_uid: self.team,
            task_uid: pod.loaded.task.uid,
            object_uid: pod.uid,
            fact_key: key.to_owned(),
            fact,
        };
        let mut tx = self.pool.begin().await?;
        let inserted = facts::insert(&mut tx, &new).await?;
        tx.commit().await?;
        Ok(accepted(inserted))
    }
}
