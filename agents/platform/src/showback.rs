//! Who spends a Budget.

use serde::Serialize;
use sqlx::PgExecutor;

/// Lines of one answer. What more there are is one line together.
const MOST_LINES: i64 = 1000;

/// What calls of one task, role and model spent of a Budget in its present period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Spender {
    /// `*` in the line of all that have none of their own, as are role and model.
    pub namespace: String,
    /// Absent for tasks of other namespaces: whose they are is told, not what they do.
    pub task: Option<String>,
    pub role: String,
    pub model: String,
    pub calls: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    /// In micro-USD.
    #[serde(rename = "costMicroUSD")]
    pub cost: i64,
}

/// Who spent the Budget of that name, the dearest first; together they are all that was spent. A call whose end nobody saw
/// counts at its bound.
pub async fn spenders(
    db: impl PgExecutor<'_>,
    namespace: &str,
    name: &str,
) -> Result<Vec<Spender>, sqlx::Error> {
    sqlx::query_as(
        "WITH spent AS (
             SELECT o.namespace, CASE WHEN o.namespace = $1 THEN o.name END AS task, r.role, r.model, count(*) AS calls,
                    sum(r.input_tokens) AS input, sum(r.output_tokens) AS output, coalesce(sum(r.actual_cost), 0) AS cost
             FROM accounts a
                  JOIN task_accounts t ON t.path @> ARRAY[a.account_uid]
                  JOIN accounts o ON o.account_uid = t.task_uid
                  JOIN reservations r ON r.task_uid = t.task_uid
             WHERE a.namespace = $1 AND a.name = $2 AND a.kind = 'Budget' AND a.deleted_at IS NULL
               AND r.state IN ('Settled', 'Unknown')
               AND (a.period_start IS NULL OR r.ended_at >= a.period_start) AND (a.period_end IS NULL OR a.period_end > now())
             GROUP BY 1, 2, 3, 4
         ), placed AS (
             SELECT *, row_number() OVER (ORDER BY cost DESC, namespace, task, role, model) >= $3 AS other FROM spent
         )
         SELECT CASE WHEN other THEN '*' ELSE namespace END AS namespace, CASE WHEN NOT other THEN task END AS task,
                CASE WHEN other THEN '*' ELSE role END AS role, CASE WHEN other THEN '*' ELSE model END AS model,
                sum(calls)::bigint AS calls, coalesce(sum(input), 0)::bigint AS input_tokens,
                coalesce(sum(output), 0)::bigint AS output_tokens, sum(cost)::bigint AS cost
         FROM placed GROUP BY other, 1, 2, 3, 4 ORDER BY other, cost DESC, 1, 2, 3, 4",
    )
    .bind(namespace)
    .bind(name)
    .bind(MOST_LINES)
    .fetch_all(db)
    .await
}
