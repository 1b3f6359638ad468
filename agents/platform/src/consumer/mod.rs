//! Working off a stream: bounded, alive while it works, and never losing what it cannot do.
//!
//! The contract towards a handler:
//! - it may be called again for the same message (redelivery, another replica): its effects happen once;
//! - while it runs the server is told so, however long it takes;
//! - `Ok`: acknowledged. [`Failure::Transient`]: again after a pause, five deliveries in all, then a dead letter.
//!   [`Failure::Poison`]: a dead letter at once. [`Failure::Dependency`]: not the message's fault: it is held
//!   and tried again until the dependency is back, no further message is pulled meanwhile, and nothing counts;
//! - a panic counts as Transient.
//!
//! A dead letter is a row of `dead_letters` first, then a message on the DLQ stream, and only then taken from
//! its stream: a crash in between repeats these steps under the same keys.

mod one;
mod slot;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{PullConsumer, pull};
use futures::StreamExt as _;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::wire::Envelope;
pub use one::Delivery;
pub use slot::Slot;
use slot::Slots;

/// How long one request for messages stays open at the server.
const PULL: Duration = Duration::from_secs(10);
/// How long handlers may still run once the process is told to stop.
const GRACE: Duration = Duration::from_secs(20);

/// Why a handler did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// May work next time.
    #[error("{0}")]
    Transient(String),
    /// Something it needs is away.
    #[error("{0}")]
    Dependency(String),
    /// Can never work.
    #[error("{0}")]
    Poison(String),
}

impl<E: crate::Classify + std::fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        match error.class() {
            crate::Class::Dependency => Self::Dependency(error.to_string()),
            crate::Class::Invalid => Self::Poison(error.to_string()),
            crate::Class::Conflict | crate::Class::Transient | crate::Class::Bug => {
                Self::Transient(error.to_string())
            }
        }
    }
}

/// A durable consumer of a team's stream.
#[derive(Clone)]
pub struct Consumer {
    js: Context,
    pool: PgPool,
    team_uid: Uuid,
    stream: String,
    durable: String,
    concurrency: usize,
    alive: Duration,
    pauses: Vec<Duration>,
}

impl Consumer {
    /// `stream` and `durable` by [`crate::subjects`]; both are made by [`crate::streams::ensure`].
    pub fn new(js: Context, pool: PgPool, team_uid: Uuid, stream: String, durable: &str) -> Self {
        Self {
            js,
            pool,
            team_uid,
            stream,
            durable: durable.to_owned(),
            concurrency: 4,
            alive: Duration::from_secs(20),
            pauses: [1, 5, 15, 30].map(Duration::from_secs).to_vec(),
        }
    }

    /// How many messages are worked on at once (at least one), without those that [stand aside](Slot::stand_aside).
    #[must_use]
    pub fn concurrency(mut self, most: usize) -> Self {
        self.concurrency = most.max(1);
        self
    }

    /// How often the server is told that a message is still worked on; far below its ack wait of 60 s.
    #[must_use]
    pub fn alive_every(mut self, period: Duration) -> Self {
        self.alive = period;
        self
    }

    /// The pauses after a transient failure, by delivery; the last one repeats.
    #[must_use]
    pub fn pauses(mut self, pauses: Vec<Duration>) -> Self {
        self.pauses = pauses;
        self
    }

    /// Works until `stop`, then lets running handlers finish within 20 s; what is unfinished then is given back.
    pub async fn run<H, F>(self, stop: CancellationToken, handler: H)
    where
        H: Fn(Delivery) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let shared = Arc::new(self);
        let slots = Slots::new(shared.concurrency);
        let (holds, mut held) = watch::channel(0_usize);
        let mut running = JoinSet::new();
        let mut source = Source { consumer: None, pause: Duration::ZERO };
        while !stop.is_cancelled() {
            let pulled = tokio::select! {
                () = stop.cancelled() => break,
                pulled = async {
                    // A dependency is away: pulling more would only hold more.
                    let _ = held.wait_for(|holds| *holds == 0).await;
                    let slot = slots.take().await?;
                    source.next(&shared).await.map(|message| (slot, message))
                } => pulled,
            };
            while running.try_join_next().is_some() {}
            let Some((slot, (message, max_deliver))) = pulled else { continue };
            let (shared, handler) = (Arc::clone(&shared), Arc::clone(&handler));
            let (holds, stop) = (holds.clone(), stop.clone());
            running.spawn(async move {
                let one = one::One {
                    consumer: &shared,
                    message: &message,
                    max_deliver,
                    holds: &holds,
                    stop: &stop,
                    slot: &slot,
                };
                one.work(handler.as_ref()).await;
                slot.free();
            });
        }
        let finishing = async { while running.join_next().await.is_some() {} };
        // The tasks give back what they hold at the end of GRACE by themselves; this is the outer bound.
        if tokio::time::timeout(GRACE + Duration::from_secs(5), finishing).await.is_err() {
            tracing::warn!(stream = shared.stream, "handlers did not end in time; their messages come again");
        }
    }
}

/// [`Consumer::run`] with the defaults, for a service with one consumer.
pub async fn consume<H, F>(consumer: Consumer, stop: CancellationToken, handler: H)
where
    H: Fn(Delivery) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    consumer.run(stop, handler).await;
}

/// Reads an envelope, refusing a version this build does not know.
fn read(payload: &[u8]) -> Result<Envelope, String> {
    let envelope: Envelope =
        serde_json::from_slice(payload).map_err(|e| format!("the message cannot be read: {e}"))?;
    if envelope.v != 1 {
        return Err(format!("the message has version {}, this build reads 1", envelope.v));
    }
    Ok(envelope)
}

struct Source {
    consumer: Option<PullConsumer>,
    pause: Duration,
}

impl Source {
    /// The next message, or none for now. An error is said once and followed by a growing pause.
    async fn next(&mut self, of: &Consumer) -> Option<(async_nats::jetstream::Message, i64)> {
        tokio::time::sleep(self.pause).await;
        match self.pull(of).await {
            Ok(message) => {
                self.pause = Duration::ZERO;
                message
            }
            Err(e) => {
                tracing::warn!(stream = of.stream, consumer = of.durable, error = %e, "cannot pull; trying again");
                self.consumer = None;
                self.pause = (self.pause * 2).clamp(Duration::from_millis(250), Duration::from_secs(10));
                None
            }
        }
    }

    async fn pull(
        &mut self,
        of: &Consumer,
    ) -> Result<Option<(async_nats::jetstream::Message, i64)>, async_nats::Error> {
        let consumer = match self.consumer.take() {
            Some(consumer) => consumer,
            None => of.js.get_consumer_from_stream::<pull::Config, _, _>(&of.durable, &of.stream).await?,
        };
        let max_deliver = consumer.cached_info().config.max_deliver;
        let mut batch = consumer.batch().max_messages(1).expires(PULL).messages().await?;
        let message = batch.next().await.transpose()?;
        self.consumer = Some(consumer);
        Ok(message.map(|m| (m, max_deliver)))
    }
}
