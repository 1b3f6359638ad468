//! GovernancePolicy: whether it can be enforced as written, and whom it concerns now.

mod observe;
mod report;
#[cfg(test)]
mod tests;
mod validate;

use crate::context::Context;
use crate::error::Error;
use golden_crds::GovernancePolicy;
use jiff::Timestamp;
use kube::runtime::controller::Action;
use std::sync::Arc;
use std::time::Duration;

/// Field manager.
const MANAGER: &str = "golden-governancepolicy";
/// Counts of tasks and learning limits are looked at this often.
const RELIST: Duration = Duration::from_secs(30);

/// Makes the status match one policy.
pub(crate) async fn reconcile(policy: Arc<GovernancePolicy>, ctx: Arc<Context>) -> Result<Action, Error> {
    if policy.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let seen = observe::observe(&policy, &ctx).await;
    let fault = validate::validate(&seen);
    report::report(&seen, fault, Timestamp::now(), &ctx).await?;
    match seen.learning {
        // The policy is enforced without it; only two columns are old.
        Err(error) if error.store_reason().is_none() => Err(error),
        _ => Ok(Action::requeue(RELIST)),
    }
}
