//! AgentTask: admitted once, then the orchestrator's desired pods become pods, pods become facts, and the
//! orchestrator's view becomes the status.
//!
//! No finalizer: a vanished uid is itself the fact (`crate::sweep`).

mod act;
mod bound;
#[cfg(test)]
mod bound_tests;
mod dependencies;
#[cfg(test)]
mod dependencies_tests;
mod forecast;
#[cfg(test)]
mod forecast_tests;
mod history;
mod independence;
mod inputs;
mod observe;
mod plan;
mod pods;
mod question;
#[cfg(test)]
mod question_tests;
mod report;
mod rows;
mod status;
#[cfg(test)]
mod tests;
mod urgency;
mod validate;

use self::inputs::Inputs;
use self::plan::Weighed;
use crate::context::Context;
use crate::error::Error;
use golden_crds::AgentTask;
use jiff::Timestamp;
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
    let (seen, weighed) = match look(&task, &ctx).await {
        Ok(looked) => looked,
        Err(error) => {
            report::unobserved(&task, &error, &ctx).await?;
            return Err(error);
        }
    };
    let plan = plan::plan(&seen, weighed);
    let acted = act::act(&seen, &plan, &ctx).await;
    let wait = report::report(&seen, &plan, &acted, &ctx).await?;
    acted.map(|_| Action::requeue(wait.unwrap_or(RELIST).min(RELIST)))
}

/// What there is, and of a task that waits whether it may begin and what it will cost.
async fn look(task: &Arc<AgentTask>, ctx: &Context) -> Result<(observe::Seen, Option<Weighed>), Error> {
    let seen = observe::observe(task, ctx).await?;
    let Some(inputs) = &seen.inputs else { return Ok((seen, None)) };
    let weighed = weigh(inputs, ctx).await?;
    Ok((seen, Some(weighed)))
}

/// The admission, held back by its forecast, or by what a person is asked about that, where the policy says so.
async fn weigh(inputs: &Inputs, ctx: &Context) -> Result<Weighed, Error> {
    let latest = history::question(inputs.uid, ctx).await?;
    let (latest, now) = (latest.as_ref(), Timestamp::now());
    if let Some(weighed) = Weighed::refused(latest) {
        return Ok(weighed);
    }
    let mut admit = match validate::admit(inputs) {
        Ok(admit) => admit,
        Err(fault) => {
            let step = question::meanwhile(&fault, latest, now);
            return Ok(Weighed::new(Err(fault), None, step, latest));
        }
    };
    let known = history::known(inputs, &admit, ctx).await?;
    let forecast = forecast::forecast(inputs, &admit, &known);
    let excess = forecast::excess(&admit, forecast, &known.payers, now);
    let ruling = question::rule(&admit, excess.as_ref(), latest, now);
    admit.forecast = forecast;
    let admission = ruling.verdict.map(|started| {
        admit.admission.started_anyway = started;
        admit
    });
    Ok(Weighed::new(admission, forecast, ruling.step, latest))
}
