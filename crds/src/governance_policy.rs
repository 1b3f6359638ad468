//! GovernancePolicy: how results are judged and what may run.
//!
//! Only fields that are enforced exist (nothing looks enforced and is not).

mod review;

pub use review::{AdditionalReviewer, Independence, OnUndecided, ReviewRounds, ReviewRules, Voter, Weights};

use crate::agent_task::GuardSpec;
use crate::rules;
use crate::schema::{DNS_LABEL, DNS_SUBDOMAIN, LINE};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The rules for the tasks it selects.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "goldenarch.dev",
    version = "v1alpha1",
    kind = "GovernancePolicy",
    status = "GovernancePolicyStatus",
    plural = "governancepolicies",
    shortname = "gp",
    category = "golden",
    doc = "How the results of the selected tasks are judged, and what may run.",
    cel,
    printcolumn(name = "Priority", type_ = "integer", json_path = ".spec.priority"),
    printcolumn(name = "Tasks", type_ = "integer", json_path = ".status.matchedTasks"),
    printcolumn(name = "Can learn", type_ = "string", json_path = ".status.canLearn"),
    printcolumn(name = "Pending approvals", type_ = "integer", json_path = ".status.pendingApprovals"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    )
)]
#[x_kube(validation = rules::paths_inside("protectedPaths"))]
#[serde(rename_all = "camelCase")]
pub struct GovernancePolicySpec {
    /// `review` is taken whole from the matching policy of highest priority. -1000000 to 1000000.
    #[serde(default)]
    #[schemars(range(min = -1_000_000, max = 1_000_000))]
    pub priority: i32,
    /// Namespaces, by labels; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::label_selector")]
    pub namespace_selector: Option<LabelSelector>,
    /// Tasks, by labels; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::label_selector")]
    pub task_selector: Option<LabelSelector>,
    /// Whether a task that no Budget selects is refused.
    #[serde(default = "yes")]
    pub require_budget: bool,
    /// How peers decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewRules>,
    /// Guards that apply to every selected task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guards: Option<GuardRules>,
    /// Globs of paths whose change needs an approval by a person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 255), regex(pattern = LINE)))]
    pub protected_paths: Vec<String>,
    /// Approvals by people that a result needs before it is delivered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub approvals: Vec<ApprovalRule>,
    /// How often rejected work is mended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_fix: Option<AutoFixRules>,
    /// Floors of the isolation and ceilings of what a run may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxRules>,
    /// How long a person has to answer, and what counts if none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<EscalationRules>,
    /// What follows when a task is expected to cost more than there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ForecastRules>,
    /// What becomes of an attempt whose call waits for money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<PauseRules>,
}

fn yes() -> bool {
    true
}

/// Guards that apply to every selected task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = rules::invalid(
        "quarantined",
        "!has(self.quarantined) || (has(self.required) && self.quarantined.all(q, self.required.exists(g, g.name == q.name)))",
        "must name guards of this policy's own `required`: what another policy requires is not this one's to let pass"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct GuardRules {
    /// Guards that must pass. No vote outweighs one that failed, and no task can redefine one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub required: Vec<GuardSpec>,
    /// Guards of `required` that cannot be relied on for now: they run and are shown, and stop nothing. Where several
    /// policies require a guard, all of them have to say so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub quarantined: Vec<Quarantine>,
}

/// A guard that stops nothing for now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quarantine {
    /// The guard.
    #[schemars(length(min = 1, max = 40), regex(pattern = DNS_LABEL))]
    pub name: String,
    /// Why, for people; shown with every task it concerns.
    #[schemars(length(min = 1, max = 255), regex(pattern = LINE))]
    pub reason: String,
}

/// An approval by people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = rules::paths_inside("paths"),
    validation = rules::invalid(
        "paths",
        "(self.when == 'PathsChanged') == (has(self.paths) && size(self.paths) > 0)",
        "must be given when `when` is PathsChanged, and only then"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRule {
    /// When the approval is needed.
    pub when: ApprovalWhen,
    /// Globs, for `PathsChanged`: the approval is needed when a changed path matches one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 255), regex(pattern = LINE)))]
    pub paths: Vec<String>,
    /// How many distinct people must approve, 1 to 10; none of them the submitter.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10))]
    pub count: u32,
}

fn one() -> u32 {
    1
}

/// When an approval is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApprovalWhen {
    /// For every result.
    Always,
    /// When a changed path matches.
    PathsChanged,
}

