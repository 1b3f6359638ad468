//! SandboxRun: one bare pod per run, its result in the status, the pod gone once the result is stored.

mod act;
mod observe;
mod plan;
mod report;
#[cfg(test)]
mod tests;
mod validate;

use crate::context::Context;
use crate::error::Error;
use golden_crds::SandboxRun;
use jiff::Timestamp;
use kube::runtime::controller::Action;
use std::sync::Arc;

/// Field manager.
const MANAGER: &str = "golden-sandboxrun";

/// Makes the cluster and the status match one run.
pub(crate) async fn reconcile(run: Arc<SandboxRun>, ctx: Arc<Context>) -> Result<Action, Error> {
    if run.metadata.deletion_timestamp.is_some() {
        // The pod is owned by the run and goes with it.
        return Ok(Action::await_change());
    }
    let seen = observe::observe(&run, &ctx).await?;
    let fault = validate::validate(&seen);
    let plan = plan::plan(&seen, fault, Timestamp::now());
    let acted = act::act(&seen, &plan, &ctx).await;
    report::report(&seen, &plan, &acted, &ctx).await?;
    acted.map(|_| plan.next)
}
