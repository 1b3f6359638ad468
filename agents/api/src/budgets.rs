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

/// What calls of one task, role and model spent of a Budget in its present period.
#[derive(Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spender {
    pub(crate) namespace: String,
    /// Absent for tasks of other namespaces: whose they are is told, not what they do.
    pub(crate) task: Option<String>,
    pub(crate) role: String,
    pub(crate) model: String,
    pub(crate) calls: i64,
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    #[serde(rename = "costMicroUSD")]
    pub(crate) cost: i64,
}

/// Who spent a Budget, the dearest first. A call whose end nobody saw counts at its bound.
pub(crate) async fn spenders(db: &PgPool, namespace: &str, name: &str) -> sqlx::Result<Vec<Spender>> {
    sqlx::query_as(
        "SELECT o.namespace, CASE WHEN o.namespace = $1 THEN o.name END AS task, r.role, r.model, count(*) AS calls,
                coalesce(sum(r.input_tokens), 0)::bigint AS input_tokens,
                coalesce(sum(r.output_tokens), 0)::bigint AS output_tokens,
                coalesce(sum(r.actual_cost), 0)::bigint AS cost
         FROM accounts a
              JOIN task_accounts t ON t.path @> ARRAY[a.account_uid]
              JOIN accounts o ON o.account_uid = t.task_uid
              JOIN reservations r ON r.task_uid = t.task_uid
         WHERE a.namespace = $1 AND a.name = $2 AND a.kind = 'Budget' AND a.deleted_at IS NULL
           AND r.state IN ('Settled', 'Unknown')
           AND (a.period_start IS NULL OR r.ended_at >= a.period_start) AND (a.period_end IS NULL OR a.period_end > now())
         GROUP BY 1, 2, 3, 4 ORDER BY cost DESC, 1, 2, 3, 4 LIMIT $3",
    )
    .bind(namespace)
    .bind(name)
    .bind(MOST_ROWS)
    .fetch_all(db)
    .await
}
