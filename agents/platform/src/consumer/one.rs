//! The life of one delivered message.

use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{Consumer, Failure, GRACE, Slot, read};
use crate::dead_letters::{self, DeadLetter};
use crate::wire::Envelope;
use crate::{nats, subjects};

/// A message as the handler sees it.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub envelope: Envelope,
    /// Counts from 1.
    pub delivered: i64,
    pub stream_seq: u64,
    /// Its place among those that are worked on at once.
    pub slot: Slot,
}

/// One message being worked on.
pub(super) struct One<'a> {
    pub(super) consumer: &'a Consumer,
    pub(super) message: &'a Message,
    pub(super) max_deliver: i64,
    pub(super) holds: &'a watch::Sender<usize>,
    pub(super) stop: &'a CancellationToken,
    pub(super) slot: &'a Slot,
}

/// What shall become of the message.
enum Verdict {
    Done,
    Later(Duration, String),
    GiveBack,
    Bury(String),
}

impl One<'_> {
    pub(super) async fn work<H, F>(self, handler: &H)
    where
        H: Fn(Delivery) -> F,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let stopped = async {
            self.stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let verdict = tokio::select! {
            verdict = self.alive(self.judge(handler)) => verdict,
            () = stopped => Verdict::GiveBack,
        };
        let (stream, consumer) = (&self.consumer.stream, &self.consumer.durable);
        let sent = match verdict {
            Verdict::Done => self.message.ack().await,
            Verdict::GiveBack => self.message.ack_with(AckKind::Nak(None)).await,
            Verdict::Later(pause, reason) => {
                tracing::warn!(stream, consumer, reason, ?pause, "failed; the message comes again");
                self.message.ack_with(AckKind::Nak(Some(pause))).await
            }
            Verdict::Bury(reason) => {
                tracing::error!(stream, consumer, reason, "gave up; the message is a dead letter");
                if !self.alive(self.bury(reason)).await {
                    return;
                }
                self.message.ack_with(AckKind::Term).await
            }
        };
        if let Err(e) = sent {
            tracing::warn!(stream, consumer, error = %e, "answer to the server was lost; the message comes again");
        }
    }

    async fn judge<H, F>(&self, handler: &H) -> Verdict
    where
        H: Fn(Delivery) -> F,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let (delivered, stream_seq) = match self.message.info() {
            Ok(info) => (info.delivered, info.stream_sequence),
            Err(e) => return Verdict::Bury(format!("the message has no JetStream reply subject: {e}")),
        };
        let envelope = match read(&self.message.payload) {
            Ok(envelope) => envelope,
            Err(reason) => return Verdict::Bury(reason),
        };
        let delivery = Delivery { envelope, delivered, stream_seq, slot: self.slot.clone() };
        let mut hold = None;
        let mut pause = Duration::from_millis(500);
        loop {
            let running = AbortOnDropHandle::new(tokio::spawn(handler(delivery.clone())));
            let failure = match running.await {
                Ok(Ok(())) => return Verdict::Done,
                Ok(Err(failure)) => failure,
                Err(e) => Failure::Transient(format!("the handler ended abnormally: {e}")),
            };
            match failure {
                Failure::Poison(reason) => return Verdict::Bury(reason),
                Failure::Transient(reason) if delivered >= self.max_deliver => {
                    return Verdict::Bury(format!("failed {delivered} times, the last time: {reason}"));
                }
                Failure::Transient(reason) => return Verdict::Later(self.pause(delivered), reason),
                Failure::Dependency(reason) => {
                    hold.get_or_insert_with(|| Hold::new(self.holds));
                    tracing::warn!(stream = self.consumer.stream, reason, ?pause, "holding until it is back");
                    if self.stop.is_cancelled() {
                        return Verdict::GiveBack;
                    }
                    tokio::select! { () = tokio::time::sleep(pause) => {}, () = self.stop.cancelled() => {} }
                    pause = (pause * 2).min(Duration::from_secs(15));
                }
            }
        }
    }

    fn pause(&self, delivered: i64) -> Duration {
        let nth = usize::try_from(delivered.saturating_sub(1)).unwrap_or(0);
        let pauses = &self.consumer.pauses;
        pauses.get(nth).or(pauses.last()).copied().unwrap_or(Duration::from_secs(1))
    }

    /// Keeps the letter, in the table and on the stream; holds on while a store is away. False if the process
    /// ends first: the message is then still in its stream.
    async fn bury(&self, reason: String) -> bool {
        let letter = self.letter(reason);
        let mut hold = None;
        let mut pause = Duration::from_millis(500);
        loop {
            match self.keep(&letter).await {
                Ok(()) => return true,
                Err(e) => {
                    hold.get_or_insert_with(|| Hold::new(self.holds));
                    tracing::warn!(
                        letter = letter.message_id(),
                        error = e,
                        ?pause,
                        "cannot keep a dead letter yet"
                    );
                }
            }
            if self.stop.is_cancelled() {
                return false;
            }
            tokio::select! { () = tokio::time::sleep(pause) => {}, () = self.stop.cancelled() => {} }
            pause = (pause * 2).min(Duration::from_secs(15));
        }
    }

    async fn keep(&self, letter: &DeadLetter) -> Result<(), String> {
        let mut conn = self.consumer.pool.acquire().await.map_err(|e| e.to_string())?;
        dead_letters::insert(&mut conn, letter).await.map_err(|e| e.to_string())?;
        drop(conn);
        let subject = subjects::dead_letter(letter.team_uid, &letter.consumer);
        let whole = serde_json::to_vec(letter).map_err(|e| e.to_string())?;
        match nats::publish_bytes(&self.consumer.js, &subject, &letter.message_id(), whole.into()).await {
            Err(nats::Error::TooLarge { .. }) => {
                let short = DeadLetter { payload: serde_json::Value::Null, ..letter.clone() };
                let short = serde_json::to_vec(&short).map_err(|e| e.to_string())?;
                nats::publish_bytes(&self.consumer.js, &subject, &letter.message_id(), short.into()).await
            }
            other => other,
        }
        .map(drop)
        .map_err(|e| e.to_string())
    }

    fn letter(&self, reason: String) -> DeadLetter {
        let seq = self.message.info().map_or(0, |info| info.stream_sequence);
        DeadLetter {
            team_uid: self.consumer.team_uid,
            stream: self.consumer.stream.clone(),
            stream_seq: i64::try_from(seq).unwrap_or(i64::MAX),
            subject: self.message.subject.to_string(),
            consumer: self.consumer.durable.clone(),
            reason,
            payload: dead_letters::payload(&self.message.payload),
        }
    }

    /// Runs `work` and tells the server meanwhile that the message is in good hands.
    async fn alive<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        let mut tick = tokio::time::interval(self.consumer.alive);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tick.tick().await;
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = tick.tick() => {
                    if let Err(e) = self.message.ack_with(AckKind::Progress).await {
                        tracing::debug!(error = %e, "could not extend a message");
                    }
                }
            }
        }
    }
}

/// Counts a held message for as long as it lives.
struct Hold<'a>(&'a watch::Sender<usize>);

impl<'a> Hold<'a> {
    fn new(holds: &'a watch::Sender<usize>) -> Self {
        holds.send_modify(|n| *n += 1);
        Self(holds)
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n = n.saturating_sub(1));
    }
}
