//! What there is: the target, what it asks now (from the database, which is ahead of the status), other answers.

use crate::context::Context;
use crate::error::Error;
use crate::forecast_questions::{self, Question};
use golden_crds::decision::TargetKind;
use golden_crds::{AgentTask, Decision};
use golden_platform::wire::TaskView;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use sqlx::Row;
use std::sync::Arc;
use uuid::Uuid;

/// Everything a verdict on a decision rests on.
pub(crate) struct Seen {
    pub(crate) decision: Arc<Decision>,
    pub(crate) uid: Uuid,
    pub(crate) task: Option<Arc<AgentTask>>,
    pub(crate) row: Option<TaskRow>,
    /// What was last asked about the task while it is not admitted.
    pub(crate) question: Option<Question>,
    /// Questions about the same digest that the same person has answered with another Decision that counted.
    pub(crate) answered: Vec<String>,
    /// The fact, or the end of the question, is written already: it was accepted before a crash.
    pub(crate) told: bool,
}

/// The task's run.
pub(crate) struct TaskRow {
    pub(crate) task_uid: Uuid,
    pub(crate) team_uid: Uuid,
    pub(crate) submitted_by: String,
    pub(crate) ended: bool,
    pub(crate) view: TaskView,
}

/// Looks at the caches and the database.
pub(crate) async fn observe(decision: &Arc<Decision>, ctx: &Context) -> Result<Seen, Error> {
    let target = &decision.spec.target;
    let namespace = decision.namespace().unwrap_or_default();
    let uid = decision.uid().unwrap_or_default();
    let uid = uid.parse().map_err(|_| Error::Bug(format!("decision {} has no uid", decision.name_any())))?;
    let task = (target.kind == TargetKind::AgentTask)
        .then(|| ctx.caches.tasks.get(&ObjectRef::new(&target.name).within(&namespace)))
        .flatten();
    let row = row(&target.uid, ctx).await?;
    let question = match &row {
        None => question(&target.uid, ctx).await?,
        Some(_) => None,
    };
    Ok(Seen {
        row,
        question,
        told: told(uid, ctx).await?,
        answered: answered(decision, ctx).await?,
        uid,
        task,
        decision: Arc::clone(decision),
    })
}

async fn row(uid: &str, ctx: &Context) -> Result<Option<TaskRow>, Error> {
    let Ok(uid) = uid.parse::<Uuid>() else { return Ok(None) };
    let failed = |e: sqlx::Error| Error::database("read the decision's task", &e);
    let row = sqlx::query(
        "SELECT task_uid, team_uid, submitted_by, ended_at IS NOT NULL AS ended, view FROM tasks WHERE task_uid = $1",
    )
    .bind(uid)
    .fetch_optional(&ctx.pool)
    .await
    .map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let view = serde_json::from_value(row.try_get("view").map_err(failed)?)
        .map_err(|e| Error::Bug(format!("the view of task {uid} cannot be read: {e}")))?;
    Ok(Some(TaskRow {
        task_uid: row.try_get("task_uid").map_err(failed)?,
        team_uid: row.try_get("team_uid").map_err(failed)?,
        submitted_by: row.try_get("submitted_by").map_err(failed)?,
        ended: row.try_get("ended").map_err(failed)?,
        view,
    }))
}

async fn question(task: &str, ctx: &Context) -> Result<Option<Question>, Error> {
    let Ok(task) = task.parse::<Uuid>() else { return Ok(None) };
    forecast_questions::latest(&ctx.pool, task)
        .await
        .map_err(|e| Error::database("read what is asked about the task", &e))
}

async fn told(uid: Uuid, ctx: &Context) -> Result<bool, Error> {
    let work = async {
        let fact: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM facts WHERE object_uid = $1 AND fact_key = 'decision')",
        )
        .bind(uid)
        .fetch_one(&ctx.pool)
        .await?;
        Ok(fact || forecast_questions::resolved_by(&ctx.pool, uid).await?)
    };
    work.await.map_err(|e: sqlx::Error| Error::database("look for the decision's effect", &e))
}

/// From the facts, which say what each answer was for: a Decision that was refused has none, and uses nothing up.
async fn answered(decision: &Decision, ctx: &Context) -> Result<Vec<String>, Error> {
    let (mine, target) = (decision.uid(), &decision.spec.target);
    let others: Vec<Uuid> = ctx
        .caches
        .decisions
        .state()
        .iter()
        .filter(|other| {
            other.uid() != mine
                && other.spec.decided_by == decision.spec.decided_by
                && other.spec.target.uid == target.uid
                && other.spec.target.digest == target.digest
        })
        .filter_map(|other| other.uid()?.parse().ok())
        .collect();
    if others.is_empty() {
        return Ok(vec![]);
    }
    sqlx::query_scalar(
        "SELECT coalesce(body->>'question', '') FROM facts WHERE object_uid = ANY ($1) AND fact_key = 'decision'",
    )
    .bind(others)
    .fetch_all(&ctx.pool)
    .await
    .map_err(|e| Error::database("look for earlier answers", &e))
}
