//! Dead letters as a person handles them: list, show, replay, discard.
//!
//! Here, since two services serve them: the supervisor of a team, and the api, also when the team and its supervisor
//! are gone.

use crate::{dead_letters, nats};
use async_nats::jetstream::Context;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

/// Letters of one listing.
const MAX_LISTED: i64 = 200;

/// One dead letter.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    pub id: i64,
    pub stream: String,
    pub stream_seq: i64,
    pub subject: String,
    pub reason: String,
    /// `Held`, `Replayed` or `Discarded`.
    pub state: String,
    /// RFC 3339.
    pub at: String,
    pub payload: Value,
}

#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    #[error("this team has no dead letter {0}; see `golden dlq list`")]
    Unknown(i64),
    #[error("dead letter {id} is {state} already; only a held one can be replayed or discarded")]
    NotHeld { id: i64, state: String },
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Nats(#[from] nats::Error),
}

impl From<LetterError> for crate::http::Error {
    fn from(error: LetterError) -> Self {
        match error {
            LetterError::Unknown(_) => Self::not_found(error.to_string()),
            LetterError::NotHeld { .. } => Self::conflict(error.to_string()),
            LetterError::Database(e) => e.into(),
            LetterError::Nats(nats::Error::TooLarge { .. }) => {
                Self::conflict(format!("{error}; raise the server's max_payload, or discard the letter"))
            }
            LetterError::Nats(_) => Self::unavailable(error.to_string()),
        }
    }
}

/// A team's letters, the newest first.
pub async fn list(pool: &PgPool, team_uid: Uuid) -> Result<Vec<Letter>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, stream, stream_seq, subject, reason, state, payload,
                to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS at
         FROM dead_letters WHERE team_uid = $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(team_uid)
    .bind(MAX_LISTED)
    .fetch_all(pool)
    .await
}

/// Sends a held letter again, to where it came from. It is marked only once its stream has it: a crash in
/// between sends it under the same message id, which the stream knows.
pub async fn replay(pool: &PgPool, js: &Context, team_uid: Uuid, id: i64) -> Result<(), LetterError> {
    let mut transaction = pool.begin().await?;
    let Held { subject, payload, outbox } = held(&mut transaction, team_uid, id).await?;
    let bytes = match (outbox, payload) {
        // The letter has only the beginning of it.
        (Some(row), _) => Bytes::from(whole(&mut transaction, team_uid, row, id).await?.to_string()),
        (None, Value::String(text)) => Bytes::from(text),
        (None, other) => Bytes::from(other.to_string()),
    };
    nats::publish_bytes(js, &subject, &format!("dlq/replay/{id}"), bytes).await?;
    mark(&mut transaction, id, "Replayed").await?;
    transaction.commit().await?;
    Ok(())
}

/// Marks a held letter as not to be processed. It stays readable.
pub async fn discard(pool: &PgPool, team_uid: Uuid, id: i64) -> Result<(), LetterError> {
    let mut transaction = pool.begin().await?;
    held(&mut transaction, team_uid, id).await?;
    mark(&mut transaction, id, "Discarded").await?;
    transaction.commit().await?;
    Ok(())
}

struct Held {
    subject: String,
    payload: Value,
    /// Where the whole message is, if the letter has not got it.
    outbox: Option<i64>,
}

async fn whole(
    connection: &mut sqlx::PgConnection,
    team_uid: Uuid,
    row: i64,
    id: i64,
) -> Result<Value, LetterError> {
    let payload = sqlx::query_scalar("SELECT payload FROM outbox WHERE id = $1 AND team_uid = $2")
        .bind(row)
        .bind(team_uid)
        .fetch_optional(connection)
        .await?;
    payload.ok_or(LetterError::Unknown(id))
}

async fn held(connection: &mut sqlx::PgConnection, team_uid: Uuid, id: i64) -> Result<Held, LetterError> {
    let row: Option<(String, String, Value, String, i64)> = sqlx::query_as(
        "SELECT state, subject, payload, stream, stream_seq FROM dead_letters
         WHERE team_uid = $1 AND id = $2 FOR UPDATE",
    )
    .bind(team_uid)
    .bind(id)
    .fetch_optional(connection)
    .await?;
    match row {
        None => Err(LetterError::Unknown(id)),
        Some((state, subject, payload, stream, seq)) if state == "Held" => {
            Ok(Held { subject, payload, outbox: dead_letters::outbox_row(&stream, seq) })
        }
        Some((state, ..)) => Err(LetterError::NotHeld { id, state }),
    }
}

async fn mark(connection: &mut sqlx::PgConnection, id: i64, state: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE dead_letters SET state = $2 WHERE id = $1")
        .bind(id)
        .bind(state)
        .execute(connection)
        .await
        .map(drop)
}
