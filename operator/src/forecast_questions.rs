//! Questions whether a task shall start although it will probably cost more than there is, in Postgres.
//!
//! They are escalations of attempt 0: the task has no orchestrator yet. Contract: at most one about a task is open; the
//! operator alone asks, closes and resolves them; a row changes once, from `Open` to its end, so that an answer and a
//! withdrawal at the same moment cannot both count.

use golden_crds::conditions::agent_task::FORECAST_EXCEEDS_BUDGET;
pub(crate) use golden_crds::decision::{REFUSE, START};
use golden_platform::closing;
use golden_platform::subjects::NOTIFY_TASKS;
use golden_platform::wire::PersonDecision;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// It begins once there is enough.
pub(crate) const WAIT: &str = "Wait";

/// How far a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Open,
    /// A person chose.
    Resolved,
    /// Nobody did in time.
    Defaulted,
    /// It fits now, or the question makes no sense any more.
    Withdrawn,
}

impl From<String> for Standing {
    fn from(state: String) -> Self {
        match state.as_str() {
            "Open" => Self::Open,
            "Resolved" => Self::Resolved,
            "Defaulted" => Self::Defaulted,
            // The table knows no other.
            _ => Self::Withdrawn,
        }
    }
}

/// What a person is told, in amounts of micro-USD, as it was when they were asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Evidence {
    pub(crate) message: String,
    #[serde(rename = "p50CostMicroUSD")]
    pub(crate) p50: i64,
    #[serde(rename = "p90CostMicroUSD")]
    pub(crate) p90: i64,
    /// How many runs they rest on; 0: both are an upper bound.
    pub(crate) basis: u32,
    /// The figure that the policy compares.
    #[serde(rename = "wantedMicroUSD")]
    pub(crate) wanted: i64,
    /// An answer counts for a forecast up to this.
    #[serde(rename = "coversMicroUSD")]
    pub(crate) covers: i64,
    /// Who cannot pay that, the one with least first.
    pub(crate) lacks: Vec<Short>,
}

/// An account that has less than the forecast, in micro-USD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Short {
    /// `Budget namespace/name`, or the task's own limit.
    pub(crate) account: String,
    #[serde(rename = "availableMicroUSD")]
    pub(crate) available: i64,
    #[serde(rename = "missingMicroUSD")]
    pub(crate) missing: i64,
}

/// A question. Times in microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Question {
    pub(crate) task_uid: Uuid,
    pub(crate) task_name: String,
    pub(crate) team_uid: Uuid,
    /// The team's name: who is to see to an answer, as with every escalation.
    pub(crate) owner: String,
    /// An answer names it.
    pub(crate) digest: String,
    #[sqlx(json)]
    pub(crate) evidence: Evidence,
    #[sqlx(json)]
    pub(crate) options: Vec<String>,
    pub(crate) deadline_us: i64,
    pub(crate) default_option: String,
    #[sqlx(rename = "state", try_from = "String")]
    pub(crate) standing: Standing,
    /// The option that counts, once it is closed and not withdrawn.
    pub(crate) chosen: Option<String>,
    /// The Decision that resolved it.
    #[sqlx(json(nullable))]
    pub(crate) answer: Option<PersonDecision>,
}

/// The question about a task that was asked last.
pub(crate) async fn latest(pool: &PgPool, task: Uuid) -> Result<Option<Question>, sqlx::Error> {
    sqlx::query_as(
        "SELECT task_uid, task_name, team_uid, owner, digest, evidence, options,
                (extract(epoch FROM deadline) * 1000000)::bigint AS deadline_us,
                default_option, state, chosen, answer
         FROM escalations WHERE task_uid = $1 AND attempt = 0
         ORDER BY state = 'Open' DESC, created_at DESC LIMIT 1",
    )
    .bind(task)
    .fetch_optional(pool)
    .await
}

/// Asks, in the place of a question that is open. False: another one was asked at this moment, the task was admitted,
/// or its team is being deleted.
pub(crate) async fn put(pool: &PgPool, asked: &Question) -> Result<bool, sqlx::Error> {
    let mut tx = pool.begin().await?;
    // Who closes the team withdraws its questions: afterwards none may come.
    if !closing::is_open(&mut tx, asked.team_uid).await? {
        return Ok(false);
    }
    withdraw(&mut tx, asked.task_uid).await?;
    let done = sqlx::query(
        "INSERT INTO escalations (escalation_id, team_uid, task_uid, task_name, attempt, reason, evidence, options, owner,
                                  digest, deadline, default_option)
         SELECT $1, $2, $3, $4, 0, $5, $6, $7, $8, $9, 'epoch'::timestamptz + $10 * interval '1 microsecond', $11
         WHERE NOT EXISTS (SELECT FROM facts WHERE object_uid = $3 AND fact_key = 'admitted')
         ON CONFLICT DO NOTHING",
    )
    .bind(Uuid::new_v5(&asked.task_uid, asked.digest.as_bytes()))
    .bind(asked.team_uid)
    .bind(asked.task_uid)
    .bind(&asked.task_name)
    .bind(FORECAST_EXCEEDS_BUDGET)
    .bind(Json(&asked.evidence))
    .bind(Json(&asked.options))
    .bind(&asked.owner)
    .bind(&asked.digest)
    .bind(asked.deadline_us)
    .bind(&asked.default_option)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    tx.commit().await?;
    Ok(true)
}

/// Withdraws the open question about a task, if there is one.
pub(crate) async fn withdraw(conn: &mut PgConnection, task: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE escalations SET state = 'Withdrawn', resolved_at = now()
         WHERE task_uid = $1 AND attempt = 0 AND state = 'Open'",
    )
    .bind(task)
    .execute(conn)
    .await
    .map(drop)
}

/// Nobody answered in time: the default counts. False: the question is not open any more.
pub(crate) async fn expire(pool: &PgPool, asked: &Question) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "UPDATE escalations SET state = 'Defaulted', chosen = default_option, resolved_at = now()
         WHERE task_uid = $1 AND digest = $2 AND attempt = 0 AND state = 'Open'",
    )
    .bind(asked.task_uid)
    .bind(&asked.digest)
    .execute(pool)
    .await
    .map(|done| done.rows_affected() == 1)
}

/// Takes a person's answer, and has the task looked at. False: the question is not open any more.
pub(crate) async fn resolve(
    pool: &PgPool,
    asked: &Question,
    option: &str,
    answer: &PersonDecision,
) -> Result<bool, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let done = sqlx::query(
        "UPDATE escalations SET state = 'Resolved', chosen = $3, resolved_by = $4, answer = $5, resolved_at = now()
         WHERE task_uid = $1 AND digest = $2 AND attempt = 0 AND state = 'Open'",
    )
    .bind(asked.task_uid)
    .bind(&asked.digest)
    .bind(option)
    .bind(&answer.decided_by)
    .bind(Json(answer))
    .execute(&mut *tx)
    .await?;
    golden_platform::facts::notify(&mut tx, NOTIFY_TASKS, asked.task_uid).await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Whether this Decision resolved a question: it was accepted before a crash.
pub(crate) async fn resolved_by(pool: &PgPool, decision: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM escalations WHERE answer->>'decisionUid' = $1)")
        .bind(decision.to_string())
        .fetch_one(pool)
        .await
}
