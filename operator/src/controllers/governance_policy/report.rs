//! The status: one write if anything changed.

use super::MANAGER;
use super::observe::Seen;
use crate::context::Context;
use crate::effects::write_status;
use crate::error::Error;
use crate::models::Fault;
use golden_crds::conditions::governance_policy as reason;
use golden_crds::conditions::{Lifecycle, set_lifecycle};
use golden_crds::{GovernancePolicy, GovernancePolicyStatus};
use golden_governance::selects;
use jiff::Timestamp;
use kube::Api;

/// Writes the status.
pub(crate) async fn report(
    seen: &Seen,
    fault: Option<Fault>,
    now: Timestamp,
    ctx: &Context,
) -> Result<(), Error> {
    let before = seen.policy.status.clone().unwrap_or_default();
    let status = status(seen, fault, now);
    if status == before {
        return Ok(());
    }
    let api: Api<GovernancePolicy> = Api::all(ctx.client.clone());
    write_status(&api, &ctx.caches.policies, MANAGER, &*seen.policy, &status).await?;
    ctx.events.transitions(&*seen.policy, &before.conditions, &status.conditions).await;
    Ok(())
}

/// The status as it should be.
pub(crate) fn status(seen: &Seen, fault: Option<Fault>, now: Timestamp) -> GovernancePolicyStatus {
    let mut status = seen.policy.status.clone().unwrap_or_default();
    let generation = seen.policy.metadata.generation;
    let spec = &seen.policy.spec;
    let matched: Vec<_> = seen
        .tasks
        .iter()
        .filter(|t| selects(spec.task_selector.as_ref(), &t.labels).unwrap_or(false))
        .filter(|t| selects(spec.namespace_selector.as_ref(), &t.namespace_labels).unwrap_or(false))
        .collect();
    status.observed_generation = generation;
    status.matched_tasks = i64::try_from(matched.len()).unwrap_or(i64::MAX);
    let waiting = i64::try_from(matched.iter().filter(|t| t.waits_for_person).count()).unwrap_or(i64::MAX);
    // Without the database the last known stays.
    if let Ok(learning) = &seen.learning {
        status.can_learn = learning.roles.join(",");
        status.pending_approvals = waiting + learning.pending;
    }
    let (state, why, message) = match fault {
        Some(fault) => (Lifecycle::Stalled, fault.reason, fault.message),
        None => (Lifecycle::Ready, reason::IN_FORCE, "the policy applies to the tasks it selects".into()),
    };
    set_lifecycle(&mut status.conditions, state, why, &message, generation, now);
    status
}
