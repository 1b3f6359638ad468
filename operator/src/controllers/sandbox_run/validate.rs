//! Faults that no schema can see. A run never gets less isolation than it asks for.

use super::observe::Seen;
use golden_crds::conditions::sandbox_run as reason;

/// Why the run cannot be made as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// Checks what is seen. A run that has its pod is past this.
pub(crate) fn validate(seen: &Seen) -> Option<Fault> {
    let spec = &seen.run.spec;
    if seen.pod.is_some() || seen.had_pod() {
        return None;
    }
    if !seen.runtime_class_exists {
        return Some(Fault {
            reason: reason::ISOLATION_UNAVAILABLE,
            message: format!(
                "RuntimeClass {} does not exist in this cluster; install it, or run with one that exists",
                spec.runtime_class_name
            ),
        });
    }
    if spec.trees().next().is_some() && seen.build.sandbox_url.is_none() {
        return Some(Fault {
            reason: reason::WORKSPACE_UNAVAILABLE,
            message: "spec.workspace and spec.base need a team to be fetched from: label the run with goldenarch.dev/team-uid of an \
                      AgentTeam in its namespace"
                .into(),
        });
    }
    None
}
