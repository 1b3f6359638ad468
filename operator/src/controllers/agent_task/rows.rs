//! What Postgres says of a task: whether it was admitted, the orchestrator's view, desired pods, told facts, usage.

use crate::context::Context;
use crate::error::Error;
use golden_crds::agent_task::UsageStatus;
use golden_ledger::MicroUsd;
use golden_ledger::forecast::Forecast;
use golden_platform::wire::{DesiredPod, TaskView};
use serde_json::Value;
use sqlx::Row;
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// The rows of one task.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) admitted: Option<Admitted>,
    /// The orchestrator's projection; none until it has taken the task in.
    pub(crate) view: Option<TaskView>,
    pub(crate) ended: bool,
    pub(crate) desired: Vec<Desired>,
    /// Facts about pods that are written: (pod, key).
    pub(crate) told: HashSet<(Uuid, String)>,
    /// Pods whose result came a moment ago: they end by themselves.
    pub(crate) ending: HashSet<Uuid>,
    pub(crate) usage: UsageStatus,
    /// What it was expected to cost at its admission.
    pub(crate) forecast: Option<Forecast>,
    /// The forecast was compared with the cost.
    pub(crate) measured: bool,
    pub(crate) cancelled: bool,
}

/// The fact of the admission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) team_uid: Uuid,
    pub(crate) team_name: String,
    /// The newest generation told to the orchestrator.
    pub(crate) generation: i64,
    /// The team's row was closed.
    pub(crate) team_closed: bool,
}

/// A pod the orchestrator wants or wanted.
#[derive(Clone, Debug)]
pub(crate) struct Desired {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) attempt: u32,
    pub(crate) r#try: u32,
    pub(crate) wanted: bool,
    pub(crate) pod_uid: Option<Uuid>,
    pub(crate) spec: DesiredPod,
}

/// Reads the rows of one task.
pub(crate) async fn read(uid: Uuid, ctx: &Context) -> Result<Rows, Error> {
    let failed = |e: sqlx::Error| Error::database("read the task's rows", &e);
    let mut conn = ctx.pool.acquire().await.map_err(failed)?;
    let mut rows = Rows::default();
    let Some(head) = sqlx::query(
        "SELECT f.team_uid, f.body->>'teamName' AS team_name, t.view, t.ended_at IS NOT NULL AS ended,
                coalesce(t.outcome = 'Cancelled', false) AS cancelled,
                c.p50_cost, c.p90_cost, coalesce(c.basis, 0) AS basis, c.measured_at IS NOT NULL AS measured,
                coalesce(e.deleted_at IS NOT NULL, false) AS team_closed,
                greatest((f.body->>'generation')::bigint,
                         (SELECT max(split_part(s.fact_key, '/', 2)::bigint) FROM facts s
                          WHERE s.object_uid = $1 AND s.kind = 'SpecChanged')) AS generation
         FROM facts f
         LEFT JOIN tasks t ON t.task_uid = f.object_uid
         LEFT JOIN teams e ON e.team_uid = f.team_uid
         LEFT JOIN forecasts c ON c.task_uid = f.object_uid
         WHERE f.object_uid = $1 AND f.fact_key = 'admitted'",
    )
    .bind(uid)
    .fetch_optional(&mut *conn)
    .await
    .map_err(failed)?
    else {
        return Ok(rows);
    };
    rows.admitted = Some(Admitted {
        team_uid: head.try_get("team_uid").map_err(failed)?,
        team_name: head.try_get("team_name").map_err(failed)?,
        generation: head.try_get("generation").map_err(failed)?,
        team_closed: head.try_get("team_closed").map_err(failed)?,
    });
    rows.forecast = forecast(&head).map_err(failed)?;
    rows.measured = head.try_get("measured").map_err(failed)?;
    rows.cancelled = head.try_get("cancelled").map_err(failed)?;
    rows.ended = head.try_get("ended").map_err(failed)?;
    rows.view = head
        .try_get::<Option<Value>, _>("view")
        .map_err(failed)?
        .map(|v| parse("view", uid, v))
        .transpose()?;
    rows.desired = desired(uid, &mut conn).await?;
    rows.told = told(uid, &mut conn).await?;
    rows.ending = ending(uid, &mut conn).await?;
    rows.usage = usage(uid, &mut conn).await?;
    Ok(rows)
}

