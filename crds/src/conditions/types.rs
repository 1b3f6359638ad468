//! Condition types.

use super::reasons;

reasons! {
    /// Long-lived kinds: the object does what its spec says.
    READY = "Ready";
    /// Work towards the spec is under way. Present only while it is.
    RECONCILING = "Reconciling";
    /// Work cannot go on: a person has to change something, or something outside has to come back.
    /// Present only while that is so.
    STALLED = "Stalled";
    /// AgentTask, SandboxRun: ended as asked.
    COMPLETE = "Complete";
    /// AgentTask, SandboxRun: ended otherwise. Present only when it has.
    FAILED = "Failed";
    /// AgentTask: team, policy, budget and dependencies were found and the task may begin.
    ADMITTED = "Admitted";
    /// AgentTask: the next call can be paid.
    BUDGET_AVAILABLE = "BudgetAvailable";
    /// AgentTask: every required guard passed on the current result.
    GUARDS_PASSED = "GuardsPassed";
    /// AgentTask: the review of the current result decided.
    CONSENSUS_REACHED = "ConsensusReached";
    /// AgentTask: the approvals the policy asks for are there.
    APPROVED = "Approved";
    /// Budget: a person answered its question for more (True), or is asked and has not (False). Absent where nobody was
    /// asked in this period.
    ANSWERED = "Answered";
    /// Decision: it counts (True), or was refused (False).
    ACCEPTED = "Accepted";
    /// ModelProvider: it answers calls. Unknown while nobody calls it.
    REACHABLE = "Reachable";
    /// ModelProvider: each of its fallbacks can be asked. Present only where it has some.
    FALLBACKS_USABLE = "FallbacksUsable";
    /// ModelProvider: all replicas of the gateway count its limits together. False while one of them counts for itself, for
    /// want of Redis. Absent where the gateway has none, or nobody called the provider lately.
    LIMITS_SHARED = "LimitsShared";
}
