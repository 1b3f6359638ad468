//! Reviews and ballots in Postgres.

use golden_consensus::{Ballot, DecisionRecord};
use golden_platform::facts;
use golden_platform::wire::{Fact, NewFact};
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

/// Which round of which attempt of which task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) team: Uuid,
    pub(crate) task: Uuid,
    pub(crate) attempt: u32,
    pub(crate) number: u32,
    pub(crate) digest: String,
}

/// Where a review stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Open,
    Decided,
    /// A later round or attempt was asked for, or the task has ended.
    Superseded,
    /// Not there (yet): its request is written before it is sent, so it will be, or the task is gone.
    Absent,
}

/// A ballot to keep, with the words it was read from.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) ballot: Ballot,
    pub(crate) raw: String,
    pub(crate) prompt_digest: String,
}

pub(crate) async fn standing(pool: &PgPool, round: &Round) -> Result<Standing, sqlx::Error> {
    let row: Option<(bool, bool)> = sqlx::query_as(
        "SELECT r.decision IS NOT NULL,
                EXISTS (SELECT FROM reviews later WHERE later.task_uid = r.task_uid
                          AND (later.attempt, later.round) > (r.attempt, r.round))
                OR EXISTS (SELECT FROM tasks t WHERE t.task_uid = r.task_uid AND t.outcome IS NOT NULL)
         FROM reviews r WHERE r.task_uid = $1 AND r.attempt = $2 AND r.round = $3 AND r.digest = $4",
    )
    .bind(round.task)
    .bind(number(round.attempt))
    .bind(number(round.number))
    .bind(&round.digest)
    .fetch_optional(pool)
    .await?;
    Ok(match row {
        None => Standing::Absent,
        Some((true, _)) => Standing::Decided,
        Some((false, true)) => Standing::Superseded,
        Some((false, false)) => Standing::Open,
    })
}

pub(crate) async fn ballots(pool: &PgPool, round: &Round) -> Result<Vec<Ballot>, sqlx::Error> {
    let rows: Vec<Json<Ballot>> = sqlx::query_scalar(
        "SELECT ballot FROM ballots WHERE task_uid = $1 AND attempt = $2 AND round = $3 AND digest = $4
         ORDER BY voter",
    )
    .bind(round.task)
    .bind(number(round.attempt))
    .bind(number(round.number))
    .bind(&round.digest)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Whether a call of the task waits for money since this review was opened, and has not gone on.
pub(crate) async fn waits_for_money(pool: &PgPool, round: &Round) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM facts held
             JOIN reviews r ON r.task_uid = $1 AND r.attempt = $2 AND r.round = $3
             WHERE held.object_uid = $1 AND held.fact_key LIKE 'held/%' AND held.at >= r.opened_at
               AND held.body->>'onExhausted' <> 'Fail'
               AND NOT EXISTS (SELECT FROM facts resumed WHERE resumed.object_uid = $1
                                 AND resumed.fact_key = 'resumed/' || substr(held.fact_key, 6)))",
    )
    .bind(round.task)
    .bind(number(round.attempt))
    .bind(number(round.number))
    .fetch_one(pool)
    .await
}

/// Keeps a ballot. The first of a voter counts; true if this was it.
pub(crate) async fn keep(pool: &PgPool, round: &Round, kept: &Kept) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO ballots (task_uid, attempt, round, voter, digest, team_uid, model, ballot, raw, prompt_digest)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    )
    .bind(round.task)
    .bind(number(round.attempt))
    .bind(number(round.number))
    .bind(&kept.ballot.voter)
    .bind(&round.digest)
    .bind(round.team)
    .bind(&kept.ballot.model)
    .bind(Json(&kept.ballot))
    .bind(kept.raw.replace('\0', "\u{fffd}"))
    .bind(&kept.prompt_digest)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Decides a review and tells the orchestrator, in one transaction, once. True if this call did.
pub(crate) async fn close(
    pool: &PgPool,
    round: &Round,
    decision: &DecisionRecord,
) -> Result<bool, sqlx::Error> {
    let decision = serde_json::to_value(decision).map_err(|e| sqlx::Error::Encode(e.into()))?;
    let mut transaction = pool.begin().await?;
    let done = sqlx::query(
        "UPDATE reviews SET decision = $5, decided_at = now()
         WHERE task_uid = $1 AND attempt = $2 AND round = $3 AND digest = $4 AND decision IS NULL",
    )
    .bind(round.task)
    .bind(number(round.attempt))
    .bind(number(round.number))
    .bind(&round.digest)
    .bind(&decision)
    .execute(&mut *transaction)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let fact = NewFact {
        team_uid: round.team,
        task_uid: round.task,
        object_uid: round.task,
        fact_key: format!("review/{}/{}", round.attempt, round.number),
        fact: Fact::Review {
            attempt: round.attempt,
            round: round.number,
            digest: round.digest.clone(),
            decision,
        },
    };
    facts::insert(&mut transaction, &fact).await?;
    transaction.commit().await?;
    Ok(true)
}

fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
