//! Driving one task: read, decide, write in one transaction.

use super::batch::Batch;
use super::clock::Clock;
use super::error::Error;
use super::faults::{Faults, Point};
use super::metrics::{EngineMetrics, Pauses};
use super::store::{self, FactRow, Loaded};
use super::write::Moved;
use crate::machine::{Event, State, Step, Task, admit, needs_weights, step};
use async_nats::jetstream::Context;
use golden_platform::artifacts::Store;
use golden_platform::wire::{Admission, Fact};
use jiff::Timestamp;
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// The engine of one team. Cheap to clone; replicas may run beside each other.
#[derive(Clone)]
pub struct Engine {
    pub(super) team: Uuid,
    /// Golden's own namespace.
    pub(super) namespace: String,
    pub(super) install: Uuid,
    pub(super) pool: PgPool,
    pub(super) js: Context,
    pub(super) artifacts: Store,
    pub(super) clock: Clock,
    pub(super) faults: Arc<dyn Faults>,
    pub(super) metrics: EngineMetrics,
}

/// What looking at a task came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Something was written.
    Moved,
    /// The same again may move it further at once.
    More,
    /// There was nothing to do.
    Idle,
    /// Another replica has it in hand.
    Busy,
}

impl Engine {
    #[expect(clippy::too_many_arguments, reason = "each is a part of its own; called at start-up only")]
    pub fn new(
        team: Uuid,
        namespace: &str,
        install: Uuid,
        pool: PgPool,
        js: Context,
        clock: Clock,
        faults: Arc<dyn Faults>,
        metrics: EngineMetrics,
    ) -> Self {
        let artifacts = Store::new(js.clone(), pool.clone()).listed(&metrics.breakers);
        Self { team, namespace: namespace.to_owned(), install, pool, js, artifacts, clock, faults, metrics }
    }

    /// The artifacts the engine works on.
    pub fn artifacts(&self) -> &Store {
        &self.artifacts
    }

    /// Takes in what is known of a task and moves it as far as that allows.
    pub async fn drive(&self, task: Uuid) -> Result<Progress, Error> {
        self.drive_with(task, vec![]).await
    }

    /// The same, with events that stand in no fact.
    pub(super) async fn drive_with(&self, task: Uuid, events: Vec<Event>) -> Result<Progress, Error> {
        let started = Instant::now();
        let done = self.drive_timed(task, events).await;
        let result = match &done {
            Ok(Progress::Moved | Progress::More) => "moved",
            Ok(Progress::Idle | Progress::Busy) => return done,
            Err(Error::Conflict) => "conflict",
            Err(_) => "error",
        };
        self.metrics.step(result, started.elapsed().as_secs_f64());
        done
    }

    async fn drive_timed(&self, uid: Uuid, events: Vec<Event>) -> Result<Progress, Error> {
        let facts = store::facts(&self.pool, self.team, uid).await?;
        let loaded = {
            let mut conn = self.pool.acquire().await?;
            store::load(&mut conn, self.team, uid).await?
        };
        let now = self.clock.now();
        match loaded {
            None => self.begin(uid, &facts, now).await,
            Some(loaded) => {
                let batch = self.gather(&loaded, &facts, events, now).await?;
                self.go(&loaded, batch, now).await
            }
        }
    }

    /// A task that is not known yet begins with its admission. What came before that waits for it.
    async fn begin(&self, uid: Uuid, facts: &[FactRow], now: Timestamp) -> Result<Progress, Error> {
        let admitted = facts.iter().find_map(|row| match &row.fact {
            Some(Fact::Admitted(admission)) => Some((row.id, admission)),
            _ => None,
        });
        let Some((id, admission)) = admitted else { return Ok(Progress::Idle) };
        let task = store::task_of(uid, self.team, admission)?;
        let moved = moved(admit(&task, admission, self.install, now));
        let mut tx = self.pool.begin().await?;
        if !self.insert_task(&mut tx, &task, admission, &moved).await? {
            return Err(Error::Conflict);
        }
        self.write_effects(&mut tx, &task, &moved).await?;
        self.consume(&mut tx, &[id]).await?;
        self.announce(&mut tx, &task, None, &moved).await?;
        self.commit(tx).await?;
        log_move(&task, None, &moved.state, admission);
        Ok(Progress::More)
    }

