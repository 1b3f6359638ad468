//! The DLQ stream's letters go into the table, where a person finds them, and then leave the stream.

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::{AckKind, Context, Message};
use futures::StreamExt;
use golden_platform::dead_letters::{self, DeadLetter};
use golden_platform::{CancellationToken, subjects};
use sqlx::PgPool;
use std::time::Duration;
use uuid::Uuid;

/// How long one request for letters stays open at the server.
const PULL: Duration = Duration::from_secs(10);
/// Pause after an error, and before a letter is tried again.
const PAUSE: Duration = Duration::from_secs(5);

/// Drains the team's DLQ stream into the table until `stop`.
pub async fn drain(js: Context, pool: PgPool, team_uid: Uuid, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => return,
            drained = batches(&js, &pool, team_uid) => if let Err(error) = drained {
                tracing::warn!(%error, "dead letters cannot be read; trying again");
            },
        }
        tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(PAUSE) => {} }
    }
}

async fn batches(js: &Context, pool: &PgPool, team_uid: Uuid) -> Result<(), async_nats::Error> {
    let stream = subjects::dlq_stream(team_uid);
    let consumer = js.get_consumer_from_stream::<pull::Config, _, _>(subjects::DLQ, &stream).await?;
    loop {
        let mut batch = consumer.batch().max_messages(20).expires(PULL).messages().await?;
        while let Some(message) = batch.next().await {
            let message = message?;
            let kept = keep(pool, team_uid, &stream, &message).await;
            let answer = match kept {
                Ok(()) => AckKind::Ack,
                Err(error) => {
                    tracing::warn!(%error, "a dead letter is not kept yet");
                    AckKind::Nak(Some(PAUSE))
                }
            };
            message.ack_with(answer).await?;
        }
    }
}

/// Keeps a letter in the table; a message that is no letter is kept as one itself.
async fn keep(pool: &PgPool, team_uid: Uuid, stream: &str, message: &Message) -> Result<(), sqlx::Error> {
    let letter = serde_json::from_slice::<DeadLetter>(&message.payload)
        .ok()
        .filter(|letter| letter.team_uid == team_uid)
        .unwrap_or_else(|| DeadLetter {
            team_uid,
            stream: stream.to_owned(),
            stream_seq: message.info().map_or(0, |i| i64::try_from(i.stream_sequence).unwrap_or(i64::MAX)),
            subject: message.subject.to_string(),
            consumer: subjects::DLQ.to_owned(),
            reason: "a message on the dead letters' stream that is not a dead letter".to_owned(),
            payload: dead_letters::payload(&message.payload),
        });
    let mut connection = pool.acquire().await?;
    dead_letters::insert(&mut connection, &letter).await.map(drop)
}
