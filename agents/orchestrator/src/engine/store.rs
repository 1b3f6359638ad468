//! What the engine reads.

use super::error::{Error, read};
use crate::machine::{State, Task, Usage};
use golden_platform::facts;
use golden_platform::wire::{Admission, Fact};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Facts taken in by one transaction at most.
const BATCH: i64 = 32;
/// Tasks looked at in one round at most.
const ROUND: i64 = 256;

/// An observation that is not taken in yet.
#[derive(Clone, Debug)]
pub(super) struct FactRow {
    pub(super) id: i64,
    pub(super) object_uid: Uuid,
    /// Absent when this version cannot read it.
    pub(super) fact: Option<Fact>,
}

/// A task as it stood when it was read.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) task: Task,
    pub(crate) state: State,
    pub(super) version: i64,
}

/// Namespace, name, submitter, spec, policy, models, state and version.
type TaskRow = (String, String, String, Value, Value, Value, Value, i64);

/// The facts of a task that wait, in order.
pub(super) async fn facts(pool: &PgPool, team: Uuid, task: Uuid) -> Result<Vec<FactRow>, Error> {
    let rows: Vec<(i64, Uuid, String, Value)> = sqlx::query_as(
        "SELECT id, object_uid, kind, body FROM facts
         WHERE team_uid = $1 AND task_uid = $2 AND consumed_at IS NULL ORDER BY id LIMIT $3",
    )
    .bind(team)
    .bind(task)
    .bind(BATCH)
    .fetch_all(pool)
    .await?;
    let decode = |(id, object_uid, kind, body): (i64, Uuid, String, Value)| {
        let fact = facts::decode(&kind, body)
            .inspect_err(
                |e| tracing::error!(fact = id, kind, error = %e, "a fact cannot be read; it is passed over"),
            )
            .ok();
        FactRow { id, object_uid, fact }
    };
    Ok(rows.into_iter().map(decode).collect())
}

/// A task without the content of its inline files.
pub(crate) async fn load(conn: &mut PgConnection, team: Uuid, uid: Uuid) -> Result<Option<Loaded>, Error> {
    let row: Option<TaskRow> = sqlx::query_as(
        "SELECT namespace, name, submitted_by,
                CASE WHEN spec #> '{source,inline}' IS NULL THEN spec
                     ELSE jsonb_set(spec, '{source,inline,files}', '[]') END,
                policy, models, state, version
         FROM tasks WHERE task_uid = $1 AND team_uid = $2",
    )
    .bind(uid)
    .bind(team)
    .fetch_optional(conn)
    .await?;
    let Some((namespace, name, submitted_by, spec, policy, models, state, version)) = row else {
        return Ok(None);
    };
    let task = Task {
        uid,
        team_uid: team,
        namespace,
        name,
        submitted_by,
        spec: read("tasks.spec", spec)?,
        policy: read("tasks.policy", policy)?,
        models: read("tasks.models", models)?,
    };
    Ok(Some(Loaded { task, state: read("tasks.state", state)?, version }))
}

/// The immutable part of a task that is admitted just now.
pub(super) fn task_of(uid: Uuid, team_uid: Uuid, admission: &Admission) -> Result<Task, Error> {
    Ok(Task {
        uid,
        team_uid,
        namespace: admission.namespace.clone(),
        name: admission.name.clone(),
        submitted_by: admission.submitted_by.clone(),
        spec: admission.spec.clone(),
        policy: read("the admission's policy", admission.policy.clone())?,
        models: admission.models.clone(),
    })
}

/// The inline files of a task: path and content.
pub(super) async fn inline_files(pool: &PgPool, uid: Uuid) -> Result<Vec<(String, String)>, Error> {
    let files: Option<Value> =
        sqlx::query_scalar("SELECT spec #> '{source,inline,files}' FROM tasks WHERE task_uid = $1")
            .bind(uid)
            .fetch_optional(pool)
            .await?
            .flatten();
    let files: Vec<golden_crds::common::InlineFile> =
        read("tasks.spec", files.unwrap_or_else(|| Value::Array(vec![])))?;
    Ok(files.into_iter().map(|f| (f.path, f.content)).collect())
}

/// Open tasks with facts that wait, or whose time has come.
pub(super) async fn due(pool: &PgPool, team: Uuid, now: Timestamp) -> Result<Vec<Uuid>, Error> {
    Ok(sqlx::query_scalar(
        "SELECT task_uid FROM facts WHERE team_uid = $1 AND consumed_at IS NULL
         UNION SELECT task_uid FROM tasks WHERE team_uid = $1 AND ended_at IS NULL AND wake_at <= $2::timestamptz
         LIMIT $3",
    )
    .bind(team)
    .bind(now.to_string())
    .bind(ROUND)
    .fetch_all(pool)
    .await?)
}

/// The next moment at which time alone moves a task, and how many tasks are open.
pub(super) async fn outlook(pool: &PgPool, team: Uuid) -> Result<(Option<Timestamp>, i64), Error> {
    let (next, open): (Option<String>, i64) = sqlx::query_as(
        "SELECT to_json(min(wake_at)) #>> '{}', count(*) FROM tasks WHERE team_uid = $1 AND ended_at IS NULL",
    )
    .bind(team)
    .fetch_one(pool)
    .await?;
    Ok((next.and_then(|at| at.parse().ok()), open))
}

/// What the ledger settled for a task. A call whose end nobody saw counts with what it may have cost.
pub(super) async fn usage(pool: &PgPool, task: Uuid) -> Result<Usage, Error> {
    let (calls, input_tokens, output_tokens, cost_micro_usd): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), coalesce(sum(input_tokens), 0)::bigint, coalesce(sum(output_tokens), 0)::bigint,
                coalesce(sum(coalesce(actual_cost, cost)), 0)::bigint
         FROM reservations WHERE task_uid = $1 AND state IN ('Settled', 'Unknown')",
    )
    .bind(task)
    .fetch_one(pool)
    .await?;
    Ok(Usage { calls, input_tokens, output_tokens, cost_micro_usd })
}

/// The accepted ballots of one round, for the record.
pub(super) async fn ballots(
    pool: &PgPool,
    task: Uuid,
    attempt: u32,
    round: u32,
) -> Result<Vec<Value>, Error> {
    Ok(sqlx::query_scalar(
        "SELECT jsonb_build_object('voter', voter, 'model', model, 'digest', digest, 'promptDigest', prompt_digest,
                'ballot', ballot)
         FROM ballots WHERE task_uid = $1 AND attempt = $2 AND round = $3 ORDER BY voter, digest LIMIT 64",
    )
    .bind(task)
    .bind(i64::from(attempt))
    .bind(i64::from(round))
    .fetch_all(pool)
    .await?)
}

/// The name of a pod by its uid, as the operator noted it.
pub(super) async fn pod_name(pool: &PgPool, pod: Uuid) -> Result<Option<String>, Error> {
    Ok(sqlx::query_scalar("SELECT name FROM desired WHERE object_uid = $1")
        .bind(pod)
        .fetch_optional(pool)
        .await?)
}

/// Whether messages of a task wait to be sent.
pub(super) async fn has_unsent(pool: &PgPool, team: Uuid, task: Uuid) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM outbox WHERE team_uid = $1 AND task_uid = $2 AND published_at IS NULL)",
    )
    .bind(team)
    .bind(task)
    .fetch_one(pool)
    .await?)
}
