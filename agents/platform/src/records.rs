//! The rows of a task's record: whoever moves or ends a task appends to them, in the same transaction.

use golden_record::Entry;
use sqlx::PgConnection;
use uuid::Uuid;

/// Appends one entry. A second one of the same number is refused by the table.
pub async fn append(
    conn: &mut PgConnection,
    team: Uuid,
    task: Uuid,
    entry: &Entry,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO task_events (task_uid, seq, team_uid, at, kind, body, prev, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(task)
    .bind(i64::try_from(entry.seq).unwrap_or(i64::MAX))
    .bind(team)
    .bind(&entry.at)
    .bind(&entry.kind)
    .bind(&entry.body)
    .bind(&entry.prev)
    .bind(&entry.hash)
    .execute(conn)
    .await
    .map(drop)
}
