//! The server's word that a message reached its last delivery and nobody processed it: for consumers that died
//! before they could bury it themselves. The message is copied by its sequence and only then removed.

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::RawMessageErrorKind;
use futures::StreamExt;
use futures::stream::select_all;
use golden_platform::dead_letters::{self, DeadLetter};
use golden_platform::{CancellationToken, subjects};
use serde::Deserialize;
use sqlx::PgPool;
use std::time::Duration;
use uuid::Uuid;

/// Replicas share the advisories.
const GROUP: &str = "golden-supervisor";
const PAUSE: Duration = Duration::from_secs(5);
/// Tries to keep one letter while a store is away; the message stays in its stream in any case.
const TRIES: u32 = 60;

#[derive(Debug, Deserialize)]
struct Advisory {
    stream: String,
    consumer: String,
    stream_seq: u64,
    #[serde(default)]
    deliveries: u64,
}

/// Listens until `stop`. An advisory that nobody heard is lost, its message is not: it stays in its stream.
pub async fn rescue(js: Context, pool: PgPool, team_uid: Uuid, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => return,
            heard = listen(&js, &pool, team_uid) => if let Err(error) = heard {
                tracing::warn!(%error, "advisories cannot be heard; trying again");
            },
        }
        tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(PAUSE) => {} }
    }
}

async fn listen(js: &Context, pool: &PgPool, team_uid: Uuid) -> Result<(), async_nats::Error> {
    let client = js.client();
    let mut subscriptions = Vec::new();
    for stream in [subjects::prc_stream(team_uid), subjects::escalations_stream(team_uid)] {
        let subject = subjects::max_deliveries(&stream);
        subscriptions.push(client.queue_subscribe(subject, GROUP.to_owned()).await?);
    }
    let mut advisories = select_all(subscriptions);
    while let Some(message) = advisories.next().await {
        let Ok(advisory) = serde_json::from_slice::<Advisory>(&message.payload) else {
            tracing::warn!(subject = %message.subject, "an advisory cannot be read");
            continue;
        };
        for _ in 0..TRIES {
            match bury(js, pool, team_uid, &advisory).await {
                Ok(()) => break,
                Err(error) => tracing::warn!(%error, ?advisory, "a given up message is not kept yet"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

async fn bury(
    js: &Context,
    pool: &PgPool,
    team_uid: Uuid,
    advisory: &Advisory,
) -> Result<(), async_nats::Error> {
    let stream = js.get_stream(&advisory.stream).await?;
    let message = match stream.get_raw_message(advisory.stream_seq).await {
        Ok(message) => message,
        // Its consumer buried it after all.
        Err(e) if matches!(e.kind(), RawMessageErrorKind::NoMessageFound) => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    let letter = DeadLetter {
        team_uid,
        stream: advisory.stream.clone(),
        stream_seq: i64::try_from(advisory.stream_seq).unwrap_or(i64::MAX),
        subject: message.subject.to_string(),
        consumer: advisory.consumer.clone(),
        reason: format!(
            "consumer {} did not finish it in {} deliveries (the process died or hung each time)",
            advisory.consumer, advisory.deliveries
        ),
        payload: dead_letters::payload(&message.payload),
    };
    let mut connection = pool.acquire().await?;
    dead_letters::insert(&mut connection, &letter).await?;
    stream.delete_message(advisory.stream_seq).await?;
    tracing::error!(stream = letter.stream, seq = letter.stream_seq, reason = letter.reason, "dead letter");
    Ok(())
}
