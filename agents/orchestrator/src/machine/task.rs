//! What is fixed about a task once it is admitted.

use golden_crds::AgentTaskSpec;
use golden_governance::MergedPolicy;
use golden_platform::wire::ModelBinding;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The role that produces results; the others judge them.
pub const PRODUCER: &str = "developer";

/// The columns of a `tasks` row that never change. The content of inline files is not needed to decide anything,
/// so it may be left out of `spec`.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub uid: Uuid,
    pub team_uid: Uuid,
    pub namespace: String,
    pub name: String,
    pub submitted_by: String,
    pub spec: AgentTaskSpec,
    pub policy: MergedPolicy,
    pub models: BTreeMap<String, ModelBinding>,
}

impl Task {
    /// The RuntimeClass of agents and guards, as the policy names it.
    pub fn runtime_class(&self) -> &str {
        &self.policy.sandbox.runtime_class_name.value
    }

    /// The branch to push, where the result goes to git.
    pub fn branch(&self) -> Option<&str> {
        self.spec.delivery.as_ref()?.git.as_ref().map(|git| git.branch.as_str())
    }

    /// How often work may be judged.
    pub fn max_attempts(&self) -> u32 {
        self.policy.max_attempts(self.spec.max_attempts)
    }
}
