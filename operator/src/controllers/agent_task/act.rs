//! The planned effects: facts and rows in Postgres, pods in the cluster. Every one may be repeated.

use super::history;
use super::observe::Seen;
use super::plan::{self, Plan};
use super::pods;
use super::question::Step;
use super::rows::Desired;
use super::validate::Admit;
use crate::build::pod::{For, pod};
use crate::context::Context;
use crate::effects::{Created, create, delete};
use crate::error::Error;
use crate::forecast_questions;
use crate::models::Fault;
use golden_crds::conditions::agent_task as reason;
use golden_platform::ledger_accounts::{TaskAccount, set_path, upsert_task};
use golden_platform::wire::{Fact, NewFact, PodOutcome, PodPhase};
use golden_platform::{closing, facts};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};
use uuid::Uuid;

/// What acting came to: what kept a pod from being made, if anything.
#[derive(Debug, Default)]
pub(crate) struct Acted {
    pub(crate) refused: Option<Fault>,
}

/// Carries the plan out.
pub(crate) async fn act(seen: &Seen, plan: &Plan, ctx: &Context) -> Result<Acted, Error> {
    match &plan.admit {
        Some(admit) => admit_task(seen, admit, &plan.question, ctx).await?,
        None => ask(seen, &plan.question, ctx).await?,
    }
    if let Some(generation) = plan.spec_changed {
        spec_changed(seen, generation, ctx).await?;
    }
    record(seen, plan, ctx).await?;
    if let Some((forecast, miss)) = &plan.missed
        && history::mark_measured(seen.uid, ctx).await?
    {
        // A process that dies here loses one measurement, and counts none twice.
        ctx.metrics.forecast(forecast, miss);
    }
    let mut acted = Acted {
        refused: plan.taken.as_ref().map(|name| Fault {
            reason: reason::CHILD_NAME_TAKEN,
            message: format!("a pod named {name} exists and is not this task's; delete it"),
        }),
    };
    for row in &plan.create {
        if let Some(fault) = start(seen, row, ctx).await? {
            acted.refused = Some(fault);
        }
    }
    for (namespace, name, uid) in &plan.delete {
        let api: Api<Pod> = Api::namespaced(ctx.client.clone(), namespace);
        delete(&api, name, Some(uid), None).await?;
    }
    Ok(acted)
}

/// Accounts, path and the fact in one transaction: a task that may begin can pay.
async fn admit_task(seen: &Seen, admit: &Admit, question: &Step, ctx: &Context) -> Result<(), Error> {
    let work = async {
        let mut tx = ctx.pool.begin().await?;
        if !closing::is_open(&mut tx, admit.team_uid).await? {
            return Ok(false);
        }
        upsert_task(&mut tx, &admit.account).await?;
        set_path(&mut tx, seen.uid, admit.team_uid, &admit.path).await?;
        history::keep(seen.uid, admit, &mut tx).await?;
        if *question == Step::Withdraw {
            forecast_questions::withdraw(&mut tx, seen.uid).await?;
        }
        let fact = NewFact {
            team_uid: admit.team_uid,
            task_uid: seen.uid,
            object_uid: seen.uid,
            fact_key: "admitted".into(),
            fact: Fact::Admitted(Box::new(admit.admission.clone())),
        };
        facts::insert(&mut tx, &fact).await?;
        tx.commit().await?;
        Ok(true)
    };
    let action = format!("admit task {}", seen.task.name_any());
    Error::unless_late(work.await, action, "its team was deleted at this moment")
}

/// Writes the question whether a task that is not admitted shall start.
async fn ask(seen: &Seen, step: &Step, ctx: &Context) -> Result<(), Error> {
    let work = async {
        match step {
            Step::Keep => Ok(true),
            Step::Put(question) => forecast_questions::put(&ctx.pool, question).await,
            Step::Expire(question) => forecast_questions::expire(&ctx.pool, question).await,
            Step::Withdraw => {
                let mut conn = ctx.pool.acquire().await?;
                forecast_questions::withdraw(&mut conn, seen.uid).await.map(|()| true)
            }
        }
    };
    let action = format!("ask about task {}", seen.task.name_any());
    Error::unless_late(work.await, action, "it was answered, or its team deleted, at this moment")
}

async fn spec_changed(seen: &Seen, generation: i64, ctx: &Context) -> Result<(), Error> {
    let Some(admitted) = &seen.rows.admitted else { return Ok(()) };
    let spec = &seen.task.spec;
    let account = TaskAccount {
        task_uid: seen.uid,
        team_uid: admitted.team_uid,
        namespace: seen.namespace(),
        name: seen.task.name_any(),
        limit_cost: spec.limits.as_ref().and_then(|l| l.cost_micro_usd),
        limit_tokens: spec.limits.as_ref().and_then(|l| l.tokens),
    };
    let fact = NewFact {
        team_uid: admitted.team_uid,
        task_uid: seen.uid,
        object_uid: seen.uid,
        fact_key: format!("spec/{generation}"),
        fact: Fact::SpecChanged {
            generation,
            desired_state: spec.desired_state,
            limits: spec.limits.clone(),
        },
    };
    let work = async {
        let mut tx = ctx.pool.begin().await?;
        upsert_task(&mut tx, &account).await?;
        facts::insert(&mut tx, &fact).await?;
        tx.commit().await
    };
    work.await.map_err(|e: sqlx::Error| Error::database("tell of a changed spec", &e))
}

