//! What the engine writes: everything that follows from a step, in the caller's transaction.

use super::drive::Engine;
use super::error::{Error, written};
use super::faults::Point;
use super::metrics::Pauses;
use crate::machine::{Command, DesiredRow, State, Task, view};
use golden_platform::records;
use golden_platform::wire::{Admission, DesiredKind, Envelope, EscalationRaised, Message, TaskView};
use golden_platform::{facts, subjects};
use jiff::Timestamp;
use sqlx::PgConnection;

/// What a batch of steps came to.
pub(super) struct Moved {
    pub(super) state: State,
    pub(super) commands: Vec<Command>,
    pub(super) record: Vec<golden_record::Entry>,
    pub(super) wake: Option<Timestamp>,
    pub(super) pauses: Pauses,
}

impl Engine {
    /// Makes the row of a task that is admitted. False if it exists.
    pub(super) async fn insert_task(
        &self,
        conn: &mut PgConnection,
        task: &Task,
        admission: &Admission,
        moved: &Moved,
    ) -> Result<bool, Error> {
        let view = view(task, &moved.state);
        let inserted = sqlx::query(
            "INSERT INTO tasks (task_uid, team_uid, namespace, name, submitted_by, spec, policy, models, state, view,
                                stage, outcome, version, wake_at, ended_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13::timestamptz, $14::timestamptz)
             ON CONFLICT (task_uid) DO NOTHING",
        )
        .bind(task.uid)
        .bind(task.team_uid)
        .bind(&task.namespace)
        .bind(&task.name)
        .bind(&task.submitted_by)
        .bind(written("spec", &admission.spec)?)
        .bind(&admission.policy)
        .bind(written("models", &task.models)?)
        .bind(written("state", &moved.state)?)
        .bind(written("view", &view)?)
        .bind(moved.state.stage_name())
        .bind(moved.state.outcome.as_ref().map(|o| o.kind.as_str()))
        .bind(moved.wake.map(|at| at.to_string()))
        .bind(moved.state.outcome.as_ref().map(|o| o.at.to_string()))
        .execute(&mut *conn)
        .await?
        .rows_affected();
        self.faults.pass(Point::TaskWritten)?;
        self.metrics.entered(moved.state.stage_name());
        Ok(inserted == 1)
    }

    /// Moves the row from the version that was read. Another replica's move makes this one void.
    pub(super) async fn update_task(
        &self,
        conn: &mut PgConnection,
        task: &Task,
        before: (&State, i64),
        moved: &Moved,
    ) -> Result<(), Error> {
        let (old, version) = before;
        let updated = sqlx::query(
            "UPDATE tasks SET state = $3, view = $4, stage = $5, outcome = $6, version = version + 1,
                              wake_at = $7::timestamptz, ended_at = $8::timestamptz
             WHERE task_uid = $1 AND version = $2",
        )
        .bind(task.uid)
        .bind(version)
        .bind(written("state", &moved.state)?)
        .bind(written("view", &view(task, &moved.state))?)
        .bind(moved.state.stage_name())
        .bind(moved.state.outcome.as_ref().map(|o| o.kind.as_str()))
        .bind(moved.wake.map(|at| at.to_string()))
        .bind(moved.state.outcome.as_ref().map(|o| o.at.to_string()))
        .execute(&mut *conn)
        .await?
        .rows_affected();
        self.faults.pass(Point::TaskWritten)?;
        if updated != 1 {
            return Err(Error::Conflict);
        }
        if old.stage_name() != moved.state.stage_name() {
            self.metrics.entered(moved.state.stage_name());
        }
        Ok(())
    }

    /// Record, outbox, desired pods, reviews, escalations.
    pub(super) async fn write_effects(
        &self,
        conn: &mut PgConnection,
        task: &Task,
        moved: &Moved,
    ) -> Result<(), Error> {
        for entry in &moved.record {
            self.entry(conn, task, entry).await?;
        }
        for command in &moved.commands {
            self.command(conn, task, command).await?;
        }
        Ok(())
    }

    async fn entry(
        &self,
        conn: &mut PgConnection,
        task: &Task,
        entry: &golden_record::Entry,
    ) -> Result<(), Error> {
        records::append(conn, task.team_uid, task.uid, entry).await?;
        self.faults.pass(Point::EntryWritten)
    }

    async fn command(&self, conn: &mut PgConnection, task: &Task, command: &Command) -> Result<(), Error> {
        match command {
            Command::Want(row) => self.want(conn, task, row).await,
            Command::Unwant { kind, name } => self.unwant(conn, task, *kind, name).await,
            Command::Publish(envelope) => self.publish(conn, envelope).await,
            Command::OpenReview { attempt, round, digest, request, closes_at } => {
                sqlx::query(
                    "INSERT INTO reviews (task_uid, attempt, round, team_uid, digest, request, closes_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7::timestamptz) ON CONFLICT DO NOTHING",
                )
                .bind(task.uid)
                .bind(i64::from(*attempt))
                .bind(i64::from(*round))
                .bind(task.team_uid)
                .bind(digest)
                .bind(written("review", request)?)
                .bind(closes_at.to_string())
                .execute(conn)
                .await?;
                self.faults.pass(Point::ReviewWritten)
            }
            Command::RaiseEscalation { attempt, raised } => self.raise(conn, task, *attempt, raised).await,
            Command::CloseEscalation { id, end, chosen, by } => {
                sqlx::query(
                    "UPDATE escalations SET state = $2, chosen = $3, resolved_by = $4, resolved_at = now()
                     WHERE escalation_id = $1 AND state = 'Open'",
                )
                .bind(id)
                .bind(end.as_str())
                .bind(chosen)
                .bind(by)
                .execute(conn)
                .await?;
                self.faults.pass(Point::EscalationWritten)
            }
        }
    }

    async fn want(&self, conn: &mut PgConnection, task: &Task, row: &DesiredRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO desired (namespace, name, team_uid, task_uid, kind, attempt, try, spec)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (namespace, name) DO NOTHING",
        )
        .bind(self.namespace_of(task, row.kind))
        .bind(&row.name)
        .bind(task.team_uid)
        .bind(task.uid)
        .bind(kind_name(row.kind))
        .bind(i64::from(row.attempt))
        .bind(i64::from(row.r#try))
        .bind(written("desired pod", &row.spec)?)
        .execute(conn)
        .await?;
        self.faults.pass(Point::DesiredWritten)
    }

    async fn unwant(
        &self,
        conn: &mut PgConnection,
        task: &Task,
        kind: DesiredKind,
        name: &str,
    ) -> Result<(), Error> {
        sqlx::query("UPDATE desired SET wanted = false WHERE namespace = $1 AND name = $2 AND wanted")
            .bind(self.namespace_of(task, kind))
            .bind(name)
            .execute(conn)
            .await?;
        self.faults.pass(Point::DesiredWritten)
    }

    /// Agents run in the team's namespace, credentials only in Golden's.
    fn namespace_of<'a>(&'a self, task: &'a Task, kind: DesiredKind) -> &'a str {
        if kind == DesiredKind::AttemptPod { &task.namespace } else { &self.namespace }
    }

    async fn publish(&self, conn: &mut PgConnection, envelope: &Envelope) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO outbox (team_uid, task_uid, subject, msg_id, payload) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (msg_id) DO NOTHING",
        )
        .bind(envelope.team)
        .bind(envelope.task)
        .bind(subject(envelope))
        .bind(&envelope.id)
        .bind(written("message", envelope)?)
        .execute(conn)
        .await?;
        self.faults.pass(Point::OutboxWritten)
    }

    async fn raise(
        &self,
        conn: &mut PgConnection,
        task: &Task,
        attempt: u32,
        raised: &EscalationRaised,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO escalations (escalation_id, team_uid, task_uid, attempt, reason, evidence, options, owner,
                                      digest, deadline, default_option)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::timestamptz, $11)
             ON CONFLICT (escalation_id) DO NOTHING",
        )
        .bind(raised.escalation_id)
        .bind(task.team_uid)
        .bind(task.uid)
        .bind(i64::from(attempt))
        .bind(&raised.reason)
        .bind(&raised.evidence)
        .bind(written("options", &raised.options)?)
        .bind(&raised.owner)
        .bind(&raised.digest)
        .bind(&raised.deadline)
        .bind(&raised.default_option)
        .execute(conn)
        .await?;
        self.faults.pass(Point::EscalationWritten)
    }

    /// Takes the facts in. One that another replica took in first makes this move void.
    pub(super) async fn consume(&self, conn: &mut PgConnection, ids: &[i64]) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let taken =
            sqlx::query("UPDATE facts SET consumed_at = now() WHERE id = ANY($1) AND consumed_at IS NULL")
                .bind(ids)
                .execute(conn)
                .await?
                .rows_affected();
        self.faults.pass(Point::FactsConsumed)?;
        if taken == ids.len() as u64 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Wakes the operator when there is something for it to see.
    pub(super) async fn announce(
        &self,
        conn: &mut PgConnection,
        task: &Task,
        before: Option<&State>,
        moved: &Moved,
    ) -> Result<(), Error> {
        let pods = moved.commands.iter().any(|c| matches!(c, Command::Want(_) | Command::Unwant { .. }));
        if pods || before.is_none_or(|old| shown(task, old) != shown(task, &moved.state)) {
            facts::notify(conn, subjects::NOTIFY_TASKS, task.uid).await?;
        }
        Ok(())
    }
}

fn shown(task: &Task, state: &State) -> TaskView {
    view(task, state)
}

/// The value of `desired.kind`.
fn kind_name(kind: DesiredKind) -> &'static str {
    match kind {
        DesiredKind::AttemptPod => "AttemptPod",
        DesiredKind::FetchPod => "FetchPod",
        DesiredKind::DeliveryPod => "DeliveryPod",
    }
}

/// Where a message goes.
fn subject(envelope: &Envelope) -> String {
    match &envelope.message {
        Message::ReviewRequested(_) => subjects::review(envelope.team),
        Message::GuardRequested(_) => subjects::sandbox(envelope.team),
        Message::EscalationRaised(_) => subjects::escalation(envelope.team),
    }
}
