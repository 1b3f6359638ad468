//! AgentTask: one piece of work for a team.

mod guard;
mod status;

pub use guard::{
    BuiltinGuard, DependencyRules, FileKind, ForbiddenFiles, GuardSpec, LicenceRules, PathLimits,
    SecretRules, SizeLimits,
};
pub use status::{
    AgentTaskStatus, BestAttemptStatus, EscalationStatus, ForecastStatus, GuardStatus, RecordStatus,
    ResultStatus, ReviewStatus, SeatPowerStatus, UsageStatus,
};

use crate::common::{InlineFile, LocalRef};
use crate::rules;
use crate::schema::{GIT_REF, GOLDEN_BRANCH, LINE, MAX_AMOUNT, NOT_BLANK};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is asked, of whom, on which source, within which limits.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "goldenarch.dev",
    version = "v1alpha1",
    kind = "AgentTask",
    namespaced,
    status = "AgentTaskStatus",
    shortname = "at",
    category = "golden",
    doc = "One piece of work for a team of agents. Everything but `limits` (which can be raised), `priority` and `desiredState` is fixed at creation.",
    cel,
    selectable = ".spec.teamRef.name",
    selectable = ".spec.desiredState",
    printcolumn(name = "Team", type_ = "string", json_path = ".spec.teamRef.name"),
    printcolumn(name = "Stage", type_ = "string", json_path = ".status.stage"),
    printcolumn(name = "Attempt", type_ = "integer", json_path = ".status.attempt"),
    printcolumn(name = "Complete", type_ = "string", json_path = ".status.conditions[?(@.type=='Complete')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Complete')].reason"),
    printcolumn(name = "Cost", type_ = "string", json_path = ".status.usage.cost"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Branch", type_ = "string", json_path = ".status.result.branch", priority = 1),
    printcolumn(name = "Forecast", type_ = "string", json_path = ".status.forecast.cost", priority = 1),
    printcolumn(name = "Submitted by", type_ = "string", json_path = ".spec.submittedBy", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Complete')].message",
        priority = 1
    ),
    validation = Rule::new("!has(self.spec.dependsOn) || !self.spec.dependsOn.exists(d, d.name == self.metadata.name)")
        .message("dependsOn names the task itself: name other tasks only")
        .reason(Reason::FieldValueInvalid)
        .field_path(".spec.dependsOn")
)]
#[x_kube(
    validation = rules::immutable("teamRef"),
    validation = rules::immutable("goal"),
    validation = rules::immutable("source"),
    validation = rules::immutable_optional("guards"),
    validation = rules::immutable_optional("delivery"),
    validation = rules::immutable_optional("dependsOn"),
    validation = rules::immutable("maxAttempts"),
    validation = rules::immutable("deadlineSeconds"),
    validation = rules::immutable_optional("submittedBy"),
    validation = rules::raise_only("costMicroUSD"),
    validation = rules::raise_only("tokens"),
    validation = rules::invalid(
        "delivery",
        "!has(self.delivery) || !has(self.delivery.git) || has(self.source.git)",
        "to git needs a source from git: a branch is pushed to the repository the work started from"
    ),
    validation = Rule::new("oldSelf.desiredState != 'Cancelled' || self.desiredState == 'Cancelled'")
        .message("desiredState is Cancelled, which is final: create another AgentTask instead")
        .reason(Reason::FieldValueForbidden)
        .field_path(".desiredState")
)]
#[serde(rename_all = "camelCase")]
pub struct AgentTaskSpec {
    /// The AgentTeam, in the same namespace, that does the work.
    pub team_ref: LocalRef,
    /// What is wanted, in the words the agents read. At most 16384 characters.
    #[schemars(length(min = 1, max = 16_384), regex(pattern = NOT_BLANK))]
    pub goal: String,
    /// What the work starts from.
    pub source: Source,
    /// Guards of this task, added to those the policy requires; it cannot redefine one of the policy's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub guards: Vec<GuardSpec>,
    /// Where the result goes; a patch in the artifact store when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// What the task may spend in all, beside the Budgets that select it. Can only be raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<TaskLimits>,
    /// Tasks in the same namespace that must be Complete before this one begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub depends_on: Vec<LocalRef>,
    /// How many attempts may be judged before the task fails, 1 to 20. A lost pod costs no attempt.
    #[serde(default = "default_max_attempts")]
    #[schemars(range(min = 1, max = 20))]
    pub max_attempts: u32,
    /// Seconds from admission after which the task fails, 10 to 604800 (seven days).
    #[serde(default = "default_deadline")]
    #[schemars(range(min = 10, max = 604_800))]
    pub deadline_seconds: i64,
    /// Who submitted the task: equal to the authenticated caller. Stamped at admission where the cluster can,
    /// else it has to be written. Never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = LINE))]
    pub submitted_by: Option<String>,
    /// Higher runs first within a team, -1000 to 1000.
    #[serde(default)]
    #[schemars(range(min = -1000, max = 1000))]
    pub priority: i32,
    /// Whether the task should run.
    #[serde(default)]
    pub desired_state: DesiredState,
}

