//! How replicas of the gateway fare with a ModelProvider: written by them, read by the operator and the api.

use crate::subjects::NOTIFY_PROVIDERS;
use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

/// Longest message, in characters.
const MAX_MESSAGE: usize = 1024;

/// How one replica fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// `CLOSED`, `OPEN` or `HALF_OPEN`.
    pub state: &'static str,
    pub failures: u32,
    /// A reason of the condition `Reachable`; none where it answers.
    pub trouble: Option<&'static str>,
    pub message: String,
    /// A reason of the condition `LimitsShared`; none where it was given no Redis.
    pub limits: Option<&'static str>,
}

/// The same as it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub provider: String,
    pub replica: String,
    pub state: String,
    pub failures: i64,
    pub trouble: Option<String>,
    pub message: String,
    pub limits: Option<String>,
    pub since: String,
    /// Whether the replica has said so lately; others have ended, or were not asked for a while.
    pub fresh: bool,
}

/// Writes how a replica fares and tells of it; old rows go. Again changes nothing but when it was seen.
pub async fn write(
    pool: &PgPool,
    (namespace, name, uid): (&str, &str, Uuid),
    replica: &str,
    standing: &Standing,
) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    let message: String = standing.message.chars().take(MAX_MESSAGE).collect();
    sqlx::query(
        "INSERT INTO provider_health AS h
             (provider_uid, replica, namespace, name, state, failures, trouble, message, limits)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (provider_uid, replica) DO UPDATE SET
             state = excluded.state, failures = excluded.failures, trouble = excluded.trouble,
             message = excluded.message, limits = excluded.limits, seen = now(),
             since = CASE WHEN h.trouble IS NOT DISTINCT FROM excluded.trouble THEN h.since ELSE now() END",
    )
    .bind(uid)
    .bind(replica)
    .bind(namespace)
    .bind(name)
    .bind(standing.state)
    .bind(i64::from(standing.failures))
    .bind(standing.trouble)
    .bind(message)
    .bind(standing.limits)
    .execute(&mut *tx)
    .await?;
    sqlx::query("DELETE FROM provider_health WHERE seen < now() - interval '1 day'")
        .execute(&mut *tx)
        .await?;
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(NOTIFY_PROVIDERS)
        .bind(uid.to_string())
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

const COLUMNS: &str = "SELECT name AS provider, replica, state, failures, trouble, message, limits,
    to_json(since)#>>'{}' AS since, seen > now() - interval '2 minutes' AS fresh FROM provider_health";

/// How all replicas fare with one provider.
pub async fn of_provider(pool: &PgPool, uid: Uuid) -> sqlx::Result<Vec<Row>> {
    let query = format!("{COLUMNS} WHERE provider_uid = $1 ORDER BY replica LIMIT 100");
    sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(uid).fetch_all(pool).await
}

/// How all replicas fare with the providers of a namespace.
pub async fn of_namespace(pool: &PgPool, namespace: &str) -> sqlx::Result<Vec<Row>> {
    let query = format!("{COLUMNS} WHERE namespace = $1 ORDER BY name, replica LIMIT 10000");
    sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(namespace).fetch_all(pool).await
}