/// Floors of the isolation and ceilings of what a run may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SandboxRules {
    /// RuntimeClass of runs. A weaker one than gVisor must be named here to be used.
    #[serde(default = "gvisor")]
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub runtime_class_name: String,
    /// Ceiling of a run's timeout in seconds, 1 to 3600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub max_timeout_seconds: Option<i64>,
    /// Ceiling of a run's memory in bytes, 16 MiB to 256 GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16_777_216, max = 274_877_906_944_i64))]
    pub max_memory_bytes: Option<i64>,
}

fn gvisor() -> String {
    "gvisor".into()
}

impl Default for SandboxRules {
    fn default() -> Self {
        Self { runtime_class_name: gvisor(), max_timeout_seconds: None, max_memory_bytes: None }
    }
}

/// How long a person has to answer, and what counts if none does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EscalationRules {
    /// Seconds a person has to answer, 10 to 2592000 (30 days).
    #[serde(default = "default_escalation_deadline")]
    #[schemars(range(min = 10, max = 2_592_000))]
    pub deadline_seconds: i64,
    /// What counts if nobody answers.
    #[serde(default)]
    pub on_deadline: OnDeadline,
}

fn default_escalation_deadline() -> i64 {
    86_400
}

impl Default for EscalationRules {
    fn default() -> Self {
        Self { deadline_seconds: default_escalation_deadline(), on_deadline: OnDeadline::default() }
    }
}

/// The default answer of an escalation. Approval is never a default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnDeadline {
    /// It counts as a rejection.
    #[default]
    Reject,
}

/// What follows when a task is expected to cost more than there is. Of several matching policies the strictest counts:
/// `Wait` before `Ask` before `Admit`, then `P90` before `P50`, then `Refuse` before `Wait` at the deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = rules::invalid(
        "onDeadline",
        "!has(self.onDeadline) || self.onExceeds == 'Ask'",
        "is what counts if nobody answers: set onExceeds to Ask, or leave it out"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ForecastRules {
    /// What happens to a task whose forecast exceeds its own limit or what the tightest of its Budgets has available.
    #[serde(default)]
    pub on_exceeds: OnExceeds,
    /// Which figure of `status.forecast` is compared.
    #[serde(default)]
    pub percentile: Percentile,
    /// What counts where `onExceeds` is `Ask` and nobody has answered within the policy's
    /// `escalation.deadlineSeconds`; `Wait` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_deadline: Option<ForecastDeadline>,
}

/// What counts if nobody says whether a task shall start. Starting is never a default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ForecastDeadline {
    /// It waits until there is enough.
    #[default]
    Wait,
    /// It fails without having begun.
    Refuse,
}

/// What happens to a task that is expected to cost more than there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum OnExceeds {
    /// It begins; a call that cannot be paid is held.
    #[default]
    Admit,
    /// A person is asked before it begins: start anyway, wait until there is enough, or refuse.
    Ask,
    /// It is not admitted until there is enough.
    Wait,
}

/// A figure of a forecast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Percentile {
    /// Half of the like runs cost no more.
    P50,
    /// Nine in ten cost no more.
    #[default]
    P90,
}

/// How often rejected work is mended: each attempt after the first is a repair by what was found on the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoFixRules {
    /// Attempts of a task at most, the first one counted, whatever its own `maxAttempts` allows: 1 to 20. Of several
    /// matching policies the smallest counts.
    #[schemars(range(min = 1, max = 20))]
    pub max_attempts: u32,
}

/// What becomes of an attempt whose call waits for money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PauseRules {
    /// Seconds the attempt's pod is kept while its call waits for money, 10 to 86400. After that its work is saved and
    /// the pod is freed; a new one goes on from there once there is money. Of several matching policies the shortest
    /// time counts.
    #[serde(default = "default_pause_grace")]
    #[schemars(range(min = 10, max = 86_400))]
    pub grace_seconds: i64,
}

fn default_pause_grace() -> i64 {
    600
}

impl Default for PauseRules {
    fn default() -> Self {
        Self { grace_seconds: default_pause_grace() }
    }
}

/// What Golden reports of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GovernancePolicyStatus {
    /// `metadata.generation` this status was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Unfinished tasks the policy applies to.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub matched_tasks: i64,
    /// Roles whose prompts may change by themselves now, comma separated.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub can_learn: String,
    /// Approvals that wait for a person.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub pending_approvals: i64,
}
