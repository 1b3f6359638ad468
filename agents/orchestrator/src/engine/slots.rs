//! Turns: a team works on at most `maxConcurrentTasks` tasks, the most urgent and then the oldest first.

use super::drive::Engine;
use super::error::Error;
use super::store;
use crate::machine::Event;
use sqlx::PgConnection;
use uuid::Uuid;

/// Tasks of a team whose row does not say.
const DEFAULT_CONCURRENT: i64 = 4;
/// Names the lock under which turns are given.
const LOCK: &str = "golden-turns/";

impl Engine {
    /// Gives free turns and returns to whom. Replicas do this one after the other, so that together they give no
    /// turn too many.
    pub async fn give_turns(&self) -> Result<Vec<Uuid>, Error> {
        let mut tx = self.pool.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(format!("{LOCK}{}", self.team))
            .execute(&mut *tx)
            .await?;
        let free = self.free_turns(&mut tx).await?;
        let mut given = vec![];
        for task in self.next_in_turn(&mut tx, free).await? {
            let Some(loaded) = store::load(&mut tx, self.team, task).await? else { continue };
            if !loaded.state.wants_slot() {
                continue;
            }
            let moved = Self::steps(&loaded, &[Event::SlotGranted], self.clock.now());
            self.update_task(&mut tx, &loaded.task, (&loaded.state, loaded.version), &moved).await?;
            self.write_effects(&mut tx, &loaded.task, &moved).await?;
            self.announce(&mut tx, &loaded.task, Some(&loaded.state), &moved).await?;
            given.push(task);
        }
        self.commit(tx).await?;
        Ok(given)
    }

    async fn free_turns(&self, conn: &mut PgConnection) -> Result<i64, Error> {
        let most: Option<i64> = sqlx::query_scalar(
            "SELECT (spec ->> 'maxConcurrentTasks')::bigint FROM teams WHERE team_uid = $1",
        )
        .bind(self.team)
        .fetch_optional(&mut *conn)
        .await?
        .flatten();
        let taken: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM tasks WHERE team_uid = $1 AND ended_at IS NULL AND (state ->> 'slot')::boolean",
        )
        .bind(self.team)
        .fetch_one(conn)
        .await?;
        Ok((most.unwrap_or(DEFAULT_CONCURRENT) - taken).max(0))
    }

    /// Locked rows are being moved by others; they come next time.
    async fn next_in_turn(&self, conn: &mut PgConnection, free: i64) -> Result<Vec<Uuid>, Error> {
        if free == 0 {
            return Ok(vec![]);
        }
        Ok(sqlx::query_scalar(
            "SELECT task_uid FROM tasks
             WHERE team_uid = $1 AND ended_at IS NULL AND stage = 'Waiting'
               AND NOT (state ->> 'slot')::boolean AND NOT (state ->> 'suspended')::boolean
               AND NOT state ? 'waitingFor' AND NOT state ? 'brokenDependency'
             ORDER BY coalesce((spec ->> 'priority')::bigint, 0) DESC, created_at, task_uid
             LIMIT $2 FOR UPDATE SKIP LOCKED",
        )
        .bind(self.team)
        .bind(free)
        .fetch_all(conn)
        .await?)
    }

    /// Tells tasks that wait for others what became of these: all were admitted before whoever waits for them, and so have
    /// an end. Returns how many were told.
    pub async fn tell_dependents(&self) -> Result<usize, Error> {
        let ended: Vec<(Uuid, Uuid, String)> = sqlx::query_as(
            "SELECT w.task_uid, d.task_uid, d.outcome
             FROM tasks w, jsonb_to_recordset(w.state -> 'waitingFor') AS x(uid uuid)
             JOIN tasks d ON d.task_uid = x.uid
             WHERE w.team_uid = $1 AND w.ended_at IS NULL AND w.stage = 'Waiting' AND w.state ? 'waitingFor'
               AND d.outcome IS NOT NULL
             ORDER BY w.task_uid LIMIT 256",
        )
        .bind(self.team)
        .fetch_all(&self.pool)
        .await?;
        let told = ended.len();
        for (waiting, uid, outcome) in ended {
            self.drive_with(waiting, vec![Event::DependencyEnded { uid, outcome }]).await?;
        }
        Ok(told)
    }
}
