//! What watches alone cannot promise: objects that vanished while nobody looked.
//!
//! AgentTasks have no finalizer: a uid that is gone is the fact `Deleted`. It is told when the watch sees it, and
//! every half minute for whatever is open in the database and not in the cluster. The cache alone never counts as
//! proof: the apiserver is asked before anything is taken for gone.

use crate::context::Context;
use crate::controllers::agent_team;
use crate::effects::{bounded, delete};
use crate::error::Error;
use crate::forecast_questions;
use crate::leftovers;
use crate::queues::Vanished;
use futures::StreamExt;
use futures::channel::mpsc;
use golden_crds::labels::TASK_UID;
use golden_crds::{AgentTeam, Budget};
use golden_platform::wire::{Fact, NewFact};
use golden_platform::{CancellationToken, facts, ledger_accounts};
use k8s_openapi::api::core::v1::Pod;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const EVERY: Duration = Duration::from_secs(30);

/// An object of the database.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Known {
    uid: Uuid,
    namespace: String,
    name: String,
}

/// Sweeps until `stop`.
pub(crate) async fn run(
    ctx: Arc<Context>,
    mut vanished: mpsc::UnboundedReceiver<Vanished>,
    stop: CancellationToken,
) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let done = tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => if ctx.leadership.held() { sweep(&ctx).await } else { Ok(()) },
            seen = vanished.next() => match seen {
                None => return,
                Some(Vanished::Task(uid)) if ctx.leadership.held() => gone(&ctx, &uid).await,
                Some(Vanished::Budget(uid)) if ctx.leadership.held() => match uid.parse() {
                    Ok(uid) => budgets(&ctx, Some(uid)).await,
                    Err(_) => Ok(()),
                },
                Some(_) => Ok(()),
            },
        };
        if let Err(error) = done {
            // Nothing is lost: the next sweep finds the same.
            tracing::warn!(%error, "a sweep failed and is repeated");
        }
    }
}

/// The watch saw a task go.
async fn gone(ctx: &Context, uid: &str) -> Result<(), Error> {
    let Ok(parsed) = uid.parse::<Uuid>() else { return Ok(()) };
    // A watch that was interrupted may tell of an object that only could not be read.
    if let Some(known) = admitted_task(ctx, parsed).await?
        && is_gone(&ctx.caches.tasks, &known, ctx).await?
    {
        deleted(ctx, parsed).await?;
    }
    questions(ctx, Some(parsed)).await?;
    ctx.pacing.forget(uid);
    Ok(())
}

async fn sweep(ctx: &Context) -> Result<(), Error> {
    tasks(ctx).await?;
    questions(ctx, None).await?;
    teams(ctx).await?;
    budgets(ctx, None).await?;
    leftovers::remove(ctx).await?;
    streams(ctx).await
}

pub(crate) async fn admitted_task(ctx: &Context, uid: Uuid) -> Result<Option<Known>, Error> {
    sqlx::query_as(
        "SELECT object_uid AS uid, body->>'namespace' AS namespace, body->>'name' AS name FROM facts
         WHERE object_uid = $1 AND fact_key = 'admitted'",
    )
    .bind(uid)
    .fetch_optional(&ctx.pool)
    .await
    .map_err(|e| Error::database("look for a vanished task", &e))
}

/// Tasks that are open in the database and not in the cluster.
async fn tasks(ctx: &Context) -> Result<(), Error> {
    let open: Vec<Known> = sqlx::query_as(
        "SELECT f.object_uid AS uid, f.body->>'namespace' AS namespace, f.body->>'name' AS name
         FROM facts f LEFT JOIN tasks t ON t.task_uid = f.object_uid
         WHERE f.kind = 'Admitted' AND t.ended_at IS NULL
           AND NOT EXISTS (SELECT FROM facts d WHERE d.object_uid = f.object_uid AND d.fact_key = 'deleted')",
    )
    .fetch_all(&ctx.pool)
    .await
    .map_err(|e| Error::database("list open tasks", &e))?;
    for known in open {
        if is_gone(&ctx.caches.tasks, &known, ctx).await? {
            deleted(ctx, known.uid).await?;
        }
    }
    Ok(())
}