/// Adopted pods and observed facts, in one transaction.
async fn record(seen: &Seen, plan: &Plan, ctx: &Context) -> Result<(), Error> {
    if plan.adopt.is_empty() && plan.facts.is_empty() {
        return Ok(());
    }
    let work = async {
        let mut tx = ctx.pool.begin().await?;
        for (row, uid) in &plan.adopt {
            know(&mut tx, row, *uid).await?;
        }
        let mut lost = Vec::new();
        for fact in &plan.facts {
            if facts::insert(&mut tx, fact).await? {
                lost.extend(lost_pod(&fact.fact));
            }
        }
        tx.commit().await.map(|()| lost)
    };
    let lost = work.await.map_err(|e: sqlx::Error| {
        Error::database(format!("tell of the pods of task {}", seen.task.name_any()), &e)
    })?;
    for pod in lost {
        let message = format!("pod {} was lost: {}; another one is made", pod.name, pod.message);
        ctx.events.send(&*seen.task, true, &pod.reason, &message).await;
    }
    Ok(())
}

/// A pod that was taken away before its end: an event of its own, since no condition lasts long enough to show it.
fn lost_pod(fact: &Fact) -> Option<&PodOutcome> {
    match fact {
        Fact::Pod(pod) if pod.phase == PodPhase::Lost => Some(pod),
        _ => None,
    }
}

/// The pod's uid goes to its row before anything else: it is how services know the pod's caller.
async fn know(conn: &mut sqlx::PgConnection, row: &Desired, uid: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE desired SET object_uid = $3 WHERE namespace = $1 AND name = $2 AND object_uid IS NULL",
    )
    .bind(&row.namespace)
    .bind(&row.name)
    .bind(uid)
    .execute(conn)
    .await
    .map(drop)
}

/// Makes a row's pod. Some: what keeps it from being made.
async fn start(seen: &Seen, row: &Desired, ctx: &Context) -> Result<Option<Fault>, Error> {
    let Some(admitted) = &seen.rows.admitted else { return Ok(None) };
    let (namespace, name) = (seen.namespace(), seen.task.name_any());
    let (task_uid, team_uid) = (seen.uid.to_string(), admitted.team_uid.to_string());
    let task = For {
        namespace: &namespace,
        task_name: &name,
        task_uid: &task_uid,
        team_name: &admitted.team_name,
        team_uid: &team_uid,
        placement: seen.team.as_ref().and_then(|t| t.spec.placement.as_ref()),
    };
    let wanted = pod(&row.name, &row.spec, task, &ctx.settings);
    if wanted.metadata.namespace.as_deref() != Some(&row.namespace) {
        return Err(Error::Bug(format!("pod {} is wanted in namespace {}", row.name, row.namespace)));
    }
    let api: Api<Pod> = Api::namespaced(ctx.client.clone(), &row.namespace);
    let made = match create(&api, &wanted).await? {
        Created::Now(made) => made,
        Created::Before(there) if plan::is_ours(&task_uid, row, &there) => there,
        Created::Before(_) => {
            return Ok(Some(Fault {
                reason: reason::CHILD_NAME_TAKEN,
                message: format!("a pod named {} exists and is not this task's; delete it", row.name),
            }));
        }
        Created::Refused(words) => return Ok(Some(refusal(&words))),
    };
    created(seen, admitted.team_uid, row, &made, ctx).await.map(|()| None)
}

async fn created(seen: &Seen, team_uid: Uuid, row: &Desired, made: &Pod, ctx: &Context) -> Result<(), Error> {
    let uid = made.uid().unwrap_or_default();
    let pod_uid: Uuid = uid.parse().map_err(|_| Error::Bug(format!("pod {} has no uid", row.name)))?;
    let fact = plan::fact(seen, team_uid, row, pod_uid, pods::created());
    let work = async {
        let mut tx = ctx.pool.begin().await?;
        know(&mut tx, row, pod_uid).await?;
        facts::insert(&mut tx, &fact).await?;
        tx.commit().await
    };
    work.await.map_err(|e: sqlx::Error| Error::database(format!("record pod {}", row.name), &e))
}

/// The apiserver's refusal of a pod, as a documented reason.
pub(crate) fn refusal(words: &str) -> Fault {
    if words.contains("RuntimeClass") {
        return Fault {
            reason: reason::RUNTIME_CLASS_NOT_FOUND,
            message: format!("the task's pod was refused: {words}"),
        };
    }
    Fault { reason: reason::CHILD_REFUSED, message: format!("the task's pod was refused: {words}") }
}
