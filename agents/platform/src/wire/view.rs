//! What the orchestrator projects for the operator.

use serde::{Deserialize, Serialize};

/// What the orchestrator projects for the operator (`tasks.view`): the status without times and usage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskView {
    pub stage: String,
    pub attempt: u32,
    pub conditions: Vec<ViewCondition>,
    pub guards: Vec<golden_crds::agent_task::GuardStatus>,
    pub review: Option<golden_crds::agent_task::ReviewStatus>,
    pub escalation: Option<golden_crds::agent_task::EscalationStatus>,
    pub result: Option<golden_crds::agent_task::ResultStatus>,
    /// Absent of an older orchestrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_attempt: Option<golden_crds::agent_task::BestAttemptStatus>,
    pub record: Option<golden_crds::agent_task::RecordStatus>,
    pub isolation: Option<String>,
    /// The newest `spec/<generation>` taken in.
    pub observed_generation: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewCondition {
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    pub reason: String,
    pub message: String,
}
