//! The status of a decision: written once when it is settled.

use super::MANAGER;
use super::validate::Refusal;
use crate::context::Context;
use crate::effects::write_status;
use crate::error::Error;
use golden_crds::Decision;
use golden_crds::conditions::decision as reason;
use golden_crds::conditions::{ACCEPTED, Status, set_condition};
use jiff::Timestamp;
use kube::{Api, ResourceExt};

/// Accepted or refused, for good.
pub(crate) async fn decided(
    decision: &Decision,
    verdict: &Result<String, Refusal>,
    ctx: &Context,
) -> Result<(), Error> {
    let (status, why, message) = match verdict {
        Ok(message) => (Status::True, reason::ACCEPTED, message),
        Err(refusal) => (Status::False, refusal.reason, &refusal.message),
    };
    write(decision, status, why, message, ctx).await
}

/// Cannot be said yet, since the database is away.
pub(crate) async fn undecided(decision: &Decision, error: &Error, ctx: &Context) -> Result<(), Error> {
    let why = error.store_reason().unwrap_or(reason::PENDING);
    write(decision, Status::Unknown, why, &error.to_string(), ctx).await
}

async fn write(
    decision: &Decision,
    status: Status,
    why: &str,
    message: &str,
    ctx: &Context,
) -> Result<(), Error> {
    let before = decision.status.clone().unwrap_or_default();
    let mut after = before.clone();
    after.observed_generation = decision.metadata.generation;
    set_condition(
        &mut after.conditions,
        ACCEPTED,
        status,
        why,
        message,
        decision.metadata.generation,
        Timestamp::now(),
    );
    if after == before {
        return Ok(());
    }
    let api: Api<Decision> = Api::namespaced(ctx.client.clone(), &decision.namespace().unwrap_or_default());
    write_status(&api, &ctx.caches.decisions, MANAGER, decision, &after).await?;
    ctx.events.transitions(decision, &before.conditions, &after.conditions).await;
    Ok(())
}
