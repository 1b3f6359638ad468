//! Questions to people about Budgets that ask (`onExhausted: Ask`), and their answers.
//!
//! Contract: at most one question about an account is open. Whoever writes one holds the account's lock
//! ([`crate::ledger_accounts::lock_balance`]), the ledger's own, so that no money moves between a decision and what it
//! rests on; an answer, what it grants and the notice to held calls are one transaction.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::facts::notify;
use crate::subjects::NOTIFY_ACCOUNTS;

/// Held calls that are looked at. What is asked for is the largest lack among them.
const MOST: i64 = 1000;

/// A call that waits for money of a Budget. Amounts in micro-USD and tokens.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Waiting {
    pub task_uid: Uuid,
    pub submitted_by: String,
    /// What it lacked when it was last told of.
    pub missing_cost: i64,
    pub missing_tokens: i64,
    /// The least that it can be made with, of a call that may be answered shortly; else what it needs in all. Nothing, if who
    /// told of it did not say.
    pub needs_cost: i64,
    pub needs_tokens: i64,
}

/// What is asked about a Budget. Times in microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Question {
    /// `metadata.generation` of the Budget it was made from.
    pub generation: i64,
    /// An answer names it.
    pub digest: String,
    pub period_start_us: Option<i64>,
    pub missing_cost: i64,
    pub missing_tokens: i64,
    /// What one approval adds.
    pub grant_cost: i64,
    pub grant_tokens: i64,
    /// Tasks that wait.
    pub tasks: i64,
    pub asked_at_us: i64,
    pub deadline_us: Option<i64>,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Granted,
    Denied,
    /// Nobody answered in time, and the Budget says Fail.
    Expired,
    /// Its period is over.
    Ended,
    /// Nothing waits any more, or the Budget does not ask any more.
    Withdrawn,
}

impl Outcome {
    const ALL: [Self; 5] = [Self::Granted, Self::Denied, Self::Expired, Self::Ended, Self::Withdrawn];

    /// The name as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "Granted",
            Self::Denied => "Denied",
            Self::Expired => "Expired",
            Self::Ended => "Ended",
            Self::Withdrawn => "Withdrawn",
        }
    }

    /// Reads the stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// A question that was closed.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Closed {
    pub outcome: String,
    pub digest: String,
    pub period_start_us: Option<i64>,
    pub grant_cost: i64,
    pub grant_tokens: i64,
    pub decision_uid: Option<Uuid>,
    pub decided_by: Option<String>,
    pub deadline_us: Option<i64>,
}

/// A person's answer to the open question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of the Decision; one is worth one answer.
    pub decision_uid: Uuid,
    pub decided_by: String,
    pub grants: bool,
    /// Told to callers that are refused from now on.
    pub words: String,
}

/// Calls that wait for money of this account, by the state of their tasks; one that goes on is left out as soon as that
/// was told. `account` is its name as the ledger tells it.
pub async fn waiting(
    conn: &mut PgConnection,
    account_uid: Uuid,
    account: &str,
) -> Result<Vec<Waiting>, sqlx::Error> {
    sqlx::query_as(
        "SELECT t.task_uid, t.submitted_by,
                coalesce((h.value->>'missingMicroUsd')::bigint, 0) AS missing_cost,
                coalesce((h.value->>'missingTokens')::bigint, 0) AS missing_tokens,
                coalesce(l.cost, (h.value->>'needsMicroUsd')::bigint, 0) AS needs_cost,
                coalesce(l.tokens, (h.value->>'needsTokens')::bigint, 0) AS needs_tokens
         FROM task_accounts p
              JOIN tasks t ON t.task_uid = p.task_uid AND t.ended_at IS NULL
              CROSS JOIN LATERAL jsonb_each(t.state->'held') AS h
              LEFT JOIN LATERAL (
                  SELECT (h.value->>'leastMicroUsd')::bigint AS cost, (h.value->>'leastTokens')::bigint AS tokens
              ) AS l ON coalesce(l.cost, 0) > 0 OR coalesce(l.tokens, 0) > 0
         WHERE p.path @> ARRAY[$1] AND h.value->>'account' = $2
           AND NOT EXISTS (SELECT FROM facts f WHERE f.object_uid = t.task_uid AND f.fact_key = 'resumed/' || h.key)
         ORDER BY t.task_uid, h.key LIMIT $3",
    )
    .bind(account_uid)
    .bind(account)
    .bind(MOST)
    .fetch_all(conn)
    .await
}

/// The open question about an account.
pub async fn open(conn: &mut PgConnection, account_uid: Uuid) -> Result<Option<Question>, sqlx::Error> {
    sqlx::query_as(
        "SELECT generation, digest, (extract(epoch FROM period_start) * 1000000)::bigint AS period_start_us,
                missing_cost, missing_tokens, grant_cost, grant_tokens, tasks,
                (extract(epoch FROM asked_at) * 1000000)::bigint AS asked_at_us,
                (extract(epoch FROM deadline) * 1000000)::bigint AS deadline_us
         FROM budget_questions WHERE account_uid = $1 AND outcome IS NULL",
    )
    .bind(account_uid)
    .fetch_optional(conn)
    .await
}

macro_rules! closed {
    ($clause:literal) => {
        concat!(
            "SELECT outcome, digest, (extract(epoch FROM period_start) * 1000000)::bigint AS period_start_us,
                    grant_cost, grant_tokens, decision_uid, decided_by,
                    (extract(epoch FROM deadline) * 1000000)::bigint AS deadline_us
             FROM budget_questions WHERE outcome IS NOT NULL AND ",
            $clause
        )
    };
}

