//! Writes the status, as seldom as it may be and as soon as it must.

use super::MANAGER;
use super::act::Acted;
use super::observe::Seen;
use super::plan::Plan;
use super::question::Step;
use super::status::{self, status};
use super::urgency::{Urgency, urgency};
use crate::context::Context;
use crate::effects::write_status;
use crate::error::Error;
use golden_crds::conditions::{ADMITTED, BUDGET_AVAILABLE, STALLED, find};
use golden_crds::{AgentTask, AgentTaskStatus};
use jiff::Timestamp;
use kube::{Api, ResourceExt};
use std::time::{Duration, Instant};

/// A store may be away for so long without being told of: restarts are no news.
const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// Writes if it is due. Some(wait): it is due then.
pub(crate) async fn report(
    seen: &Seen,
    plan: &Plan,
    acted: &Result<Acted, Error>,
    ctx: &Context,
) -> Result<Option<Duration>, Error> {
    if let Err(error) = acted
        && let Some(why) = error.store_reason()
    {
        return away(&seen.task, why, error, ctx).await;
    }
    if acted.is_err() && (plan.admit.is_some() || plan.question != Step::Keep) {
        // The admission, or what is asked, may not have been written: it is not reported.
        return Ok(None);
    }
    let after = status(seen, plan, acted.as_ref().ok(), Timestamp::now());
    let before = seen.task.status.clone().unwrap_or_default();
    write(&seen.task, &before, &after, urgency(&before, &after), ctx).await
}

/// The rows could not be read.
pub(crate) async fn unobserved(task: &AgentTask, error: &Error, ctx: &Context) -> Result<(), Error> {
    match error.store_reason() {
        Some(why) => away(task, why, error, ctx).await.map(drop),
        None => Ok(()),
    }
}

async fn away(task: &AgentTask, why: &str, error: &Error, ctx: &Context) -> Result<Option<Duration>, Error> {
    if crate::queues::ended(task) {
        return Ok(None);
    }
    let before = task.status.clone().unwrap_or_default();
    // The bare fact: the driver's words differ with every try and would be written every time.
    let message = format!("{}; work goes on by itself when it is back", plain(why));
    let after = status::unobserved(&before, why, &message, task.metadata.generation, Timestamp::now());
    let urgency = if before == after { Urgency::None } else { Urgency::Lasting(STORE_PATIENCE) };
    tracing::debug!(task = task.name_any(), %error, "a store is away");
    write(task, &before, &after, urgency, ctx).await
}

fn plain(why: &str) -> &'static str {
    match why {
        "DatabaseUnreachable" => "Postgres does not answer",
        "MessagingUnreachable" => "NATS does not answer",
        _ => "a store does not answer",
    }
}

async fn write(
    task: &AgentTask,
    before: &AgentTaskStatus,
    after: &AgentTaskStatus,
    urgency: Urgency,
    ctx: &Context,
) -> Result<Option<Duration>, Error> {
    let (uid, now) = (task.uid().unwrap_or_default(), Instant::now());
    let wait = match urgency {
        Urgency::None => {
            ctx.pacing.settled(&uid);
            return Ok(None);
        }
        Urgency::Now => Duration::ZERO,
        Urgency::Lasting(time) => time.saturating_sub(ctx.pacing.lasting(&uid, &signature(after), now)),
        Urgency::Progress => ctx.pacing.wait(&uid, now),
    };
    if !wait.is_zero() {
        return Ok(Some(wait));
    }
    let api: Api<AgentTask> = Api::namespaced(ctx.client.clone(), &task.namespace().unwrap_or_default());
    write_status(&api, &ctx.caches.tasks, MANAGER, task, after).await?;
    ctx.pacing.wrote(&uid, urgency != Urgency::Progress, now);
    let money = |status: &AgentTaskStatus| find(&status.conditions, BUDGET_AVAILABLE).cloned();
    if money(before) != money(after) {
        ctx.queues.money(&ctx.caches);
    }
    ctx.events.transitions(task, &before.conditions, &after.conditions).await;
    Ok(None)
}

/// What makes a pending change the same one: types, statuses and reasons, and not words or times.
fn signature(status: &AgentTaskStatus) -> String {
    let one = |type_| {
        find(&status.conditions, type_)
            .map_or_else(String::new, |c| format!("{}={}/{} ", c.type_, c.status, c.reason))
    };
    format!("{}{}{}{:?}", one(ADMITTED), one(BUDGET_AVAILABLE), one(STALLED), status.observed_generation)
}
