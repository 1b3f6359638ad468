//! What was observed, and the desired pods that it is about.

use super::Bound;
use crate::auth::{JOB_ACCOUNT, RUN_ACCOUNT};
use golden_crds::agent_task::{DesiredState, TaskLimits};
use golden_crds::agent_team::AgentSpec;
use golden_crds::decision::Verdict;
use golden_crds::{AgentTaskSpec, AgentTeamSpec};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// An observation about a task. `object_uid` and `fact_key` make it unique: writing it again changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewFact {
    pub team_uid: Uuid,
    pub task_uid: Uuid,
    pub object_uid: Uuid,
    pub fact_key: String,
    pub fact: Fact,
}

/// What was observed. Stored as `facts.kind` and `facts.body`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all_fields = "camelCase")]
pub enum Fact {
    /// Operator; key `admitted`: the task may begin.
    Admitted(Box<Admission>),
    /// Operator; key `spec/<generation>`: what may change in a spec has changed.
    SpecChanged { generation: i64, desired_state: DesiredState, limits: Option<TaskLimits> },
    /// Operator; key `deleted`: the object vanished.
    Deleted,
    /// Operator; object = the Decision's uid, key `decision`: a person's answer, admitted by the apiserver.
    Decided(PersonDecision),
    /// Operator; object = the pod's uid, key `pod/<phase>`.
    Pod(PodOutcome),
    /// Orchestrator's HTTP interface; object = the pod's uid, key `result`.
    AttemptResult(AttemptResult),
    /// Orchestrator's HTTP interface; object = the pod's uid, key `saved`.
    AttemptSaved(AttemptSaved),
    /// Orchestrator's HTTP interface; object = the pod's uid, key `not-saved`.
    AttemptNotSaved(AttemptNotSaved),
    /// Orchestrator's HTTP interface; object = the pod's uid, key `job-result`.
    JobResult(JobResult),
    /// Sandbox; key `guard/<attempt>/<guard>`.
    Guard(GuardOutcome),
    /// Peer-hub; key `review/<attempt>/<round>`: `decision` is a serialized consensus decision.
    Review { attempt: u32, round: u32, digest: String, decision: Value },
    /// Supervisor; key `escalation/<id>`: nobody answered in time.
    EscalationDefaulted { escalation_id: Uuid, option: String },
    /// Gateway; key `held/<op key>`: a call waits for money.
    BudgetHeld {
        op_key: String,
        #[serde(flatten)]
        call: HeldCall,
    },
    /// Gateway; key `resumed/<op key>`: that call goes on.
    BudgetResumed {
        op_key: String,
        /// It does not, but waits on under the next key, since another account lacks the money now. Never so, told by an
        /// older gateway.
        #[serde(default)]
        moved: bool,
    },
    /// Gateway; key `left/<op key>`: nobody waits for that call any more; one that is made again is
    /// held under the next key. If it is granted, `BudgetResumed` follows all the same.
    BudgetHoldLeft { op_key: String },
    /// Gateway; key `stuck/<caller>/<n>`: calls of this caller come to nothing for now, and will be made again.
    /// `reason` is a documented one of AgentTask.
    CallStuck { caller: String, attempt: u32, reason: String, message: String },
    /// Gateway; key `unstuck/<caller>/<n>`: a call of this caller was answered again.
    CallUnstuck { caller: String },
}

/// A call that waits for money. In the orchestrator's state it is read by whoever asks a person for more
/// ([`crate::budget_questions`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldCall {
    pub missing_micro_usd: i64,
    pub missing_tokens: i64,
    pub account: String,
    pub on_exhausted: String,
    /// What the whole call needs; nothing, told by an older gateway.
    #[serde(default)]
    pub needs_micro_usd: i64,
    #[serde(default)]
    pub needs_tokens: i64,
    /// The least that a shorter answer to it needs, no more than the whole; nothing, told by an older gateway.
    #[serde(default)]
    pub least_micro_usd: i64,
    #[serde(default)]
    pub least_tokens: i64,
    /// Who refused its budget more, in words; then `on_exhausted` is `Fail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<String>,
    /// What a provider charged beyond what was reserved: nothing is granted until somebody has edited the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overage: Option<Bound>,
}

/// Everything a task needs from the cluster, fixed when it is admitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Admission {
    pub namespace: String,
    pub name: String,
    pub generation: i64,
    pub labels: BTreeMap<String, String>,
    pub submitted_by: String,
    pub spec: AgentTaskSpec,
    pub team_name: String,
    pub team: AgentTeamSpec,
    /// A serialized `golden_governance::MergedPolicy`.
    pub policy: Value,
    /// The labels of its namespace. Absent in admissions of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_labels: Option<BTreeMap<String, String>>,
    /// The policies that matched, as they were written: with them the merge can be done again from the record. Absent
    /// in admissions of earlier versions, and where they are too large for a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_sources: Option<Vec<PolicySource>>,
    /// `role:<role>` for the team's roles, `voter:<role>` for the policy's voters.
    pub models: BTreeMap<String, ModelBinding>,
    /// Tasks that must be Complete first, resolved to uids once.
    pub depends_on: Vec<Dependency>,
    /// Set if a person let it start though it will probably cost more than there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_anyway: Option<StartedAnyway>,
}

