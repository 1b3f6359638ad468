//! On whose behalf a call is made: the task, attempt and role of an authenticated caller.

use crate::error::CallError;
use golden_platform::auth::{Caller, RUN_ACCOUNT};
use golden_platform::wire::ModelBinding;
use http::HeaderMap;
use sqlx::PgPool;
use sqlx::types::Json;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Services of Golden's own that may call on behalf of a task, which they name in headers.
const SERVICES: [&str; 2] = ["golden-peer-hub", "golden-supervisor"];
/// Longest role or operation in a header.
const MAX_HEADER: usize = 128;

/// A call's place in the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub team_uid: Uuid,
    pub task_uid: Uuid,
    /// The task's namespace.
    pub namespace: String,
    pub attempt: u32,
    /// The pod of the try; absent for services.
    pub try_uid: Option<Uuid>,
    /// For example `developer`, or `voter:security`.
    pub role: String,
    /// What the operation key is made from: the try's uid, or the service's own name for the call.
    pub scope: String,
    pub binding: ModelBinding,
}

/// What a service says about its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stated {
    team: Uuid,
    task: Uuid,
    attempt: u32,
    role: String,
    operation: String,
}

#[derive(sqlx::FromRow)]
struct TryRow {
    team_uid: Uuid,
    task_uid: Uuid,
    attempt: i32,
    wanted: bool,
    newest: bool,
    role: Option<String>,
    namespace: String,
    models: Json<BTreeMap<String, ModelBinding>>,
    outcome: Option<String>,
    #[sqlx(flatten)]
    troubles: Troubles,
}

#[derive(sqlx::FromRow)]
struct TaskRow {
    team_uid: Uuid,
    namespace: String,
    models: Json<BTreeMap<String, ModelBinding>>,
    outcome: Option<String>,
    #[sqlx(flatten)]
    troubles: Troubles,
}

/// A caller, as its task's rows say.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) identity: Arc<Identity>,
    pub(crate) troubles: Troubles,
}

/// What was told of a caller's calls that came to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Troubles {
    pub told: i64,
    pub ended: i64,
}