/// Those of these tasks that were admitted.
pub(crate) async fn admitted(uids: &[Uuid], ctx: &Context) -> Result<BTreeSet<Uuid>, Error> {
    if uids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let found: Vec<Uuid> = sqlx::query_scalar(
        "SELECT object_uid FROM facts WHERE object_uid = ANY($1) AND fact_key = 'admitted'",
    )
    .bind(uids)
    .fetch_all(&ctx.pool)
    .await
    .map_err(|e| Error::database("look for the task's dependencies", &e))?;
    Ok(found.into_iter().collect())
}

fn forecast(head: &sqlx::postgres::PgRow) -> Result<Option<Forecast>, sqlx::Error> {
    let (p50, p90): (Option<i64>, Option<i64>) = (head.try_get("p50_cost")?, head.try_get("p90_cost")?);
    let basis: i32 = head.try_get("basis")?;
    let basis = u32::try_from(basis).unwrap_or(0);
    Ok(p50.zip(p90).map(|(p50, p90)| Forecast { p50: MicroUsd(p50), p90: MicroUsd(p90), basis }))
}

async fn desired(uid: Uuid, conn: &mut sqlx::PgConnection) -> Result<Vec<Desired>, Error> {
    let failed = |e: sqlx::Error| Error::database("read the task's desired pods", &e);
    let rows = sqlx::query(
        "SELECT namespace, name, attempt, try, wanted, object_uid, spec FROM desired WHERE task_uid = $1
         ORDER BY created_at, name",
    )
    .bind(uid)
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    let number = |row: &sqlx::postgres::PgRow, column| -> Result<u32, Error> {
        let value: i32 = row.try_get(column).map_err(failed)?;
        Ok(u32::try_from(value).unwrap_or(0))
    };
    rows.into_iter()
        .map(|row| {
            Ok(Desired {
                namespace: row.try_get("namespace").map_err(failed)?,
                name: row.try_get("name").map_err(failed)?,
                attempt: number(&row, "attempt")?,
                r#try: number(&row, "try")?,
                wanted: row.try_get("wanted").map_err(failed)?,
                pod_uid: row.try_get("object_uid").map_err(failed)?,
                spec: parse("desired pod", uid, row.try_get("spec").map_err(failed)?)?,
            })
        })
        .collect()
}

async fn told(uid: Uuid, conn: &mut sqlx::PgConnection) -> Result<HashSet<(Uuid, String)>, Error> {
    let rows: Vec<(Uuid, String)> =
        sqlx::query_as("SELECT object_uid, fact_key FROM facts WHERE task_uid = $1 AND kind = 'Pod'")
            .bind(uid)
            .fetch_all(conn)
            .await
            .map_err(|e| Error::database("read the task's facts", &e))?;
    Ok(rows.into_iter().collect())
}

/// Pods that have handed over their result within the last minute.
async fn ending(uid: Uuid, conn: &mut sqlx::PgConnection) -> Result<HashSet<Uuid>, Error> {
    let rows: Vec<Uuid> = sqlx::query_scalar(
        "SELECT object_uid FROM facts WHERE task_uid = $1 AND kind IN ('AttemptResult', 'JobResult')
           AND at > now() - interval '1 minute'",
    )
    .bind(uid)
    .fetch_all(conn)
    .await
    .map_err(|e| Error::database("read the task's results", &e))?;
    Ok(rows.into_iter().collect())
}

/// What the ledger settled. A call whose end nobody saw counts at its upper bound until it is known.
async fn usage(uid: Uuid, conn: &mut sqlx::PgConnection) -> Result<UsageStatus, Error> {
    let (input_tokens, output_tokens, cost_micro_usd): (i64, i64, i64) = sqlx::query_as(
        "SELECT coalesce(sum(input_tokens), 0)::bigint, coalesce(sum(output_tokens), 0)::bigint,
                coalesce(sum(coalesce(actual_cost, cost)), 0)::bigint
         FROM reservations WHERE task_uid = $1 AND state IN ('Settled', 'Unknown')",
    )
    .bind(uid)
    .fetch_one(conn)
    .await
    .map_err(|e| Error::database("read the task's usage", &e))?;
    Ok(UsageStatus {
        input_tokens,
        output_tokens,
        cost_micro_usd,
        cost: crate::money::dollars(cost_micro_usd),
    })
}

fn parse<T: serde::de::DeserializeOwned>(what: &str, uid: Uuid, value: Value) -> Result<T, Error> {
    serde_json::from_value(value)
        .map_err(|e| Error::Bug(format!("the {what} of task {uid} cannot be read: {e}")))
}