/// What a person was asked before a task began, and the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartedAnyway {
    /// The figures as they were when it was asked.
    pub question: Value,
    pub decision: PersonDecision,
}

/// A GovernancePolicy as it was when a task was admitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicySource {
    pub name: String,
    /// A serialized `golden_crds::GovernancePolicySpec`.
    pub spec: Value,
}

/// The model of a role, resolved to where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelBinding {
    pub namespace: String,
    pub provider: String,
    pub model: String,
    /// Tokens of prompt and answer together. Tasks that an earlier version admitted have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
}

impl ModelBinding {
    /// The model with its provider before it, as ballots name it.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    pub name: String,
    pub uid: Uuid,
}

/// A Decision object as admitted: `decided_by` is authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonDecision {
    pub decision_uid: Uuid,
    pub name: String,
    pub decided_by: String,
    pub verdict: Verdict,
    /// The option that was named, with [`Verdict::Option`] only.
    pub option: Option<String>,
    pub note: Option<String>,
    pub digest: String,
    /// The question it answers: an escalation's id, or [`APPROVAL_QUESTION`]. Empty, told by an earlier version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub question: String,
}

/// The question whether a result that passed its review may be delivered: one for each digest.
pub const APPROVAL_QUESTION: &str = "Approval";

/// What became of a desired pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodOutcome {
    pub kind: DesiredKind,
    pub name: String,
    pub pod_uid: Uuid,
    pub attempt: u32,
    pub r#try: u32,
    pub phase: PodPhase,
    /// Kubernetes' reason, or ours (a constant of `golden_crds::conditions`).
    pub reason: String,
    pub message: String,
    pub exit_code: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PodPhase {
    Created,
    Running,
    /// Cannot start for now (image, node): shown, not yet an end.
    Blocked,
    Succeeded,
    Failed,
    /// Evicted, deleted, node gone: a new try, not a new attempt.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DesiredKind {
    AttemptPod,
    FetchPod,
    DeliveryPod,
}

impl DesiredKind {
    /// The service account that its pods run as, by which they are known to be Golden's.
    pub fn account(self) -> &'static str {
        match self {
            Self::AttemptPod => RUN_ACCOUNT,
            Self::FetchPod | Self::DeliveryPod => JOB_ACCOUNT,
        }
    }
}

/// A row of `desired.spec`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredPod {
    pub kind: DesiredKind,
    pub role: Option<String>,
    /// Absent: the built-in agent in Golden's own image.
    pub agent: Option<AgentSpec>,
    pub runtime_class_name: Option<String>,
    pub model: Option<String>,
    pub active_deadline_seconds: i64,
}

/// What an attempt's sidecar delivers at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptResult {
    pub attempt: u32,
    pub r#try: u32,
    pub tree: Option<String>,
    pub agent_exit_code: i32,
    /// The agent's own last words, bounded to 4 KiB.
    pub summary: String,
    /// Digest of the transcript, if the agent left one.
    pub transcript: Option<String>,
}

/// What an attempt's sidecar saved when it was asked to (`PauseWish`): the agent has ended, and another try goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptSaved {
    pub attempt: u32,
    pub r#try: u32,
    /// The workspace: all its files, but for what trees leave out.
    pub tree: String,
    /// Digest of the transcript, if the agent keeps one.
    pub transcript: Option<String>,
}

/// Why an attempt's work cannot be saved: the agent stays and waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptNotSaved {
    pub attempt: u32,
    pub r#try: u32,
    /// For people, bounded to 1 KiB.
    pub why: String,
}

/// What a fetch or delivery pod reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase", tag = "result")]
pub enum JobResult {
    Fetched { commit: String, tree: String },
    Delivered { branch: String, commit: String },
    Failed { reason: String, message: String, retryable: bool },
}

/// The outcome of one guard on one tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardOutcome {
    pub attempt: u32,
    pub guard: String,
    /// `Passed`, `Failed`, or `Inconclusive` when the run itself could not be made (never a verdict).
    pub verdict: String,
    pub tree: String,
    pub sandbox_run: String,
    pub run_uid: Uuid,
    pub exit_code: Option<i32>,
    pub reason: String,
    /// The telling part of the output, at most 4 KiB.
    pub excerpt: String,
    pub output_digest: Option<String>,
    pub image_id: Option<String>,
    pub isolation: String,
    /// Why the guard stops nothing for now; told to peers, never by the sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<String>,
}
