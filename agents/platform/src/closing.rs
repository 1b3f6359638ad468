//! The end of a team in the database: its open tasks get an outcome, and nothing of theirs is wanted any more.
//!
//! Contract: done by whoever removes the team, in Postgres alone, since its orchestrator goes with it; a task that the
//! orchestrator still moves at that moment is moved once (row lock and version). The record of each task ends with an
//! entry of its own, so that it stays whole and says why. Calling it again changes nothing. Reservations need nothing:
//! the ledger ends them with their leases, those of calls under way at their upper bound.

use crate::facts::notify;
use crate::records;
use crate::subjects::NOTIFY_TASKS;
use crate::wire::{Admission, TaskView, ViewCondition};
use golden_crds::agent_task::RecordStatus;
use golden_crds::conditions::agent_task::TEAM_DELETED;
use golden_crds::conditions::{COMPLETE, FAILED, RECONCILING, STALLED};
use golden_record::Header;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// What a task of a deleted team says.
pub const MESSAGE: &str =
    "the AgentTeam that worked on the task was deleted; submit the task to another team";
/// Added when the result was on its way out.
const DELIVERING: &str = "; its delivery had begun, so look whether the branch was pushed";
/// Tasks ended in one transaction.
const BATCH: i64 = 128;
/// Parts of the state that end with the task.
const OPEN_PARTS: [&str; 9] =
    ["pod", "freed", "saved", "finish", "job", "escalation", "held", "resumed", "trouble"];

/// Ends what a team has open and closes its row. How many tasks were ended.
pub async fn close_team(pool: &PgPool, team: Uuid, now: Timestamp) -> Result<usize, sqlx::Error> {
    let mut ended = 0;
    // Most of them before the row is touched, so that no transaction is long.
    loop {
        let mut tx = pool.begin().await?;
        let some = end_some(&mut tx, team, now).await?;
        tx.commit().await?;
        ended += some;
        if some == 0 {
            break;
        }
    }
    let mut tx = pool.begin().await?;
    // Waits for admissions under way, and keeps further ones out (`is_open`).
    sqlx::query("UPDATE teams SET deleted_at = coalesce(deleted_at, now()) WHERE team_uid = $1")
        .bind(team)
        .execute(&mut *tx)
        .await?;
    loop {
        let some = end_some(&mut tx, team, now).await?;
        ended += some;
        if some == 0 {
            break;
        }
    }
    for statement in [
        "UPDATE desired SET wanted = false WHERE team_uid = $1 AND wanted",
        "UPDATE escalations SET state = 'Withdrawn', resolved_at = now() WHERE team_uid = $1 AND state = 'Open'",
        "UPDATE facts SET consumed_at = now() WHERE team_uid = $1 AND consumed_at IS NULL",
    ] {
        sqlx::query(statement).bind(team).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(ended)
}

/// Whether a team may still take tasks; it stays so until the caller's transaction ends. One without a row may: it is
/// written a moment later.
pub async fn is_open(conn: &mut PgConnection, team: Uuid) -> Result<bool, sqlx::Error> {
    let closed: Option<bool> =
        sqlx::query_scalar("SELECT deleted_at IS NOT NULL FROM teams WHERE team_uid = $1 FOR SHARE")
            .bind(team)
            .fetch_optional(conn)
            .await?;
    Ok(closed != Some(true))
}

async fn end_some(conn: &mut PgConnection, team: Uuid, now: Timestamp) -> Result<usize, sqlx::Error> {
    let open: Vec<(Uuid, Value, Value)> = sqlx::query_as(
        "SELECT task_uid, state, view FROM tasks WHERE team_uid = $1 AND ended_at IS NULL
         ORDER BY task_uid LIMIT $2 FOR UPDATE",
    )
    .bind(team)
    .bind(BATCH)
    .fetch_all(&mut *conn)
    .await?;
    for (task, state, view) in &open {
        let (entry, state, view) = ended(state, view, now)?;
        records::append(conn, team, *task, &entry).await?;
        sqlx::query(
            "UPDATE tasks SET state = $2, view = $3, stage = 'Failed', outcome = 'Failed', version = version + 1,
                              wake_at = NULL, ended_at = $4::timestamptz
             WHERE task_uid = $1",
        )
        .bind(task)
        .bind(state)
        .bind(view)
        .bind(now.to_string())
        .execute(&mut *conn)
        .await?;
        notify(conn, NOTIFY_TASKS, *task).await?;
    }
    Ok(open.len() + end_unbegun(conn, team, now).await?)
}

/// Tasks that were admitted and that the orchestrator never took in.
async fn end_unbegun(conn: &mut PgConnection, team: Uuid, now: Timestamp) -> Result<usize, sqlx::Error> {
    let found: Vec<(Uuid, Value)> = sqlx::query_as(
        "SELECT f.task_uid, f.body FROM facts f
         WHERE f.team_uid = $1 AND f.kind = 'Admitted'
           AND NOT EXISTS (SELECT FROM tasks t WHERE t.task_uid = f.task_uid)
         ORDER BY f.id LIMIT $2",
    )
    .bind(team)
    .bind(BATCH)
    .fetch_all(&mut *conn)
    .await?;
    let install: Uuid = sqlx::query_scalar("SELECT install_id FROM install").fetch_one(&mut *conn).await?;
    for (task, body) in &found {
        let admission: Admission = serde_json::from_value(body.clone()).map_err(|e| encode(&e))?;
        let header = Header {
            v: golden_record::VERSION,
            team: team.to_string(),
            task: task.to_string(),
            install: install.to_string(),
        };
        let begun = unbegun(&admission, &golden_record::genesis(&header), now);
        let view = json!(TaskView { observed_generation: admission.generation, ..TaskView::default() });
        let (entry, state, view) = ended(&begun, &view, now)?;
        let inserted = sqlx::query(
            "INSERT INTO tasks (task_uid, team_uid, namespace, name, submitted_by, spec, policy, models, state, view,
                                stage, outcome, version, ended_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'Failed', 'Failed', 1, $11::timestamptz)
             ON CONFLICT (task_uid) DO NOTHING",
        )
        .bind(task)
        .bind(team)
        .bind(&admission.namespace)
        .bind(&admission.name)
        .bind(&admission.submitted_by)
        .bind(json!(admission.spec))
        .bind(&admission.policy)
        .bind(json!(admission.models))
        .bind(state)
        .bind(view)
        .bind(now.to_string())
        .execute(&mut *conn)
        .await?
        .rows_affected();
        // Else the orchestrator was faster, and it is among the open ones next time.
        if inserted == 1 {
            records::append(conn, team, *task, &entry).await?;
            notify(conn, NOTIFY_TASKS, *task).await?;
        }
    }
    Ok(found.len())
}

