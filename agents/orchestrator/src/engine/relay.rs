//! The relay: what a transaction left in the outbox goes to JetStream under its message id, then is marked.
//!
//! A crash between the two sends it again, and the stream drops the repetition.

use super::drive::{Engine, Progress};
use super::error::Error;
use super::faults::Point;
use crate::machine::{Event, Why};
use golden_crds::conditions::agent_task as reasons;
use golden_platform::dead_letters::{self, oversized};
use golden_platform::{Class, Classify as _, nats};
use serde_json::Value;
use uuid::Uuid;

/// Messages sent in one transaction.
const BATCH: i64 = 32;

/// A message that waits.
type Row = (i64, Uuid, String, String, Value);
/// How many went, the first that did not and why, and what tasks must be told of dead letters.
type Relayed = (usize, Option<(Uuid, nats::Error)>, Vec<(Uuid, Event)>);

impl Engine {
    /// Sends what waits. Returns how many messages went; stops at the first that does not, which is then shown on
    /// its task.
    pub async fn relay(&self) -> Result<usize, Error> {
        let mut sent = 0;
        loop {
            let (batch, failed, dead) = self.relay_batch().await?;
            sent += batch;
            for (task, event) in dead {
                self.tell_dead(task, event).await?;
            }
            if let Some((task, error)) = failed {
                self.show_outage(task, &error).await?;
                return Err(error.into());
            }
            if batch == 0 {
                return Ok(sent);
            }
        }
    }

    async fn relay_batch(&self) -> Result<Relayed, Error> {
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
        let (mut done, mut failed, mut dead) = (vec![], None, vec![]);
        for (id, task, subject, msg_id, payload) in rows {
            self.faults.pass(Point::BeforePublish)?;
            let body = payload.to_string();
            match nats::publish_bytes(&self.js, &subject, &msg_id, body.clone().into()).await {
                Ok(_) => done.push(id),
                // Will never be taken: it must not stand in the way of the others.
                Err(e) if e.class() == Class::Invalid => {
                    tracing::error!(message = msg_id, error = %e, "a message can never be sent; it is a dead letter");
                    let letter = oversized(self.team, id, &msg_id, &subject, &body, &e.to_string());
                    dead_letters::insert(&mut tx, &letter).await?;
                    let attempt =
                        payload["attempt"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
                    dead.push((task, Event::DeadLettered { attempt, id: msg_id, why: e.to_string() }));
                    done.push(id);
                }
                Err(e) => {
                    failed = Some((task, e));
                    break;
                }
            }
            self.faults.pass(Point::AfterPublish)?;
        }
        sqlx::query("UPDATE outbox SET published_at = now() WHERE id = ANY($1)")
            .bind(&done)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.faults.pass(Point::PublishMarked)?;
        Ok((done.len(), failed, dead))
    }

    /// Tells a task what became of its message. If this is lost with the process, the task asks again in time, with a
    /// message that is too large as well.
    async fn tell_dead(&self, task: Uuid, event: Event) -> Result<(), Error> {
        loop {
            match Box::pin(self.drive_with(task, vec![event.clone()])).await {
                // Another replica moved it: what is told is as true after that.
                Ok(Progress::Busy) | Err(Error::Conflict) => tokio::task::yield_now().await,
                other => return other.map(drop),
            }
        }
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