    /// Steps through the batch and writes what came of it.
    async fn go(&self, loaded: &Loaded, batch: Batch, now: Timestamp) -> Result<Progress, Error> {
        let moved = Self::steps(loaded, &batch.events, now);
        let changed = moved.state != loaded.state || !moved.commands.is_empty();
        let mut tx = self.pool.begin().await?;
        if !self.claim(&mut tx, loaded).await? {
            return Ok(Progress::Busy);
        }
        if changed {
            self.update_task(&mut tx, &loaded.task, (&loaded.state, loaded.version), &moved).await?;
            self.write_effects(&mut tx, &loaded.task, &moved).await?;
            self.announce(&mut tx, &loaded.task, Some(&loaded.state), &moved).await?;
        } else {
            self.set_wake(&mut tx, loaded.task.uid, moved.wake).await?;
        }
        self.consume(&mut tx, &batch.consumed).await?;
        self.commit(tx).await?;
        self.metrics.pauses(moved.pauses);
        if moved.state.stage_name() != loaded.state.stage_name() {
            let (from, to) = (loaded.state.stage_name(), moved.state.stage_name());
            tracing::info!(task = %loaded.task.uid, name = loaded.task.name, from, to, attempt = moved.state.attempt, "task moved");
        }
        let more = batch.more || needs_weights(&loaded.task, &moved.state);
        Ok(match (changed || !batch.consumed.is_empty(), more) {
            (_, true) => Progress::More,
            (true, false) => Progress::Moved,
            (false, false) => Progress::Idle,
        })
    }

    /// What a list of events comes to.
    pub(super) fn steps(loaded: &Loaded, events: &[Event], now: Timestamp) -> Moved {
        let (state, pauses) = (loaded.state.clone(), Pauses::default());
        let mut all = Moved { state, commands: vec![], record: vec![], wake: None, pauses };
        for event in events {
            let done = step(&loaded.task, &all.state, event, now);
            if let Some(why) = done.ignored {
                tracing::debug!(task = %loaded.task.uid, why, ?event, "an event changed nothing");
            }
            all.pauses.step(&all.state, &done.state);
            all.state = done.state;
            all.commands.extend(done.commands);
            all.record.extend(done.record);
            all.wake = done.wake;
        }
        all
    }

    /// Locks the row unless another replica has it, or moved it since it was read.
    pub(super) async fn claim(&self, conn: &mut PgConnection, loaded: &Loaded) -> Result<bool, Error> {
        let version: Option<i64> =
            sqlx::query_scalar("SELECT version FROM tasks WHERE task_uid = $1 FOR UPDATE SKIP LOCKED")
                .bind(loaded.task.uid)
                .fetch_optional(conn)
                .await?;
        match version {
            None => Ok(false),
            Some(v) if v == loaded.version => Ok(true),
            Some(_) => Err(Error::Conflict),
        }
    }

    async fn set_wake(
        &self,
        conn: &mut PgConnection,
        task: Uuid,
        wake: Option<Timestamp>,
    ) -> Result<(), Error> {
        sqlx::query("UPDATE tasks SET wake_at = $2::timestamptz WHERE task_uid = $1 AND ended_at IS NULL")
            .bind(task)
            .bind(wake.map(|at| at.to_string()))
            .execute(conn)
            .await?;
        Ok(())
    }

    pub(super) async fn commit(&self, tx: sqlx::Transaction<'_, sqlx::Postgres>) -> Result<(), Error> {
        self.faults.pass(Point::BeforeCommit)?;
        tx.commit().await?;
        self.faults.pass(Point::AfterCommit)
    }
}

fn moved(step: Step) -> Moved {
    let pauses = Pauses::default();
    Moved { state: step.state, commands: step.commands, record: step.record, wake: step.wake, pauses }
}

fn log_move(task: &Task, from: Option<&State>, to: &State, admission: &Admission) {
    let from = from.map_or("", State::stage_name);
    tracing::info!(task = %task.uid, name = task.name, from, to = to.stage_name(), team = admission.team_name, "task admitted");
}