/// The state of a task of which nothing but its admission is known.
fn unbegun(admission: &Admission, genesis: &str, now: Timestamp) -> Value {
    json!({
        "v": 1, "stage": "Waiting", "generation": admission.generation, "admittedAt": now, "deadline": now,
        "tries": {"kind": "FetchPod", "attempt": 0, "made": 0, "lost": 0, "failures": 0},
        "record": {"entries": 0, "head": genesis},
    })
}

/// The record's last entry, and state and view as they are after it. Pure.
fn ended(
    state: &Value,
    view: &Value,
    now: Timestamp,
) -> Result<(golden_record::Entry, Value, Value), sqlx::Error> {
    let delivering = state["stage"] == "Delivering";
    let message = if delivering { format!("{MESSAGE}{DELIVERING}") } else { MESSAGE.to_owned() };
    let entries = state["record"]["entries"].as_u64().unwrap_or(0);
    let head = state["record"]["head"].as_str().unwrap_or_default();
    let body = json!({
        "outcome": "Failed", "reason": TEAM_DELETED, "message": message, "attempt": state["attempt"],
        "digest": state["delivery"]["digest"], "delivered": state["delivery"]["delivered"],
        "usage": state["usage"],
    });
    let entry = golden_record::append(head, entries + 1, &now.to_string(), "Ended", body)
        .map_err(|e| sqlx::Error::Encode(Box::new(e)))?;
    let mut state: Map<String, Value> = state.as_object().cloned().unwrap_or_default();
    for part in OPEN_PARTS {
        state.remove(part);
    }
    let outcome = json!({"kind": "Failed", "reason": TEAM_DELETED, "message": message, "at": now});
    for (key, value) in [
        ("stage", json!("Ended")),
        ("slot", json!(false)),
        ("outcome", outcome),
        ("record", json!({"entries": entry.seq, "head": entry.hash})),
    ] {
        state.insert(key.to_owned(), value);
    }
    let mut view: TaskView = serde_json::from_value(view.clone()).map_err(|e| encode(&e))?;
    "Failed".clone_into(&mut view.stage);
    view.escalation = None;
    view.record = Some(RecordStatus {
        head: entry.hash.clone(),
        entries: i64::try_from(entry.seq).unwrap_or(i64::MAX),
    });
    view.conditions.retain(|c| ![COMPLETE, FAILED, STALLED, RECONCILING].contains(&c.r#type.as_str()));
    for (kind, status) in [(COMPLETE, "False"), (FAILED, "True"), (STALLED, "True")] {
        view.conditions.push(ViewCondition {
            r#type: kind.to_owned(),
            status: status.to_owned(),
            reason: TEAM_DELETED.to_owned(),
            message: message.clone(),
        });
    }
    Ok((entry, Value::Object(state), json!(view)))
}

fn encode(error: &serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(error.to_string().into())
}
