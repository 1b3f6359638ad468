//! Facts: observations written once each by whoever saw them, read by the orchestrator.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::subjects::NOTIFY_FACTS;
use crate::wire::{Fact, NewFact};

/// Largest body of a fact. An admission carries a whole task and team, which the apiserver bounds at 1.5 MiB each.
pub const MAX_BYTES: usize = 4 << 20;

/// Writes a fact unless (object, key) is known already, and wakes the team's orchestrator. True if it is new.
/// Runs in the caller's transaction if there is one: the notification leaves with its commit.
pub async fn insert(conn: &mut PgConnection, new: &NewFact) -> Result<bool, sqlx::Error> {
    let (kind, body) = encode(&new.fact)?;
    let inserted = sqlx::query(
        "INSERT INTO facts (team_uid, task_uid, object_uid, fact_key, kind, body)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (object_uid, fact_key) DO NOTHING",
    )
    .bind(new.team_uid)
    .bind(new.task_uid)
    .bind(new.object_uid)
    .bind(&new.fact_key)
    .bind(&kind)
    .bind(&body)
    .execute(&mut *conn)
    .await?
    .rows_affected()
        == 1;
    if inserted {
        notify(conn, NOTIFY_FACTS, new.team_uid).await?;
    }
    Ok(inserted)
}

/// Sends a notification with a uid when the transaction commits.
pub async fn notify(conn: &mut PgConnection, channel: &'static str, uid: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, $2)").bind(channel).bind(uid.to_string()).execute(conn).await.map(drop)
}

/// `facts.kind` and `facts.body` of a fact. A fact without content has the body `null`.
pub fn encode(fact: &Fact) -> Result<(String, Value), sqlx::Error> {
    let failed = |e: String| sqlx::Error::Encode(e.into());
    let mut value = serde_json::to_value(fact).map_err(|e| failed(e.to_string()))?;
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let body = value.get_mut("body").map_or(Value::Null, Value::take);
    let bytes = body.to_string().len();
    if bytes > MAX_BYTES {
        return Err(failed(format!("fact {kind} has {bytes} bytes, at most {MAX_BYTES} are kept")));
    }
    Ok((kind, body))
}

/// The fact of a row.
pub fn decode(kind: &str, body: Value) -> Result<Fact, serde_json::Error> {
    let mut tagged = serde_json::Map::new();
    tagged.insert("kind".to_owned(), kind.into());
    if !body.is_null() {
        tagged.insert("body".to_owned(), body);
    }
    serde_json::from_value(tagged.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::JobResult;

    #[test]
    fn facts_read_back_as_written() {
        let facts = [
            Fact::Deleted,
            Fact::BudgetResumed { op_key: "k".into(), moved: true },
            Fact::BudgetHoldLeft { op_key: "k".into() },
            Fact::CallUnstuck { caller: "c".into() },
            Fact::JobResult(JobResult::Failed { reason: "r".into(), message: "m".into(), retryable: true }),
        ];
        for fact in facts {
            let (kind, body) = encode(&fact).unwrap();
            assert_eq!(decode(&kind, body).unwrap(), fact);
        }
    }
}
