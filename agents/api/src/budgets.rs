//! What budgets stand at, and who spent it.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;

/// Lines of one answer.
const MOST_ROWS: i64 = 1000;

/// A Budget as the ledger has it now. Amounts in micro-USD; a limit that is not set is absent.
#[derive(Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Standing {
    pub(crate) name: String,
    pub(crate) parent: Option<String>,
    pub(crate) period: String,
    pub(crate) time_zone: String,
    /// When the present period ends, in RFC 3339; absent before its first call and where the limits count for ever.
    pub(crate) period_ends_at: Option<String>,
    #[serde(rename = "limitMicroUSD")]
    pub(crate) limit_cost: Option<i64>,
    #[serde(rename = "spentMicroUSD")]
    pub(crate) spent_cost: i64,
    #[serde(rename = "reservedMicroUSD")]
    pub(crate) reserved_cost: i64,
    #[serde(rename = "overageMicroUSD")]
    pub(crate) overage_cost: i64,
    pub(crate) limit_tokens: Option<i64>,
    pub(crate) spent_tokens: i64,
    pub(crate) reserved_tokens: i64,
    pub(crate) overage_tokens: i64,
    pub(crate) on_exhausted: String,
    /// What people granted beside the limits in this period.
    #[serde(rename = "grantedMicroUSD")]
    pub(crate) granted_cost: i64,
    pub(crate) granted_tokens: i64,
    /// Who refused more for this period, in words.
    pub(crate) denied: Option<String>,
    /// What a person is asked now, as in the Budget's status.
    pub(crate) question: Option<Value>,
    /// The answers of this period, the newest first.
    pub(crate) answers: Value,
}

/// The budgets of a namespace. A period that has ended counts as begun anew, as the next call will find it.
pub(crate) async fn standings(db: &PgPool, namespace: &str) -> sqlx::Result<Vec<Standing>> {
    sqlx::query_as(
        "SELECT a.name, p.namespace || '/' || p.name AS parent, a.period, a.time_zone,
                CASE WHEN a.period_end > now() THEN to_json(a.period_end)#>>'{}' END AS period_ends_at,
                a.limit_cost,
                CASE WHEN a.period_end <= now() THEN 0 ELSE a.spent_cost END AS spent_cost,
                a.reserved_cost, a.overage_cost, a.limit_tokens,
                CASE WHEN a.period_end <= now() THEN 0 ELSE a.spent_tokens END AS spent_tokens,
                a.reserved_tokens, a.overage_tokens, a.on_exhausted,
                CASE WHEN a.period_end <= now() THEN 0 ELSE a.granted_cost END AS granted_cost,
                CASE WHEN a.period_end <= now() THEN 0 ELSE a.granted_tokens END AS granted_tokens,
                CASE WHEN a.on_exhausted = 'Ask' AND (a.period_end IS NULL OR a.period_end > now())
                     THEN a.denied END AS denied,
                (SELECT jsonb_build_object('digest', q.digest, 'missingMicroUSD', q.missing_cost,
                            'missingTokens', q.missing_tokens, 'grantMicroUSD', q.grant_cost,
                            'grantTokens', q.grant_tokens, 'tasks', q.tasks, 'since', q.asked_at,
                            'deadline', q.deadline)
                 FROM budget_questions q WHERE q.account_uid = a.account_uid AND q.outcome IS NULL) AS question,
                (SELECT coalesce(jsonb_agg(to_jsonb(given) ORDER BY given.at DESC), '[]'::jsonb) FROM (
                     SELECT q.outcome, q.decided_by AS by, q.closed_at AS at, q.tasks,
                            CASE q.outcome WHEN 'Granted' THEN q.grant_cost ELSE 0 END AS \"costMicroUSD\",
                            CASE q.outcome WHEN 'Granted' THEN q.grant_tokens ELSE 0 END AS tokens
                     FROM budget_questions q
                     WHERE q.account_uid = a.account_uid AND q.outcome IN ('Granted', 'Denied', 'Expired')
                       AND q.period_start IS NOT DISTINCT FROM a.period_start
                       AND (a.period_end IS NULL OR a.period_end > now())
                     ORDER BY q.closed_at DESC LIMIT 100) AS given) AS answers
         FROM accounts a LEFT JOIN accounts p ON p.account_uid = a.parent_uid
         WHERE a.namespace = $1 AND a.kind = 'Budget' AND a.deleted_at IS NULL
         ORDER BY a.name LIMIT $2",
    )
    .bind(namespace)
    .bind(MOST_ROWS)
    .fetch_all(db)
    .await
}
