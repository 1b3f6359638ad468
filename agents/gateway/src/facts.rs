//! What the orchestrator is told about calls that wait for money.

use crate::identity::Identity;
use futures::future::BoxFuture;
use golden_platform::facts;
use golden_platform::wire::{Fact, NewFact};
use sqlx::PgPool;
use std::time::Duration;

/// Writes a fact about the task of a call, again and again while the database is away: a task whose call
/// waits must be seen to wait. Bounded, since the money may come sooner than the database. Boxed, since it is rare and
/// large: each call would have room for it.
pub(crate) fn tell<'a>(
    pool: &'a PgPool,
    identity: &'a Identity,
    key: String,
    fact: Fact,
) -> BoxFuture<'a, ()> {
    Box::pin(telling(pool, identity, key, fact))
}

async fn telling(pool: &PgPool, identity: &Identity, key: String, fact: Fact) {
    let new = NewFact {
        team_uid: identity.team_uid,
        task_uid: identity.task_uid,
        object_uid: identity.task_uid,
        fact_key: key,
        fact,
    };
    let mut pause = Duration::from_millis(100);
    for _ in 0..8 {
        match write(pool, &new).await {
            Ok(_) => return,
            Err(error) => tracing::warn!(%error, key = new.fact_key, "a fact is not written yet"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// The key of an operation's hold: a client that sends a held call again joins its hold, and a hold after one
/// that has ended is another.
pub(crate) async fn hold_key(pool: &PgPool, identity: &Identity, operation: &str) -> String {
    let counted: Result<i64, sqlx::Error> = sqlx::query_scalar(
        "SELECT count(DISTINCT substr(fact_key, strpos(fact_key, '/'))) FROM facts
         WHERE object_uid = $1 AND (starts_with(fact_key, 'resumed/' || $2 || '/') OR starts_with(fact_key, 'left/' || $2 || '/'))",
    )
    .bind(identity.task_uid)
    .bind(operation)
    .fetch_one(pool)
    .await;
    let ended = counted.unwrap_or_else(|error| {
        tracing::warn!(%error, "earlier holds are not known");
        0
    });
    format!("{operation}/h{}", ended + 1)
}

/// Whether a hold was ended; not, while the database is away.
pub(crate) async fn hold_has_ended(pool: &PgPool, identity: &Identity, key: &str) -> bool {
    let ended: Result<bool, sqlx::Error> = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM facts WHERE object_uid = $1 AND fact_key IN ('resumed/' || $2, 'left/' || $2))",
    )
    .bind(identity.task_uid)
    .bind(key)
    .fetch_one(pool)
    .await;
    ended.unwrap_or(false)
}

async fn write(pool: &PgPool, new: &NewFact) -> Result<bool, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let inserted = facts::insert(&mut transaction, new).await?;
    transaction.commit().await?;
    Ok(inserted)
}
