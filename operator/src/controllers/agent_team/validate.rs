//! Faults across objects: providers, models, prices, revisions, placement. They stall the team's readiness and its
//! tasks, not its services: those must run to finish what is under way.

use super::observe::Seen;
use crate::models::{Fault, From, resolve};
use golden_crds::agent_team::RoleSpec;
use golden_crds::conditions::agent_team as reason;
use kube::ResourceExt;

/// The first fault, if any.
pub(crate) fn validate(seen: &Seen) -> Option<Fault> {
    let namespace = seen.namespace();
    let from = From { namespace: &namespace, golden: &seen.golden, providers: &seen.providers };
    for role in &seen.team.spec.roles {
        if let Err(fault) = resolve(&format!("role {}", role.name), &role.model_ref, from) {
            return Some(fault);
        }
        if let Some(fault) = revision(seen, role) {
            return Some(fault);
        }
    }
    priority_class(seen)
}

fn revision(seen: &Seen, role: &RoleSpec) -> Option<Fault> {
    let wanted = &role.prompt_revision_ref.as_ref()?.name;
    let fits = seen.revisions.iter().any(|r| {
        r.name_any() == *wanted && r.spec.role == role.name && r.spec.team_ref.name == seen.team.name_any()
    });
    (!fits).then(|| Fault {
        reason: reason::PROMPT_REVISION_NOT_FOUND,
        message: format!(
            "role {} names PromptRevision {wanted}, which does not exist for this team and role",
            role.name
        ),
    })
}

fn priority_class(seen: &Seen) -> Option<Fault> {
    let name = seen.team.spec.placement.as_ref()?.priority_class_name.as_ref()?;
    seen.priority_class_missing.then(|| Fault {
        reason: reason::PRIORITY_CLASS_NOT_FOUND,
        message: format!("PriorityClass {name} of spec.placement does not exist; create it or name another"),
    })
}
