//! A team that is being deleted: its services go, its row is closed, its empty streams go and the others
//! stay, marked with how long.
//!
//! Deletion never waits for itself: with the namespace going too, or a store away for long, what cannot be done is left to
//! the sweep. Streams that are kept are told of in an event.

use super::act::set_finalizers;
use super::observe::Seen;
use super::plan::FINALIZER;
use crate::build::service::Service;
use crate::context::Context;
use crate::effects::delete;
use crate::error::Error;
use golden_crds::conditions::agent_team as reason;
use golden_crds::labels::service_name;
use golden_platform::closing::close_team;
use golden_platform::streams::{self, Retired};
use golden_platform::subjects;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use std::time::Duration;
use uuid::Uuid;

/// How long a store may be away before the deletion goes on without it.
const PATIENCE_SECONDS: i64 = 120;
const STORE_CALL: Duration = Duration::from_secs(10);
/// How long a stream with messages is said to be kept.
const RETENTION: Duration = Duration::from_hours(30 * 24);

/// Cleans up and takes the finalizer off.
pub(crate) async fn clean(seen: &Seen, ctx: &Context) -> Result<Action, Error> {
    if !seen.team.finalizers().iter().any(|f| f == FINALIZER) {
        return Ok(Action::await_change());
    }
    services(seen, ctx).await?;
    patiently(seen, close(seen.uid, ctx).await, "its row in Postgres")?;
    let ended = end_streams(seen.uid, ctx).await;
    if let Ok(kept) = &ended {
        tell(seen, kept, ctx).await;
    }
    patiently(seen, ended.map(drop), "its streams in NATS")?;
    set_finalizers(&seen.team, &[], ctx).await?;
    ctx.teams_checked.forget(&seen.uid.to_string());
    Ok(Action::await_change())
}

async fn services(seen: &Seen, ctx: &Context) -> Result<(), Error> {
    let (golden, uid) = (&ctx.settings.namespace, seen.uid.to_string());
    for service in Service::ALL {
        let name = service_name(service.name(), &seen.team.name_any(), &uid);
        delete(&Api::<Deployment>::namespaced(ctx.client.clone(), golden), &name, None, None).await?;
        delete(&Api::<core::Service>::namespaced(ctx.client.clone(), golden), &name, None, None).await?;
        delete(&Api::<PodDisruptionBudget>::namespaced(ctx.client.clone(), golden), &name, None, None)
            .await?;
    }
    Ok(())
}

/// Whether to go on without a store that failed.
fn patiently(seen: &Seen, result: Result<(), Error>, what: &str) -> Result<(), Error> {
    let Err(error) = result else { return Ok(()) };
    if !gives_up(seen, Timestamp::now()) {
        return Err(error);
    }
    tracing::warn!(team = seen.team.name_any(), %error, "the team is deleted without cleaning {what}: the sweep does");
    Ok(())
}

/// The namespace is going, or the deletion has waited long enough.
pub(crate) fn gives_up(seen: &Seen, now: Timestamp) -> bool {
    let since = seen.team.metadata.deletion_timestamp.as_ref().map_or(now, |t| t.0);
    seen.namespace_ends || now.as_second() - since.as_second() > PATIENCE_SECONDS
}

/// Closes the row and ends what nobody will drive any more; reservations end with their leases.
pub(crate) async fn close(uid: Uuid, ctx: &Context) -> Result<(), Error> {
    match tokio::time::timeout(STORE_CALL, close_team(&ctx.pool, uid, Timestamp::now())).await {
        Ok(done) => {
            let ended = done.map_err(|e| Error::database("close the team", &e))?;
            if ended > 0 {
                tracing::info!(team = %uid, ended, "open tasks ended with their team");
            }
            Ok(())
        }
        Err(_) => Err(Error::database("close the team", &sqlx::Error::PoolTimedOut)),
    }
}

/// Deletes streams that hold nothing; the others are kept, each with its messages.
pub(crate) async fn end_streams(team: Uuid, ctx: &Context) -> Result<Vec<String>, Error> {
    let names = [subjects::prc_stream(team), subjects::escalations_stream(team), subjects::dlq_stream(team)];
    let until = Timestamp::now() + RETENTION;
    let mut kept = Vec::new();
    for name in names {
        match tokio::time::timeout(STORE_CALL, streams::retire(&ctx.jetstream, &name, until)).await {
            Ok(Ok(Retired::Gone)) => {}
            Ok(Ok(Retired::Kept(messages))) => kept.push(format!("{name} ({messages})")),
            Ok(Err(error)) => return Err(away(error.to_string())),
            Err(_) => return Err(away("no answer in time".into())),
        }
    }
    Ok(kept)
}

/// The teams that have streams which nobody has ended.
pub(crate) async fn with_streams(ctx: &Context) -> Result<Vec<Uuid>, Error> {
    match tokio::time::timeout(STORE_CALL, streams::owners(&ctx.jetstream)).await {
        Ok(listed) => Ok(listed.map_err(|e| away(e.to_string()))?.into_iter().collect()),
        Err(_) => Err(away("no answer in time".into())),
    }
}

async fn tell(seen: &Seen, kept: &[String], ctx: &Context) {
    if !kept.is_empty() {
        let message = format!(
            "streams that still hold messages were kept, marked with how long: {}; look at them with the nats tool and delete them when they are of no use",
            kept.join(", ")
        );
        ctx.events.send(&*seen.team, true, reason::STREAMS_RETAINED, &message).await;
    }
}

fn away(message: String) -> Error {
    Error::Messaging {
        action: "delete the team's streams".into(),
        class: golden_platform::Class::Dependency,
        message,
    }
}