/// The columns of [`Troubles`]: of a task, and of the caller that `$2` names.
macro_rules! troubles {
    ($task:literal) => {
        concat!(
            "(SELECT count(*) FROM facts WHERE object_uid = ",
            $task,
            " AND starts_with(fact_key, 'stuck/' || $2 || '/')) AS told,
             (SELECT count(*) FROM facts WHERE object_uid = ",
            $task,
            " AND starts_with(fact_key, 'unstuck/' || $2 || '/')) AS ended"
        )
    };
}

/// Which pod calls, or nothing where one of Golden's services does, which says on whose behalf.
pub(crate) fn pod(golden_namespace: &str, caller: &Caller) -> Result<Option<Uuid>, CallError> {
    if caller.namespace == golden_namespace && SERVICES.contains(&caller.service_account.as_str()) {
        return Ok(None);
    }
    let nobody =
        || CallError::Forbidden(format!("{} is no pod of a task and may not call models", caller.username));
    caller.pod_of(RUN_ACCOUNT).ok_or_else(nobody).map(Some)
}

/// The work of a pod, as it is now.
pub(crate) async fn attempt_pod(pool: &PgPool, pod_uid: Uuid) -> Result<Known, CallError> {
    let row: Option<TryRow> = sqlx::query_as(concat!(
        "SELECT d.team_uid, d.task_uid, d.attempt, d.wanted, d.spec->>'role' AS role,
                t.namespace, t.models, t.outcome,
",
        troubles!("d.task_uid"),
        ",
                NOT EXISTS (SELECT FROM desired later
                            WHERE later.task_uid = d.task_uid AND later.kind = 'AttemptPod'
                              AND (later.attempt, later.try) > (d.attempt, d.try)) AS newest
         FROM desired d JOIN tasks t ON t.task_uid = d.task_uid
         WHERE d.object_uid = $1 AND d.kind = 'AttemptPod'",
    ))
    .bind(pod_uid)
    .bind(pod_uid.to_string())
    .fetch_optional(pool)
    .await
    .map_err(|e| away(&e))?;
    let row =
        row.ok_or_else(|| CallError::Forbidden(format!("pod {pod_uid} is not an attempt of a task")))?;
    if !row.newest || !row.wanted || row.outcome.is_some() {
        return Err(CallError::Superseded(format!(
            "pod {pod_uid} is no longer the try that works on its task"
        )));
    }
    let role = row.role.unwrap_or_else(|| "developer".to_owned());
    let identity = Identity {
        team_uid: row.team_uid,
        task_uid: row.task_uid,
        namespace: row.namespace,
        attempt: u32::try_from(row.attempt).unwrap_or(0),
        try_uid: Some(pod_uid),
        binding: bound(&row.models, &format!("role:{role}"))?,
        role,
        scope: pod_uid.to_string(),
    };
    Ok(Known { identity: Arc::new(identity), troubles: row.troubles })
}

/// The work that a service names, as it is now.
pub(crate) async fn service(pool: &PgPool, headers: &HeaderMap) -> Result<Known, CallError> {
    let stated = stated(headers)?;
    let scope = format!("{}/{}", stated.task, stated.operation);
    let row: Option<TaskRow> = sqlx::query_as(concat!(
        "SELECT team_uid, namespace, models, outcome, ",
        troubles!("tasks.task_uid"),
        " FROM tasks WHERE task_uid = $1",
    ))
    .bind(stated.task)
    .bind(&scope)
    .fetch_optional(pool)
    .await
    .map_err(|e| away(&e))?;
    let row = row
        .filter(|row| row.team_uid == stated.team)
        .ok_or_else(|| CallError::Forbidden(format!("team {} has no task {}", stated.team, stated.task)))?;
    if row.outcome.is_some() {
        return Err(CallError::Superseded(format!("task {} has ended", stated.task)));
    }
    let key = if stated.role.contains(':') { stated.role.clone() } else { format!("role:{}", stated.role) };
    let identity = Identity {
        team_uid: row.team_uid,
        task_uid: stated.task,
        namespace: row.namespace,
        attempt: stated.attempt,
        try_uid: None,
        binding: bound(&row.models, &key)?,
        role: stated.role,
        scope,
    };
    Ok(Known { identity: Arc::new(identity), troubles: row.troubles })
}

/// Whether the work is still wanted; asked while a call waits for money.
pub(crate) async fn is_current(pool: &PgPool, identity: &Identity) -> Result<(), CallError> {
    let current = match identity.try_uid {
        Some(pod_uid) => attempt_pod(pool, pod_uid).await.map(drop),
        None => task_is_open(pool, identity.task_uid).await,
    };
    match current {
        // An outage of the store says nothing about the task: go on waiting.
        Err(CallError::Unavailable(_)) => Ok(()),
        other => other,
    }
}

async fn task_is_open(pool: &PgPool, task_uid: Uuid) -> Result<(), CallError> {
    let ended: Option<bool> = sqlx::query_scalar("SELECT outcome IS NOT NULL FROM tasks WHERE task_uid = $1")
        .bind(task_uid)
        .fetch_optional(pool)
        .await
        .map_err(|e| away(&e))?;
    match ended {
        Some(false) => Ok(()),
        _ => Err(CallError::Superseded(format!("task {task_uid} has ended"))),
    }
}

pub(crate) fn away(error: &sqlx::Error) -> CallError {
    tracing::warn!(%error, "Postgres");
    CallError::Unavailable("Golden's database does not answer; the same request may be sent again".to_owned())
}

fn bound(models: &BTreeMap<String, ModelBinding>, key: &str) -> Result<ModelBinding, CallError> {
    models.get(key).cloned().ok_or_else(|| CallError::NoModel { role: key.to_owned() })
}

fn stated(headers: &HeaderMap) -> Result<Stated, CallError> {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty());
        value
            .filter(|v| v.len() <= MAX_HEADER)
            .ok_or_else(|| CallError::Malformed(format!("header {name} is missing or too long")))
    };
    let wrong = |name: &str| CallError::Malformed(format!("header {name} cannot be read"));
    Ok(Stated {
        team: text("x-golden-team")?.parse().map_err(|_| wrong("x-golden-team"))?,
        task: text("x-golden-task")?.parse().map_err(|_| wrong("x-golden-task"))?,
        attempt: text("x-golden-attempt")?.parse().map_err(|_| wrong("x-golden-attempt"))?,
        role: text("x-golden-role")?.to_owned(),
        operation: text("x-golden-operation")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_names_everything_or_nothing_is_done() {
        let mut headers = HeaderMap::new();
        let uid = Uuid::nil().to_string();
        for (name, value) in [
            ("x-golden-team", uid.as_str()),
            ("x-golden-task", &uid),
            ("x-golden-attempt", "2"),
            ("x-golden-role", "voter:security"),
            ("x-golden-operation", "review/1"),
        ] {
            assert!(stated(&headers).is_err(), "{name} is missing");
            headers.insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        assert_eq!(stated(&headers).unwrap().attempt, 2);
        headers.insert("x-golden-role", "x".repeat(200).parse().unwrap());
        assert!(stated(&headers).is_err());
    }
}
