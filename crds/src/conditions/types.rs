//! Condition types.

/// Long-lived kinds: the object does what its spec says.
pub const READY: &str = "Ready";
/// Work towards the spec is under way. Present only while it is.
pub const RECONCILING: &str = "Reconciling";
/// Work cannot go on: a person has to change something, or something outside has to come back.
/// Present only while that is so.
pub const STALLED: &str = "Stalled";
/// AgentTask, SandboxRun: ended as asked.
pub const COMPLETE: &str = "Complete";
/// AgentTask, SandboxRun: ended otherwise. Present only when it has.
pub const FAILED: &str = "Failed";
/// AgentTask: team, policy, budget and dependencies were found and the task may begin.
pub const ADMITTED: &str = "Admitted";
/// AgentTask: the next call can be paid.
pub const BUDGET_AVAILABLE: &str = "BudgetAvailable";
/// AgentTask: every required guard passed on the current result.
pub const GUARDS_PASSED: &str = "GuardsPassed";
/// AgentTask: the review of the current result decided.
pub const CONSENSUS_REACHED: &str = "ConsensusReached";
/// AgentTask: the approvals the policy asks for are there.
pub const APPROVED: &str = "Approved";
/// Decision: it counts (True), or was refused (False).
pub const ACCEPTED: &str = "Accepted";
