//! What is read from the database, one query per answer. Everything is bound to a namespace.
#![allow(clippy::struct_field_names, reason = "fields are named as the columns and the answers are")]

use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

/// Most rows of any list in one answer; a task's run is far below it.
const MOST_ROWS: i64 = 10_000;

/// Whose rows are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) namespace: &'a str,
    /// Also those of namespaces that had this name before: for auditors.
    pub(crate) past: bool,
}

/// A task as the database knows it, also after the object is gone.
#[derive(Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Task {
    pub(crate) task_uid: Uuid,
    pub(crate) team_uid: Uuid,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) submitted_by: String,
    pub(crate) spec: Value,
    pub(crate) policy: Value,
    pub(crate) models: Value,
    pub(crate) view: Value,
    pub(crate) stage: String,
    pub(crate) outcome: Option<String>,
    pub(crate) created_at: String,
    pub(crate) ended_at: Option<String>,
    /// What it was expected to cost when it was admitted, as in the status.
    pub(crate) forecast: Option<Value>,
}

/// A query of tasks, whole but for its conditions.
macro_rules! select_tasks {
    ($conditions:literal) => {
        concat!(
            "SELECT task_uid, team_uid, namespace, name, submitted_by, spec, policy, models, view, stage, outcome,
                    to_json(created_at)#>>'{}' AS created_at, to_json(ended_at)#>>'{}' AS ended_at,
                    (SELECT json_build_object('p50CostMicroUSD', f.p50_cost, 'p90CostMicroUSD', f.p90_cost, 'basis', f.basis)
                     FROM forecasts f WHERE f.task_uid = tasks.task_uid AND f.p50_cost IS NOT NULL) AS forecast
             FROM tasks ",
            $conditions
        )
    };
}

/// The newest task of that name, unless an older one is named by uid.
pub(crate) async fn task(
    db: &PgPool,
    scope: Scope<'_>,
    name: &str,
    uid: Option<Uuid>,
) -> sqlx::Result<Option<Task>> {
    sqlx::query_as(select_tasks!(
        "WHERE namespace = $1 AND name = $2 AND ($3::uuid IS NULL OR task_uid = $3)
           AND ($4 OR team_uid IN (SELECT team_uid FROM present_teams WHERE namespace = $1))
         ORDER BY created_at DESC LIMIT 1"
    ))
    .bind(scope.namespace)
    .bind(name)
    .bind(uid)
    .bind(scope.past)
    .fetch_optional(db)
    .await
}

/// The newest tasks of a namespace.
pub(crate) async fn tasks(db: &PgPool, scope: Scope<'_>) -> sqlx::Result<Vec<Task>> {
    sqlx::query_as(select_tasks!(
        "WHERE namespace = $1
           AND ($2 OR team_uid IN (SELECT team_uid FROM present_teams WHERE namespace = $1))
         ORDER BY created_at DESC LIMIT 200"
    ))
    .bind(scope.namespace)
    .bind(scope.past)
    .fetch_all(db)
    .await
}

/// One entry of a task's record.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub(crate) struct Event {
    pub(crate) seq: i64,
    pub(crate) at: String,
    pub(crate) kind: String,
    pub(crate) body: Value,
    pub(crate) prev: String,
    pub(crate) hash: String,
}

impl Event {
    /// The same as the record has it.
    pub(crate) fn into_entry(self) -> golden_record::Entry {
        let Self { seq, at, kind, body, prev, hash } = self;
        golden_record::Entry { seq: seq.unsigned_abs(), at, kind, body, prev, hash }
    }
}

/// The record of a task, in order.
pub(crate) async fn events(db: &PgPool, task: Uuid) -> sqlx::Result<Vec<Event>> {
    sqlx::query_as(
        "SELECT seq, at, kind, body, prev, hash FROM task_events WHERE task_uid = $1 ORDER BY seq LIMIT $2",
    )
    .bind(task)
    .bind(MOST_ROWS)
    .fetch_all(db)
    .await
}

/// The install that wrote a record.
pub(crate) async fn install_id(db: &PgPool) -> sqlx::Result<Uuid> {
    sqlx::query_scalar("SELECT install_id FROM install").fetch_one(db).await
}

/// One round of review with its decision, if any yet.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub(crate) struct Review {
    pub(crate) attempt: i32,
    pub(crate) round: i32,
    pub(crate) digest: String,
    /// What opinions weigh, where that follows track records.
    pub(crate) weights: Option<Value>,
    pub(crate) decision: Option<Value>,
}

/// The rounds of review of a task.
pub(crate) async fn reviews(db: &PgPool, task: Uuid) -> sqlx::Result<Vec<Review>> {
    sqlx::query_as(
        "SELECT attempt, round, digest, request->'weights' AS weights, decision
         FROM reviews WHERE task_uid = $1 ORDER BY attempt, round LIMIT $2",
    )
    .bind(task)
    .bind(MOST_ROWS)
    .fetch_all(db)
    .await
}