/// The question about an account that was last answered, or that nobody answered in time.
pub async fn last(conn: &mut PgConnection, account_uid: Uuid) -> Result<Option<Closed>, sqlx::Error> {
    sqlx::query_as(closed!(
        "account_uid = $1 AND outcome IN ('Granted', 'Denied', 'Expired') ORDER BY closed_at DESC, id DESC LIMIT 1"
    ))
    .bind(account_uid)
    .fetch_optional(conn)
    .await
}

/// The closed question about an account that had this digest.
pub async fn closed(
    conn: &mut PgConnection,
    account_uid: Uuid,
    digest: &str,
) -> Result<Option<Closed>, sqlx::Error> {
    sqlx::query_as(closed!("account_uid = $1 AND digest = $2"))
        .bind(account_uid)
        .bind(digest)
        .fetch_optional(conn)
        .await
}

/// How often more was granted in the period that begins then.
pub async fn grants(
    conn: &mut PgConnection,
    account_uid: Uuid,
    period_start_us: Option<i64>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) FROM budget_questions WHERE account_uid = $1 AND outcome = 'Granted'
         AND period_start IS NOT DISTINCT FROM 'epoch'::timestamptz + $2 * interval '1 microsecond'",
    )
    .bind(account_uid)
    .bind(period_start_us)
    .fetch_one(conn)
    .await
}

/// Opens a question, or changes the one that is open.
pub async fn put(conn: &mut PgConnection, account_uid: Uuid, asked: &Question) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO budget_questions (account_uid, generation, digest, period_start, missing_cost, missing_tokens,
                                       grant_cost, grant_tokens, tasks, asked_at, deadline)
         VALUES ($1, $2, $3, 'epoch'::timestamptz + $4 * interval '1 microsecond', $5, $6, $7, $8, $9,
                 'epoch'::timestamptz + $10 * interval '1 microsecond',
                 'epoch'::timestamptz + $11 * interval '1 microsecond')
         ON CONFLICT (account_uid) WHERE outcome IS NULL DO UPDATE SET
             generation = excluded.generation, digest = excluded.digest, missing_cost = excluded.missing_cost,
             missing_tokens = excluded.missing_tokens, grant_cost = excluded.grant_cost,
             grant_tokens = excluded.grant_tokens, tasks = excluded.tasks, deadline = excluded.deadline",
    )
    .bind(account_uid)
    .bind(asked.generation)
    .bind(&asked.digest)
    .bind(asked.period_start_us)
    .bind(asked.missing_cost)
    .bind(asked.missing_tokens)
    .bind(asked.grant_cost)
    .bind(asked.grant_tokens)
    .bind(asked.tasks)
    .bind(asked.asked_at_us)
    .bind(asked.deadline_us)
    .execute(conn)
    .await
    .map(drop)
}

/// Closes the open question without an answer: it ended, or was withdrawn.
pub async fn close(conn: &mut PgConnection, account_uid: Uuid, outcome: Outcome) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE budget_questions SET outcome = $2, closed_at = now() WHERE account_uid = $1 AND outcome IS NULL",
    )
    .bind(account_uid)
    .bind(outcome.as_str())
    .execute(conn)
    .await
    .map(drop)
}

/// Nobody answered in time: calls that cannot be paid fail from now on, with these words.
pub async fn expire(conn: &mut PgConnection, account_uid: Uuid, words: &str) -> Result<(), sqlx::Error> {
    close(conn, account_uid, Outcome::Expired).await?;
    deny(conn, account_uid, words).await
}

/// Takes an answer to the open question: what it grants, or that it grants nothing, and the notice to held calls.
/// False if no question is open. Whoever answers has seen what was charged beyond the bounds of calls, as with an
/// edit of the limit ([`crate::ledger_accounts`]).
pub async fn answer(
    conn: &mut PgConnection,
    account_uid: Uuid,
    answer: &Answer,
) -> Result<bool, sqlx::Error> {
    let outcome = if answer.grants { Outcome::Granted } else { Outcome::Denied };
    let closed: Option<(i64, i64)> = sqlx::query_as(
        "UPDATE budget_questions SET outcome = $2, closed_at = now(), decision_uid = $3, decided_by = $4
         WHERE account_uid = $1 AND outcome IS NULL RETURNING grant_cost, grant_tokens",
    )
    .bind(account_uid)
    .bind(outcome.as_str())
    .bind(answer.decision_uid)
    .bind(&answer.decided_by)
    .fetch_optional(&mut *conn)
    .await?;
    let Some((cost, tokens)) = closed else { return Ok(false) };
    if !answer.grants {
        return deny(conn, account_uid, &answer.words).await.map(|()| true);
    }
    sqlx::query(
        "UPDATE accounts SET
             granted_cost = granted_cost + $2, granted_tokens = granted_tokens + $3,
             spent_cost = spent_cost + overage_cost, spent_tokens = spent_tokens + overage_tokens,
             overage_cost = 0, overage_tokens = 0,
             committed_cost_at_edit = spent_cost + overage_cost + reserved_cost,
             committed_tokens_at_edit = spent_tokens + overage_tokens + reserved_tokens,
             version = version + 1
         WHERE account_uid = $1",
    )
    .bind(account_uid)
    .bind(cost)
    .bind(tokens)
    .execute(&mut *conn)
    .await?;
    notify(conn, NOTIFY_ACCOUNTS, account_uid).await?;
    Ok(true)
}

async fn deny(conn: &mut PgConnection, account_uid: Uuid, words: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE accounts SET denied = left($2, 1024), version = version + 1 WHERE account_uid = $1")
        .bind(account_uid)
        .bind(words)
        .execute(&mut *conn)
        .await?;
    notify(conn, NOTIFY_ACCOUNTS, account_uid).await
}
