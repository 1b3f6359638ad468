//! PromptRevision: stored, and checked against its team. Learning is not served by this version, and the condition
//! says so.

use crate::context::Context;
use crate::effects::write_status;
use crate::error::Error;
use golden_crds::conditions::prompt_revision as reason;
use golden_crds::conditions::{Lifecycle, set_lifecycle};
use golden_crds::{AgentTeam, PromptRevision, PromptRevisionStatus};
use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use std::sync::Arc;
use std::time::Duration;

/// Field manager.
const MANAGER: &str = "golden-promptrevision";
/// Nothing changes by itself: only the floor.
const RELIST: Duration = Duration::from_hours(1);

/// Makes the status match one revision.
pub(crate) async fn reconcile(revision: Arc<PromptRevision>, ctx: Arc<Context>) -> Result<Action, Error> {
    if revision.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let team = ctx.caches.team(&revision.namespace().unwrap_or_default(), &revision.spec.team_ref.name);
    let before = revision.status.clone().unwrap_or_default();
    let status = status(&revision, team.as_deref(), Timestamp::now());
    if status != before {
        let api: Api<PromptRevision> =
            Api::namespaced(ctx.client.clone(), &revision.namespace().unwrap_or_default());
        write_status(&api, &ctx.caches.revisions, MANAGER, &*revision, &status).await?;
        ctx.events.transitions(&*revision, &before.conditions, &status.conditions).await;
    }
    Ok(Action::requeue(RELIST))
}

fn status(revision: &PromptRevision, team: Option<&AgentTeam>, now: Timestamp) -> PromptRevisionStatus {
    let mut status = revision.status.clone().unwrap_or_default();
    let generation = revision.metadata.generation;
    status.observed_generation = generation;
    let (team_name, role) = (&revision.spec.team_ref.name, &revision.spec.role);
    let (state, why, message) = match team {
        None => {
            (Lifecycle::Stalled, reason::TEAM_NOT_FOUND, format!("AgentTeam {team_name} does not exist in this namespace"))
        }
        Some(team) if !team.spec.roles.iter().any(|r| r.name == *role) => {
            (Lifecycle::Stalled, reason::ROLE_NOT_FOUND, format!("AgentTeam {team_name} has no role {role}"))
        }
        Some(_) => (
            Lifecycle::Ready,
            reason::STORED,
            "stored; a role can name it. This version does not evaluate, approve or roll out revisions by itself".into(),
        ),
    };
    set_lifecycle(&mut status.conditions, state, why, &message, generation, now);
    status
}