/// One accepted ballot.
#[derive(Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ballot {
    pub(crate) attempt: i32,
    pub(crate) round: i32,
    pub(crate) voter: String,
    pub(crate) digest: String,
    pub(crate) model: String,
    pub(crate) ballot: Value,
    pub(crate) prompt_digest: String,
    pub(crate) at: String,
}

/// The accepted ballots of a task.
pub(crate) async fn ballots(db: &PgPool, task: Uuid) -> sqlx::Result<Vec<Ballot>> {
    sqlx::query_as(
        "SELECT attempt, round, voter, digest, model, ballot, prompt_digest, to_json(at)#>>'{}' AS at
         FROM ballots WHERE task_uid = $1 ORDER BY attempt, round, voter LIMIT $2",
    )
    .bind(task)
    .bind(MOST_ROWS)
    .fetch_all(db)
    .await
}

/// Spend of a task by role, attempt, model and state of the calls.
#[derive(Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CostLine {
    pub(crate) role: String,
    pub(crate) attempt: i32,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) state: String,
    pub(crate) calls: i64,
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    #[serde(rename = "costMicroUSD")]
    pub(crate) cost: i64,
    #[serde(rename = "reservedMicroUSD")]
    pub(crate) reserved: i64,
}

/// What a task's calls cost. Open calls count as reserved, not as spent.
pub(crate) async fn cost(db: &PgPool, task: Uuid) -> sqlx::Result<Vec<CostLine>> {
    sqlx::query_as(
        "SELECT role, attempt, provider, model, state, count(*) AS calls,
                coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
                coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
                coalesce(sum(actual_cost), 0)::bigint AS cost,
                coalesce(sum(cost) FILTER (WHERE state IN ('Reserved', 'Dispatched')), 0)::bigint AS reserved
         FROM reservations WHERE task_uid = $1
         GROUP BY role, attempt, provider, model, state ORDER BY attempt, role, model, state",
    )
    .bind(task)
    .fetch_all(db)
    .await
}

/// An open or answered question to a person.
#[derive(Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Escalation {
    pub(crate) escalation_id: Uuid,
    pub(crate) task_uid: Uuid,
    pub(crate) task: Option<String>,
    /// 0 of a question whether the task shall start.
    pub(crate) attempt: i32,
    pub(crate) reason: String,
    pub(crate) evidence: Value,
    pub(crate) options: Value,
    pub(crate) owner: String,
    pub(crate) digest: String,
    pub(crate) deadline: String,
    pub(crate) default_option: String,
    pub(crate) state: String,
    pub(crate) chosen: Option<String>,
    pub(crate) resolved_by: Option<String>,
}

/// The escalations of a namespace, open ones first.
pub(crate) async fn escalations(
    db: &PgPool,
    scope: Scope<'_>,
    task: Option<Uuid>,
) -> sqlx::Result<Vec<Escalation>> {
    sqlx::query_as(
        "SELECT e.escalation_id, e.task_uid, coalesce(t.name, e.task_name) AS task, e.attempt, e.reason, e.evidence,
                e.options, e.owner, e.digest, to_json(e.deadline)#>>'{}' AS deadline, e.default_option, e.state,
                e.chosen, e.resolved_by
         FROM escalations e JOIN teams m ON m.team_uid = e.team_uid LEFT JOIN tasks t ON t.task_uid = e.task_uid
         WHERE m.namespace = $1
           AND ($2::uuid IS NULL OR e.task_uid = $2)
           AND ($3 OR e.team_uid IN (SELECT team_uid FROM present_teams WHERE namespace = $1))
         ORDER BY e.state <> 'Open', e.created_at DESC LIMIT 500",
    )
    .bind(scope.namespace)
    .bind(task)
    .bind(scope.past)
    .fetch_all(db)
    .await
}

/// What could not be processed, of a team of the namespace.
#[derive(Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Letter {
    pub(crate) id: i64,
    pub(crate) team_uid: Uuid,
    pub(crate) team: String,
    pub(crate) stream: String,
    pub(crate) subject: String,
    pub(crate) reason: String,
    /// `Held`, `Replayed` or `Discarded`.
    pub(crate) state: String,
    pub(crate) at: String,
    /// In a list absent, since it may be large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<Value>,
}

/// The dead letters of a namespace's teams, also of deleted ones: those that wait first, or one with its payload.
pub(crate) async fn letters(db: &PgPool, scope: Scope<'_>, id: Option<i64>) -> sqlx::Result<Vec<Letter>> {
    sqlx::query_as(
        "SELECT d.id, d.team_uid, t.name AS team, d.stream, d.subject, d.reason, d.state,
                to_json(d.at)#>>'{}' AS at, CASE WHEN $2::bigint IS NOT NULL THEN d.payload END AS payload
         FROM dead_letters d JOIN teams t USING (team_uid)
         WHERE t.namespace = $1 AND ($2::bigint IS NULL OR d.id = $2)
           AND ($3 OR team_uid IN (SELECT team_uid FROM present_teams WHERE namespace = $1))
         ORDER BY d.state <> 'Held', d.id DESC LIMIT 500",
    )
    .bind(scope.namespace)
    .bind(id)
    .bind(scope.past)
    .fetch_all(db)
    .await
}
