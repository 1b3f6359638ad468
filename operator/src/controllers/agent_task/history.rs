//! What forecasts rest on and leave in Postgres: past runs, what payers have, the forecast itself.
//!
//! Two reads by index, each of a bounded number of rows: half a millisecond over 100,000 tasks.

use super::forecast::{Known, Payer, payer_name};
use super::inputs::Inputs;
use super::validate::Admit;
use crate::context::Context;
use crate::error::Error;
use crate::forecast_questions::{self, Question};
use golden_ledger::MicroUsd;
use golden_ledger::forecast::{MOST_RUNS, Run, Source, Work};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// Reads what the task's forecast rests on.
pub(crate) async fn known(inputs: &Inputs, admit: &Admit, ctx: &Context) -> Result<Known, Error> {
    let work = async {
        let mut conn = ctx.pool.acquire().await?;
        Ok(Known {
            runs: runs(admit.team_uid, &mut conn).await?,
            payers: payers(inputs, admit, &mut conn).await?,
        })
    };
    work.await.map_err(|e: sqlx::Error| Error::database("read what the forecast rests on", &e))
}

/// What a person was last asked about the task.
pub(crate) async fn question(task: Uuid, ctx: &Context) -> Result<Option<Question>, Error> {
    forecast_questions::latest(&ctx.pool, task)
        .await
        .map_err(|e| Error::database("read what is asked about the task", &e))
}

/// The latest completed tasks of the team. A task's own account holds what it cost, for ever.
async fn runs(team: Uuid, conn: &mut PgConnection) -> Result<Vec<Run>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT f.repository, f.source_bytes, f.models, a.spent_cost + a.overage_cost AS cost
         FROM (SELECT task_uid FROM tasks WHERE team_uid = $1 AND outcome = 'Complete'
               ORDER BY ended_at DESC LIMIT $2) t
         JOIN forecasts f ON f.task_uid = t.task_uid
         JOIN accounts a ON a.account_uid = t.task_uid",
    )
    .bind(team)
    .bind(i64::try_from(MOST_RUNS).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let bytes: Option<i64> = row.try_get("source_bytes")?;
            let bytes = u64::try_from(bytes.unwrap_or(0)).unwrap_or(0);
            let repository: Option<String> = row.try_get("repository")?;
            let source = repository.map_or(Source::Inline { bytes }, |repository| Source::Git { repository });
            let work = Work { source, models: row.try_get("models")? };
            Ok(Run { work, cost: MicroUsd(row.try_get("cost")?) })
        })
        .collect()
}

/// The Budgets on the task's path: at most a few chains of eight.
async fn payers(inputs: &Inputs, admit: &Admit, conn: &mut PgConnection) -> Result<Vec<Payer>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT account_uid, limit_cost, granted_cost, spent_cost, reserved_cost, overage_cost,
                (extract(epoch FROM period_end) * 1000000)::bigint AS period_end_us
         FROM accounts WHERE account_uid = ANY($1) AND kind = 'Budget'",
    )
    .bind(&admit.path)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let uid: Uuid = row.try_get("account_uid")?;
            Ok(Payer {
                uid,
                name: payer_name(uid, &inputs.budgets),
                limit: row.try_get("limit_cost")?,
                granted: row.try_get("granted_cost")?,
                spent: row.try_get("spent_cost")?,
                reserved: row.try_get("reserved_cost")?,
                overage: row.try_get("overage_cost")?,
                period_end_us: row.try_get("period_end_us")?,
            })
        })
        .collect()
}

/// Keeps the forecast, and what later ones find the task by. An admission that is repeated changes nothing.
pub(crate) async fn keep(task: Uuid, admit: &Admit, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (repository, bytes) = match &admit.work.source {
        Source::Git { repository } => (Some(repository), None),
        Source::Inline { bytes } => (None, Some(i64::try_from(*bytes).unwrap_or(i64::MAX))),
    };
    sqlx::query(
        "INSERT INTO forecasts (task_uid, team_uid, repository, source_bytes, models, p50_cost, p90_cost, basis)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (task_uid) DO NOTHING",
    )
    .bind(task)
    .bind(admit.team_uid)
    .bind(repository)
    .bind(bytes)
    .bind(&admit.work.models)
    .bind(admit.forecast.map(|f| f.p50.0))
    .bind(admit.forecast.map(|f| f.p90.0))
    .bind(admit.forecast.map_or(0, |f| i32::try_from(f.basis).unwrap_or(i32::MAX)))
    .execute(conn)
    .await
    .map(drop)
}

/// Marks a forecast as compared with the task's cost. True for whoever does it first.
pub(crate) async fn mark_measured(task: Uuid, ctx: &Context) -> Result<bool, Error> {
    sqlx::query("UPDATE forecasts SET measured_at = now() WHERE task_uid = $1 AND measured_at IS NULL")
        .bind(task)
        .execute(&ctx.pool)
        .await
        .map(|done| done.rows_affected() == 1)
        .map_err(|e| Error::database("mark a forecast as measured", &e))
}