fn default_max_attempts() -> u32 {
    3
}
fn default_deadline() -> i64 {
    3600
}

/// Whether a task should run. Cancelled is terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DesiredState {
    /// It should run.
    #[default]
    Active,
    /// It should wait; what runs is stopped, nothing is lost.
    Suspended,
    /// It should end. Final.
    Cancelled,
}

/// What the work starts from: exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.git) != has(self.inline)")
        .message("source must have exactly one of git and inline")
        .reason(Reason::FieldValueInvalid)
)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// A git repository at a ref.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitSource>,
    /// Files given with the task itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<InlineSource>,
}

/// A git repository at a ref.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = rules::invalid(
        "url",
        r"self.url.matches('^(https?|git|ssh)://([^/?#\\s]*@)?[A-Za-z0-9\\[][A-Za-z0-9.:_\\[\\]-]*/[^?#\\s]+$')",
        "must be an http, https, git or ssh URL with a host and a path, without a query: for example https://git.example/shop.git"
    ),
    validation = Rule::new(r"!self.url.matches('^((https?|git)://[^/]*@|ssh://[^/]*:[^/]*@)')")
        .message("url must not carry credentials: put them into a Secret and name it in secretRef")
        .reason(Reason::FieldValueForbidden)
        .field_path(".url"),
    validation = rules::git_ref("ref")
)]
#[serde(rename_all = "camelCase")]
pub struct GitSource {
    /// Where the repository is: http, https, git or ssh, without credentials.
    #[schemars(length(min = 1, max = 2048))]
    pub url: String,
    /// Branch, tag or commit; resolved once to a commit.
    #[serde(rename = "ref")]
    #[schemars(length(min = 1, max = 255), regex(pattern = GIT_REF))]
    pub git_ref: String,
    /// A Secret (keys `username`, `password`) annotated with use `git-read` and its hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalRef>,
}

/// Files given with the task itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = rules::files_fit(false))]
#[serde(rename_all = "camelCase")]
pub struct InlineSource {
    /// 1 to 64 files, together at most 512 KiB.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["path".into()]))]
    pub files: Vec<InlineFile>,
}

/// Where the result goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// A branch of the source repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitDelivery>,
}

/// A branch of the source repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = rules::git_ref("branch"))]
#[serde(rename_all = "camelCase")]
pub struct GitDelivery {
    /// The branch to push, below `golden/`: no task can push over a branch people work on.
    #[schemars(length(min = 8, max = 200), regex(pattern = GOLDEN_BRANCH))]
    pub branch: String,
    /// A Secret (keys `username`, `password`) annotated with use `git-write` and its hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalRef>,
}

/// What a task may spend in all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.costMicroUSD) || has(self.tokens)")
        .message("limits must set costMicroUSD, tokens or both; leave limits out for none")
        .reason(Reason::FieldValueRequired)
)]
#[serde(rename_all = "camelCase")]
pub struct TaskLimits {
    /// In millionths of a US dollar.
    #[schemars(range(min = 0, max = MAX_AMOUNT))]
    #[serde(default, rename = "costMicroUSD", skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<i64>,
    /// Input and output tokens together.
    #[schemars(range(min = 0, max = MAX_AMOUNT))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<i64>,
}
