//! The loop: notifications are hints, looking again every few seconds is the guarantee.

use super::drive::{Engine, Progress};
use super::error::Error;
use super::store;
use futures::{StreamExt as _, stream};
use golden_platform::db::{self, Notice};
use golden_platform::{CancellationToken, subjects};
use std::time::Duration;
use tokio::sync::Notify;
use uuid::Uuid;

/// The longest time between two looks.
const LOOK: Duration = Duration::from_secs(5);
/// The pause after a round that failed.
const PAUSE: Duration = Duration::from_secs(1);
/// Tasks driven at once: one connection of the pool is left for the HTTP interface.
const AT_ONCE: usize = 2;
/// Rounds before the clock is looked at again.
const MAX_ROUNDS: usize = 64;

impl Engine {
    /// Works until `stop`; what is in hand then is finished. Messages are sent beside the driving, so that an
    /// unreachable NATS does not hold up what needs none.
    pub async fn run(&self, database_url: &str, stop: CancellationToken) {
        let written = Notify::new();
        tokio::join!(self.drive_all(database_url, &stop, &written), self.relay_all(&stop, &written));
    }

    async fn drive_all(&self, database_url: &str, stop: &CancellationToken, written: &Notify) {
        let mut notices = db::listen(database_url, &[subjects::NOTIFY_FACTS, subjects::NOTIFY_TASKS]);
        while !stop.is_cancelled() {
            let settled = self.settle_tasks(stop).await;
            written.notify_one();
            let pause = match settled {
                Ok(()) => self.pause().await,
                Err(e) => {
                    tracing::warn!(error = %e, "a round failed; it is made again");
                    PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
                () = heard(&mut notices, self.team) => {}
            }
        }
    }

    async fn relay_all(&self, stop: &CancellationToken, written: &Notify) {
        while !stop.is_cancelled() {
            let pause = match self.relay().await {
                Ok(_) => LOOK,
                Err(e) => {
                    tracing::warn!(error = %e, "messages wait; they are sent again");
                    PAUSE
                }
            };
            if let Ok(waiting) = self.unsent().await {
                self.metrics.outbox(waiting);
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
                () = written.notified() => {}
            }
        }
    }

    /// Moves everything that can be moved now, and sends what came of it.
    pub async fn settle(&self, stop: &CancellationToken) -> Result<(), Error> {
        self.settle_tasks(stop).await?;
        self.relay().await.map(drop)
    }

    /// Moves everything that can be moved now.
    async fn settle_tasks(&self, stop: &CancellationToken) -> Result<(), Error> {
        for _ in 0..MAX_ROUNDS {
            if stop.is_cancelled() {
                return Ok(());
            }
            let (driven, failed) = self.round().await?;
            let told = self.tell_dependents().await?;
            let given = self.give_turns().await?;
            for task in &given {
                // What the engine itself does first (an inline source) need not wait for the next look.
                self.drive_through(*task).await?;
            }
            if !driven && told == 0 && given.is_empty() {
                return failed.map_or(Ok(()), Err);
            }
        }
        Ok(())
    }

    /// Drives every task that is due once. Whether any moved, and an error if one could not be moved: one task's
    /// trouble does not hold up the others.
    async fn round(&self) -> Result<(bool, Option<Error>), Error> {
        let due = store::due(&self.pool, self.team, self.clock.now()).await?;
        let mut driven = stream::iter(due)
            .map(|task| async move { (task, self.drive_through(task).await) })
            .buffer_unordered(AT_ONCE);
        let (mut moved, mut failed) = (false, None);
        while let Some((task, done)) = driven.next().await {
            match done {
                Ok(progress) => moved |= progress,
                Err(e) => {
                    tracing::warn!(%task, error = %e, "a task could not be moved; it is tried again");
                    failed = Some(e);
                }
            }
        }
        Ok((moved, failed))
    }

    /// Drives a task until nothing more follows. Whether it moved.
    async fn drive_through(&self, task: Uuid) -> Result<bool, Error> {
        let mut moved = false;
        for _ in 0..MAX_ROUNDS {
            match self.drive(task).await {
                Ok(Progress::More) => moved = true,
                Ok(Progress::Moved) => return Ok(true),
                Ok(Progress::Idle | Progress::Busy) => return Ok(moved),
                // The other replica's move stands; what it left is seen when the task is read again.
                Err(Error::Conflict) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(moved)
    }

    /// How long nothing happens by itself.
    async fn pause(&self) -> Duration {
        match store::outlook(&self.pool, self.team).await {
            Ok((next, open)) => {
                self.metrics.active(open);
                let left = next.map(|at| at.duration_since(self.clock.now()));
                left.map_or(LOOK, |left| Duration::try_from(left).unwrap_or(Duration::ZERO).min(LOOK))
            }
            Err(e) => {
                tracing::warn!(error = %e, "cannot see what comes next");
                PAUSE
            }
        }
    }
}

/// Returns at a notification that may concern the team. A payload of another team is passed over; tasks of others
/// matter too, since ours may wait for them, but the next look is soon enough for these.
async fn heard(notices: &mut stream::BoxStream<'static, Notice>, team: Uuid) {
    while let Some(notice) = notices.next().await {
        match notice {
            Notice::Connected => return,
            Notice::Message { channel, payload }
                if channel == subjects::NOTIFY_FACTS && payload == team.to_string() =>
            {
                return;
            }
            Notice::Message { .. } => {}
        }
    }
    // The stream never ends while it is held; without it the timer remains.
    std::future::pending::<()>().await;
}