/// Questions about tasks that went before they were admitted; of one task, or of all.
async fn questions(ctx: &Context, task: Option<Uuid>) -> Result<(), Error> {
    let failed = |e: sqlx::Error| Error::database("withdraw the questions about deleted tasks", &e);
    let open: Vec<Known> = sqlx::query_as(
        "SELECT e.task_uid AS uid, t.namespace, e.task_name AS name FROM escalations e JOIN teams t USING (team_uid)
         WHERE e.attempt = 0 AND e.state = 'Open' AND ($1::uuid IS NULL OR e.task_uid = $1)",
    )
    .bind(task)
    .fetch_all(&ctx.pool)
    .await
    .map_err(failed)?;
    for known in open {
        if is_gone(&ctx.caches.tasks, &known, ctx).await? {
            let mut conn = ctx.pool.acquire().await.map_err(failed)?;
            forecast_questions::withdraw(&mut conn, known.uid).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// Writes the fact and takes the pods away; those in the task's namespace would go with their owner anyway.
async fn deleted(ctx: &Context, uid: Uuid) -> Result<(), Error> {
    let failed = |e: sqlx::Error| Error::database("tell of a deleted task", &e);
    let team: Option<Uuid> =
        sqlx::query_scalar("SELECT team_uid FROM facts WHERE object_uid = $1 AND fact_key = 'admitted'")
            .bind(uid)
            .fetch_optional(&ctx.pool)
            .await
            .map_err(failed)?;
    let Some(team_uid) = team else { return Ok(()) };
    let fact =
        NewFact { team_uid, task_uid: uid, object_uid: uid, fact_key: "deleted".into(), fact: Fact::Deleted };
    let mut conn = ctx.pool.acquire().await.map_err(failed)?;
    facts::insert(&mut conn, &fact).await.map_err(failed)?;
    tracing::info!(task = %uid, "an AgentTask is gone");
    drop(conn);
    for pod in ctx.caches.pods_with(TASK_UID, &uid.to_string()) {
        delete_pod(&pod, ctx).await?;
    }
    Ok(())
}

/// Teams whose clean-up gave up on the database, or that were removed with their finalizer by hand.
async fn teams(ctx: &Context) -> Result<(), Error> {
    let open: Vec<Known> =
        sqlx::query_as("SELECT team_uid AS uid, namespace, name FROM teams WHERE deleted_at IS NULL")
            .fetch_all(&ctx.pool)
            .await
            .map_err(|e| Error::database("list teams", &e))?;
    for known in open {
        if is_gone::<AgentTeam>(&ctx.caches.teams, &known, ctx).await? {
            agent_team::close(known.uid, ctx).await?;
            tracing::info!(team = %known.uid, "an AgentTeam is gone");
        }
    }
    Ok(())
}

/// Streams of teams that ended while NATS was away. Last: while it is, nothing else waits for it.
async fn streams(ctx: &Context) -> Result<(), Error> {
    let owners = agent_team::with_streams(ctx).await?;
    let ended: Vec<Uuid> = sqlx::query_scalar(
        "SELECT team_uid FROM teams WHERE team_uid = ANY($1) AND deleted_at < now() - interval '5 minutes'",
    )
    .bind(&owners)
    .fetch_all(&ctx.pool)
    .await
    .map_err(|e| Error::database("look for ended teams", &e))?;
    for team in ended {
        let kept = agent_team::end_streams(team, ctx).await?;
        tracing::info!(%team, ?kept, "streams of an ended team");
    }
    Ok(())
}

/// Budgets that are gone grant nothing any more: this one, or all.
async fn budgets(ctx: &Context, budget: Option<Uuid>) -> Result<(), Error> {
    let failed = |e: sqlx::Error| Error::database("close the accounts of deleted budgets", &e);
    let open: Vec<Known> = sqlx::query_as(
        "SELECT account_uid AS uid, namespace, name FROM accounts
         WHERE kind = 'Budget' AND deleted_at IS NULL AND ($1::uuid IS NULL OR account_uid = $1)",
    )
    .bind(budget)
    .fetch_all(&ctx.pool)
    .await
    .map_err(failed)?;
    for known in open {
        if is_gone::<Budget>(&ctx.caches.budgets, &known, ctx).await? {
            let mut conn = ctx.pool.acquire().await.map_err(failed)?;
            ledger_accounts::mark_deleted(&mut conn, known.uid).await.map_err(failed)?;
            ctx.metrics.no_budget(&known.namespace, &known.name);
            ctx.budgets_written.forget(&known.uid.to_string());
            ctx.spenders_read.forget(&known.uid.to_string());
        }
    }
    Ok(())
}

/// Not cached, and the apiserver has none of that name and uid either.
pub(crate) async fn is_gone<K>(cache: &Store<K>, known: &Known, ctx: &Context) -> Result<bool, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug
        + 'static,
{
    let uid = known.uid.to_string();
    let cached = cache.get(&ObjectRef::new(&known.name).within(&known.namespace));
    if cached.is_some_and(|object| object.meta().uid.as_deref() == Some(&uid)) {
        return Ok(false);
    }
    let api: Api<K> = Api::namespaced(ctx.client.clone(), &known.namespace);
    let action = format!("look for {} {}", K::kind(&()).to_lowercase(), known.name);
    let live = bounded(&action, api.get_metadata_opt(&known.name)).await?;
    Ok(live.is_none_or(|object| object.metadata.uid.as_deref() != Some(&uid)))
}

async fn delete_pod(pod: &Pod, ctx: &Context) -> Result<(), Error> {
    if pod.metadata.deletion_timestamp.is_some() {
        return Ok(());
    }
    let api: Api<Pod> = Api::namespaced(ctx.client.clone(), &pod.namespace().unwrap_or_default());
    delete(&api, &pod.name_any(), pod.uid().as_deref(), None).await
}
