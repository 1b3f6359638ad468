//! Reasons of AgentTask. A reason may stand in several conditions: what makes a task fail also stalls it, and
//! `Complete=False` repeats the reason of what the task waits for, since it is the first thing people see.

use super::reasons;
pub use super::shared;
pub use super::shared::{
    ARTIFACT_STORE_UNREACHABLE, CHILD_NAME_TAKEN, CHILD_REFUSED, CONTAINER_START_FAILED,
    DATABASE_UNREACHABLE, DELETING, IMAGE_PULL_FAILED, INTERNAL_ERROR, INVALID_SPEC, LEDGER_UNREACHABLE,
    MESSAGING_UNREACHABLE, NODE_LOST, POD_EVICTED, POD_UNSCHEDULABLE, RUNTIME_CLASS_NOT_FOUND,
    SECRET_HOST_NOT_ALLOWED, SECRET_MALFORMED, SECRET_NOT_ANNOTATED, SECRET_NOT_FOUND, UNSERVED_FIELD,
};

reasons! {
    // Admitted
    /// Team, policy, budget and dependencies were found; the task may begin.
    ADMITTED = "Admitted";
    /// Nothing has looked at the task yet.
    PENDING = "Pending";
    /// `spec.teamRef` names no AgentTeam of this namespace. Create it, or submit the task with another name.
    TEAM_NOT_FOUND = "TeamNotFound";
    /// The team's services are not available yet.
    TEAM_NOT_READY = "TeamNotReady";
    /// The team lacks a role that is needed, for example `developer`. The message names it.
    ROLE_NOT_FOUND = "RoleNotFound";
    /// A role names a ModelProvider that does not exist or is not offered to this namespace.
    PROVIDER_NOT_FOUND = "ProviderNotFound";
    /// A role's ModelProvider is not Ready. The message repeats its reason.
    PROVIDER_NOT_READY = "ProviderNotReady";
    /// A role names a model that its provider does not list.
    MODEL_NOT_FOUND = "ModelNotFound";
    /// A role's model has no price. Unpriced calls are refused, never free: write the price, also when it is 0.
    MODEL_UNPRICED = "ModelUnpriced";
    /// The policy asks that reviewers judge with another model than the author's (`review.independence`), and a voter
    /// has the author's. The message names both. Name another in the policy's `review.voters[].modelRef`, or for the role.
    REVIEWER_NOT_INDEPENDENT = "ReviewerNotIndependent";
    /// Two matching GovernancePolicies cannot be merged: same priority with a review each, or rules that
    /// exclude each other. The message names both.
    POLICY_CONFLICT = "PolicyConflict";
    /// A matching GovernancePolicy is not Ready, for example since it carries a field that is not served.
    POLICY_NOT_READY = "PolicyNotReady";
    /// The task defines a guard with the name of a policy's guard. Give it another name.
    GUARD_REDEFINED = "GuardRedefined";
    /// No Budget selects the task and the policy requires one. Create one, or label the task.
    NO_BUDGET = "NoBudget";
    /// A Budget that selects the task is not Ready. The message repeats its reason.
    BUDGET_NOT_READY = "BudgetNotReady";
    /// The task is expected to cost more than its limit or a Budget has available, and its policy says to wait or to ask
    /// a person first (`spec.forecast`). The message says the figures and, while a person is asked, how to answer. Raise
    /// the limit, or wait for the period's end: it then begins.
    FORECAST_EXCEEDS_BUDGET = "ForecastExceedsBudget";
    /// `spec.submittedBy` is missing or is not who submitted the task.
    SUBMITTER_MISSING = "SubmitterMissing";
    /// A task of `spec.dependsOn` does not exist, or was deleted before this one was admitted. It may be created later.
    DEPENDENCY_NOT_FOUND = "DependencyNotFound";
    /// A task of `spec.dependsOn` is not Complete yet, or not even admitted; the message then says what it lacks.
    DEPENDENCY_PENDING = "DependencyPending";
    /// A task of `spec.dependsOn` failed, was cancelled, or was refused by a person, so this one never begins.
    DEPENDENCY_FAILED = "DependencyFailed";
    /// Tasks of `spec.dependsOn` wait for each other. The message shows the circle.
    DEPENDENCY_CYCLE = "DependencyCycle";
    /// The team already works on `maxConcurrentTasks` tasks; this one waits for its turn.
    WAITING_FOR_TURN = "WaitingForTurn";
    /// `spec.desiredState` is Suspended. Set it to Active to go on.
    SUSPENDED = "Suspended";

    // BudgetAvailable
    /// The next call can be paid.
    BUDGET_AVAILABLE = "BudgetAvailable";
    /// A Budget cannot pay the next call. The message says which, and how much is missing. Raise its limit, or answer
    /// its question if it asks a person: the held call then goes on.
    BUDGET_EXHAUSTED = "BudgetExhausted";
    /// A Budget cannot pay the next call, and more was refused: by a person, or since nobody answered in time. The
    /// message says by whom.
    BUDGET_DENIED = "BudgetDenied";
    /// The task's own `spec.limits` cannot pay the next call. The message says how much is missing. Raise them.
    TASK_LIMIT_REACHED = "TaskLimitReached";

    // Stalled
    /// A call waited for money longer than the policy's `pause.graceSeconds`: the work was saved and the attempt's pod
    /// freed. The message says what is missing. Once it is there another pod of the same attempt goes on.
    POD_FREED = "PodFreed";

    // GuardsPassed
    /// Every required guard passed on the current result.
    ALL_GUARDS_PASSED = "AllGuardsPassed";
    /// There is no result to judge yet.
    NO_RESULT_YET = "NoResultYet";
    /// Guards are running on the current result.
    GUARDS_RUNNING = "GuardsRunning";
    /// A required guard failed: no vote can outweigh it. The message names it.
    GUARD_FAILED = "GuardFailed";
    /// A guard could not run, which says nothing about the result. It is tried again.
    GUARD_NOT_RUN = "GuardNotRun";
    /// The isolation the policy asks for cannot be had. Guards never run with less.
    ISOLATION_UNAVAILABLE = "IsolationUnavailable";

    // ConsensusReached
    /// The peers approved the current result.
    PEERS_APPROVED = "PeersApproved";
    /// The peers asked for changes. The next attempt gets their reasons.
    CHANGES_REQUESTED = "ChangesRequested";
    /// Ballots are being collected.
    REVIEW_RUNNING = "ReviewRunning";
    /// Approving and rejecting weight are equal.
    REVIEW_TIED = "ReviewTied";
    /// Too little weight was cast, or a required voter did not vote, before the review's timeout.
    QUORUM_MISSING = "QuorumMissing";
    /// The review's timeout passed before it decided.
    REVIEW_TIMED_OUT = "ReviewTimedOut";
    /// A voter with a veto rejected with verified evidence.
    VETOED = "Vetoed";
    /// A voter with a veto rejected, but the evidence could not be verified. A person decides.
    VETO_UNVERIFIED = "VetoUnverified";

    // Approved
    /// No approval by a person is needed.
    APPROVAL_NOT_REQUIRED = "ApprovalNotRequired";
    /// Every approval that is needed is there.
    APPROVALS_COMPLETE = "ApprovalsComplete";
    /// Approvals by people are missing. The message says how many, and the digest they must name
    /// (`golden approve`).
    APPROVAL_PENDING = "ApprovalPending";
    /// A person denied the approval.
    APPROVAL_DENIED = "ApprovalDenied";
    /// A person has to decide. `status.escalation` holds the options, the deadline and the default.
    ESCALATION_PENDING = "EscalationPending";
    /// The work goes in circles: a guard failed, or peers rejected, as they did before, and the change is the same but for
    /// white space and comments at most. The message says on which attempts. A person decides.
    STUCK = "Stuck";
    /// A person decided the escalation in favour of the result.
    ESCALATION_APPROVED = "EscalationApproved";
    /// A person decided the escalation against the result, or against starting the task.
    ESCALATION_DENIED = "EscalationDenied";
    /// Nobody answered the escalation before its deadline, so its default counts.
    ESCALATION_EXPIRED = "EscalationExpired";

    // Reconciling: where the work stands
    /// An agent works on the result.
    PRODUCING = "Producing";
    /// Guards run on the result.
    GUARDING = "Guarding";
    /// A failed guard's evidence was handed back and an agent repairs the result.
    REPAIRING = "Repairing";
    /// Peers review the result.
    REVIEWING = "Reviewing";
    /// A person has to answer.
    AWAITING_PERSON = "AwaitingPerson";
    /// The approved result is being delivered. It can no longer be cancelled.
    DELIVERING = "Delivering";
    /// A pod was lost; a new try of the same attempt is made.
    RETRYING = "Retrying";

    // Stalled or waiting on the world outside
    /// The git server does not answer. Tried again with growing pauses.
    GIT_UNREACHABLE = "GitUnreachable";
    /// The git server refuses the credentials.
    GIT_DENIED = "GitDenied";
    /// `spec.source.git.ref` does not exist in the repository.
    GIT_REF_NOT_FOUND = "GitRefNotFound";
    /// The source is larger than Golden takes.
    SOURCE_TOO_LARGE = "SourceTooLarge";
    /// The model's endpoint does not answer, or its breaker is open. Tried again with growing pauses.
    MODEL_UNREACHABLE = "ModelUnreachable";
    /// The model's endpoint refuses the key or the request. The message carries its answer's status.
    MODEL_REFUSED = "ModelRefused";
    /// The model's endpoint asks to slow down. Tried again when it allows.
    MODEL_RATE_LIMITED = "ModelRateLimited";

    // Failed, and why the last attempt ended
    /// The agent ended with an error. The message carries its exit code.
    AGENT_FAILED = "AgentFailed";
    /// The agent was killed for lack of memory. Raise the role's `agent.resources`.
    AGENT_OUT_OF_MEMORY = "AgentOutOfMemory";
    /// The agent did not finish within the time of an attempt.
    AGENT_TIMED_OUT = "AgentTimedOut";
    /// The agent ended without any change to the workspace.
    NO_CHANGE = "NoChange";
    /// The result is larger than Golden takes, or holds entries that it does not (devices, links that leave
    /// the workspace).
    RESULT_REFUSED = "ResultRefused";
    /// `spec.maxAttempts` attempts, or as many as a policy's `autoFix.maxAttempts` allows, were judged and none was accepted.
    /// The message says why the last was not.
    ATTEMPTS_EXHAUSTED = "AttemptsExhausted";
    /// Pods of one attempt were lost too often. The message says why.
    TRIES_EXHAUSTED = "TriesExhausted";
    /// `spec.deadlineSeconds` passed.
    DEADLINE_EXCEEDED = "DeadlineExceeded";
    /// `spec.desiredState` was set to Cancelled.
    CANCELLED = "Cancelled";
    /// The team was deleted while the task was under way.
    TEAM_DELETED = "TeamDeleted";
    /// The branch moved or exists with other content, so that nothing was pushed over it.
    DELIVERY_CONFLICT = "DeliveryConflict";
    /// The git server refused the push. The message carries its answer.
    DELIVERY_REFUSED = "DeliveryRefused";
    /// The tree to deliver does not have the approved digest. Nothing was delivered.
    DELIVERY_DIGEST_MISMATCH = "DeliveryDigestMismatch";
    /// A message of the task could not be processed and is kept in the dead-letter queue (`golden dlq`).
    DEAD_LETTERED = "DeadLettered";

    // Complete
    /// The approved result was delivered.
    DELIVERED = "Delivered";
}
