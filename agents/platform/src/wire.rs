//! The shapes that cross a process boundary: facts, desired pods, messages, and the bodies of internal HTTP calls.
//!
//! One place, so that writer and reader cannot differ. Additive changes only: services serve version N and N−1.

use golden_crds::agent_task::{DesiredState, TaskLimits};
use golden_crds::agent_team::AgentSpec;
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
        missing_micro_usd: i64,
        missing_tokens: i64,
        account: String,
        on_exhausted: String,
    },
    /// Gateway; key `resumed/<op key>`: that call goes on.
    BudgetResumed { op_key: String },
    /// Gateway; key `stuck/<caller>/<n>`: calls of this caller come to nothing for now, and will be made again.
    /// `reason` is a documented one of AgentTask.
    CallStuck { caller: String, attempt: u32, reason: String, message: String },
    /// Gateway; key `unstuck/<caller>/<n>`: a call of this caller was answered again.
    CallUnstuck { caller: String },
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
    /// `role:<role>` for the team's roles, `voter:<role>` for the policy's voters.
    pub models: BTreeMap<String, ModelBinding>,
    /// Tasks that must be Complete first, resolved to uids once.
    pub depends_on: Vec<Dependency>,
}

/// The model of a role, resolved to where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelBinding {
    pub namespace: String,
    pub provider: String,
    pub model: String,
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
    /// `Approve`, `Deny` or `Option`.
    pub verdict: String,
    pub option: Option<String>,
    pub note: Option<String>,
    pub digest: String,
}

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
}

/// The envelope of every message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    pub v: u32,
    pub id: String,
    pub team: Uuid,
    pub task: Uuid,
    pub attempt: u32,
    pub r#try: u32,
    #[serde(flatten)]
    pub message: Message,
}

/// What is asked of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "body")]
pub enum Message {
    /// To peer-hub.
    ReviewRequested(Box<ReviewRequest>),
    /// To sandbox.
    GuardRequested(Box<GuardRequest>),
    /// To supervisor.
    EscalationRaised(Box<EscalationRaised>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewRequest {
    pub namespace: String,
    pub task_name: String,
    pub round: u32,
    pub goal: String,
    /// The judged tree.
    pub digest: String,
    pub base: String,
    pub patch: String,
    /// A serialized `golden_crds::governance_policy::ReviewRules`.
    pub rules: Value,
    pub guards: Vec<GuardOutcome>,
    pub models: BTreeMap<String, ModelBinding>,
    /// RFC 3339.
    pub closes_at: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardRequest {
    pub namespace: String,
    pub task_name: String,
    /// Deterministic name of the SandboxRun.
    pub run_name: String,
    pub guard: golden_crds::agent_task::GuardSpec,
    pub required: bool,
    /// The tree to examine: restorePaths are already reset to the base.
    pub tree: String,
    pub runtime_class_name: String,
    pub max_timeout_seconds: Option<i64>,
    pub max_memory_bytes: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EscalationRaised {
    pub escalation_id: Uuid,
    pub reason: String,
    pub evidence: Value,
    pub options: Vec<String>,
    pub owner: String,
    pub digest: String,
    /// RFC 3339.
    pub deadline: String,
    pub default_option: String,
}

/// `GET /v1/try` of the orchestrator: what a task pod works on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TryContext {
    pub task_uid: Uuid,
    pub task_name: String,
    pub namespace: String,
    pub attempt: u32,
    pub r#try: u32,
    pub role: String,
    /// The tree the attempt starts from: the base, or the last attempt's.
    pub tree: String,
    pub prompt: String,
    /// Why the last attempt was not accepted; empty on the first.
    pub feedback: String,
    pub model: String,
}

/// `GET /v1/job` of the orchestrator: what a fetch or delivery pod does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase", tag = "job")]
pub enum JobContext {
    Fetch {
        url: String,
        git_ref: String,
        credential: Option<Credential>,
    },
    Deliver {
        url: String,
        branch: String,
        base_commit: String,
        base_tree: String,
        tree: String,
        /// Whole commit message, trailers included.
        message: String,
        author: String,
        /// RFC 3339: fixed, so that a repeated delivery makes the same commit.
        author_date: String,
        credential: Option<Credential>,
    },
}

/// A basic credential, used only against the hosts its Secret names.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    pub username: String,
    pub password: String,
    pub hosts: Vec<String>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// `PUT /v1/artifacts`: the digest under which the body is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactStored {
    pub digest: String,
    pub bytes: i64,
}

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

/// Ledger: `POST /v1/reserve`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReserveRequest {
    pub op_key: String,
    pub request_hash: String,
    pub team_uid: Uuid,
    pub task_uid: Uuid,
    pub try_uid: Option<Uuid>,
    pub attempt: u32,
    pub role: String,
    pub provider: String,
    pub model: String,
    pub prompt_digest: String,
    pub cost_micro_usd: i64,
    pub tokens: i64,
}

/// The ledger's answer to a reserve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase", tag = "outcome")]
pub enum ReserveAnswer {
    /// Reserved now or before, under this key and request; `state` tells how far that call already is.
    Granted { state: String },
    /// Nothing was reserved: `account` lacks the money.
    Exhausted {
        account: String,
        account_uid: Uuid,
        missing_micro_usd: i64,
        missing_tokens: i64,
        on_exhausted: String,
    },
    /// The key was used with another request.
    OtherRequest,
    /// The task has no account: it was not admitted, or is gone.
    NoAccount,
}

/// Ledger: `POST /v1/dispatch`, `POST /v1/release`, and `POST /v1/abandon` (nobody will see the end of this call:
/// its bound counts as spent, as Unknown, until the usage is found).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpRequest {
    pub op_key: String,
}

/// Ledger: `POST /v1/settle`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleRequest {
    pub op_key: String,
    pub cost_micro_usd: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub latency_ms: i64,
}

/// The ledger's answer to dispatch, release and settle: the state the call now has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpAnswer {
    pub state: String,
}
