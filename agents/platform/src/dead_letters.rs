//! Dead letters: what could not be processed, kept with its reason.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

/// Longest reason kept, in bytes.
const MAX_REASON: usize = 4096;
/// How much of a message that is too large stands in its letter, in bytes.
const MAX_HEAD: usize = 4096;
/// Begins the `stream` of letters that come from the outbox.
const OUTBOX: &str = "OUTBOX_";

/// A message that was given up, as kept in `dead_letters` and published on the team's DLQ stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    pub team_uid: Uuid,
    pub stream: String,
    pub stream_seq: i64,
    pub subject: String,
    /// The consumer that gave up.
    pub consumer: String,
    pub reason: String,
    /// The message; a string if it was not JSON, null if it is too large for a message (the row has it).
    pub payload: Value,
}

impl DeadLetter {
    /// The message id under which it is published: one dead letter per message.
    pub fn message_id(&self) -> String {
        format!("dlq/{}/{}", self.stream, self.stream_seq)
    }
}

/// Keeps a dead letter; the first reason counts. True if it was not known.
pub async fn insert(conn: &mut PgConnection, letter: &DeadLetter) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO dead_letters (team_uid, stream, stream_seq, subject, payload, reason)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (stream, stream_seq) DO NOTHING",
    )
    .bind(letter.team_uid)
    .bind(&letter.stream)
    .bind(letter.stream_seq)
    .bind(&letter.subject)
    .bind(storable(letter.payload.clone()))
    .bind(clip(&letter.reason))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The letter of a message that never reached a stream, since no server takes one of its size. The whole message stays
/// in the outbox under `outbox_id`; the letter has its beginning and the digest of the whole.
pub fn oversized(
    team_uid: Uuid,
    outbox_id: i64,
    message_id: &str,
    subject: &str,
    body: &str,
    reason: &str,
) -> DeadLetter {
    let head = body.get(..body.floor_char_boundary(MAX_HEAD)).unwrap_or_default();
    DeadLetter {
        team_uid,
        stream: format!("{OUTBOX}{}", crate::subjects::team(team_uid)),
        stream_seq: outbox_id,
        subject: subject.to_owned(),
        consumer: "relay".to_owned(),
        reason: reason.to_owned(),
        payload: json!({
            "messageId": message_id, "bytes": body.len(), "head": head,
            "digest": format!("sha256:{}", hex::encode(Sha256::digest(body.as_bytes()))),
        }),
    }
}

/// The outbox row that holds the whole message of a letter made by [`oversized`].
pub fn outbox_row(stream: &str, stream_seq: i64) -> Option<i64> {
    stream.starts_with(OUTBOX).then_some(stream_seq)
}

/// The payload of any message as JSON: itself, or a string of its bytes where it is none.
pub fn payload(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned().into())
}

/// jsonb takes no NUL character; a poison message may carry one and must be kept all the same.
fn storable(value: Value) -> Value {
    match value {
        Value::String(s) => s.replace('\0', "\u{fffd}").into(),
        Value::Array(items) => items.into_iter().map(storable).collect(),
        Value::Object(map) => {
            map.into_iter().map(|(k, v)| (k.replace('\0', "\u{fffd}"), storable(v))).collect()
        }
        other => other,
    }
}

/// Postgres' text takes no NUL character either.
fn clip(reason: &str) -> String {
    let mut end = reason.len().min(MAX_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.get(..end).unwrap_or_default().replace('\0', "\u{fffd}")
}
