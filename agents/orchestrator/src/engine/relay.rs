//! The relay: what a transaction left in the outbox goes to JetStream under its message id, then is marked.
//!
//! A crash between the two sends it again, and the stream drops the repetition.

use super::drive::Engine;
use super::error::Error;
use super::faults::Point;
use crate::machine::{Event, Why};
use golden_crds::conditions::agent_task as reasons;
use golden_platform::{Class, Classify as _, nats};
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Messages sent in one transaction.
const BATCH: i64 = 32;

/// A message that waits.
type Row = (i64, Uuid, String, String, Value);

impl Engine {
    /// Sends what waits. Returns how many messages went; stops at the first that does not, which is then shown on
    /// its task.
    pub async fn relay(&self) -> Result<usize, Error> {
        let mut sent = 0;
        loop {
            let (batch, failed) = self.relay_batch().await?;
            sent += batch;
            if let Some((task, error)) = failed {
                self.show_outage(task, &error).await?;
                return Err(error.into());
            }
            if batch == 0 {
                return Ok(sent);
            }
        }
    }

    async fn relay_batch(&self) -> Result<(usize, Option<(Uuid, nats::Error)>), Error> {
        // Rows are locked while they are sent, so that replicas do not send the same ones.
        let mut tx = self.pool.begin().await?;
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, task_uid, subject, msg_id, payload FROM outbox
             WHERE team_uid = $1 AND published_at IS NULL ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED",
        )
        .bind(self.team)
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await?;
        let (mut sent, mut failed, mut poison) = (vec![], None, BTreeSet::new());
        for (id, task, subject, msg_id, payload) in rows {
            self.faults.pass(Point::BeforePublish)?;
            match nats::publish_bytes(&self.js, &subject, &msg_id, payload.to_string().into()).await {
                Ok(_) => sent.push(id),
                // Will never be taken: it must not stand in the way of the others.
                Err(e) if e.class() == Class::Invalid => {
                    tracing::error!(message = msg_id, error = %e, "a message can never be sent; it is passed over");
                    poison.insert(id);
                }
                Err(e) => {
                    failed = Some((task, e));
                    break;
                }
            }
            self.faults.pass(Point::AfterPublish)?;
        }
        let done: Vec<i64> = sent.iter().chain(&poison).copied().collect();
        sqlx::query("UPDATE outbox SET published_at = now() WHERE id = ANY($1)")
            .bind(&done)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.faults.pass(Point::PublishMarked)?;
        Ok((done.len(), failed))
    }

    async fn show_outage(&self, task: Uuid, error: &nats::Error) -> Result<(), Error> {
        let why = Why::new(reasons::MESSAGING_UNREACHABLE, format!("{error}; tried again until it is taken"));
        match self.drive_with(task, vec![Event::StoreTrouble(Some(why))]).await {
            // Shown next time; the outage itself is what counts.
            Ok(_) | Err(Error::Conflict) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// How many messages wait.
    pub(super) async fn unsent(&self) -> Result<i64, Error> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM outbox WHERE team_uid = $1 AND published_at IS NULL")
            .bind(self.team)
            .fetch_one(&self.pool)
            .await?)
    }
}
