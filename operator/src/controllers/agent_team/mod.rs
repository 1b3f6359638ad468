//! AgentTeam: its services and streams with Golden, its accounts and network policy at home.
//!
//! What is with Golden crosses namespaces, so a finalizer cleans it up; the clean-up never waits for a store that is
//! gone, and never holds a namespace that is being deleted.

mod act;
mod clean;
mod observe;
mod plan;
mod report;
#[cfg(test)]
mod tests;
mod validate;

use crate::context::Context;
use crate::error::Error;
use golden_crds::AgentTeam;
use kube::runtime::controller::Action;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use clean::{close, end_streams, with_streams};
pub(crate) use plan::FINALIZER;

/// Field manager.
const MANAGER: &str = "golden-agentteam";
/// The relist.
const RELIST: Duration = Duration::from_secs(30);

/// Makes the cluster, the streams and the status match one team.
pub(crate) async fn reconcile(team: Arc<AgentTeam>, ctx: Arc<Context>) -> Result<Action, Error> {
    let seen = observe::observe(&team, &ctx).await?;
    if team.metadata.deletion_timestamp.is_some() {
        return clean::clean(&seen, &ctx).await;
    }
    let fault = validate::validate(&seen);
    let plan = plan::plan(&seen, &ctx.settings);
    let acted = act::act(&seen, &plan, &ctx).await;
    report::report(&seen, fault.as_ref(), &acted, &ctx).await?;
    acted.map(|_| Action::requeue(RELIST))
}
