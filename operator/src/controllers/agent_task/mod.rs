//! AgentTask: admitted once, then the orchestrator's desired pods become pods, pods become facts, and the
//! orchestrator's view becomes the status.
//!
//! No finalizer: a vanished uid is itself the fact (`crate::sweep`).

mod act;
mod inputs;
mod observe;
mod plan;
mod pods;
mod report;
mod rows;
mod status;
#[cfg(test)]
mod tests;
mod urgency;
mod validate;

use crate::context::Context;
use crate::error::Error;
use golden_crds::AgentTask;
use kube::runtime::controller::Action;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use pods::is_terminal;

/// Field manager.
const MANAGER: &str = "golden-agenttask";
/// The relist of unfinished tasks.
const RELIST: Duration = Duration::from_secs(30);
/// The floor for finished ones.
const IDLE: Duration = Duration::from_hours(1);

/// Makes facts, pods and status match one task.
pub(crate) async fn reconcile(task: Arc<AgentTask>, ctx: Arc<Context>) -> Result<Action, Error> {
    if task.metadata.deletion_timestamp.is_some() {
        // Somebody's finalizer holds it. It counts as gone: the sweep tells the orchestrator when it is.
        return Ok(Action::requeue(RELIST));
    }
    if observe::is_at_rest(&task, &ctx) {
        return Ok(Action::requeue(IDLE));
    }
    let seen = match observe::observe(&task, &ctx).await {
        Ok(seen) => seen,
        Err(error) => {
            report::unobserved(&task, &error, &ctx).await?;
            return Err(error);
        }
    };
    let admission = seen.inputs.as_ref().map(validate::admit);
    let plan = plan::plan(&seen, admission);
    let acted = act::act(&seen, &plan, &ctx).await;
    let wait = report::report(&seen, &plan, &acted, &ctx).await?;
    acted.map(|_| Action::requeue(wait.unwrap_or(RELIST).min(RELIST)))
}
