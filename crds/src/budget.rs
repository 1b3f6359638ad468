//! Budget: limits per period, nested through a parent.

use crate::common::ObjectRef;
use crate::rules;
use crate::schema::{DIGEST, DNS_LABEL, MAX_AMOUNT};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much the selected tasks may spend.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "goldenarch.dev",
    version = "v1alpha1",
    kind = "Budget",
    namespaced,
    status = "BudgetStatus",
    shortname = "bud",
    category = "golden",
    doc = "A limit on what the selected tasks may spend. It cannot be overdrawn.",
    cel,
    printcolumn(name = "Spent", type_ = "string", json_path = ".status.spent"),
    printcolumn(name = "Available", type_ = "string", json_path = ".status.available"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(
        name = "Question",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Answered')].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Period", type_ = "string", json_path = ".spec.period", priority = 1),
    printcolumn(name = "Parent", type_ = "string", json_path = ".spec.parentRef.name", priority = 1),
    printcolumn(name = "Reserved", type_ = "integer", json_path = ".status.reservedMicroUSD", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    validation = Rule::new(
        "!has(self.spec.parentRef) || has(self.spec.parentRef.__namespace__) || self.spec.parentRef.name != self.metadata.name"
    )
    .message("parentRef names the Budget itself: name another Budget, or leave it out")
    .reason(Reason::FieldValueInvalid)
    .field_path(".spec.parentRef")
)]
#[x_kube(validation = rules::invalid(
    "ask",
    "!has(self.ask) || (has(self.onExhausted) && self.onExhausted == 'Ask')",
    "is for onExhausted Ask only: set that, or leave it out"
))]
#[serde(rename_all = "camelCase")]
pub struct BudgetSpec {
    /// Upper bounds. Can be raised and lowered at any time; lowering takes nothing back that was granted.
    pub limits: BudgetLimits,
    /// How long the limits count. What calls under way have reserved is carried over when a period ends.
    #[serde(default)]
    pub period: Period,
    /// Where days, weeks and months begin: a name of the IANA time zone database, for example `Europe/Berlin`.
    #[schemars(length(min = 1, max = 64), regex(pattern = TIME_ZONE))]
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Shares of a limit, in percent: reaching one is an event, once per period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(range(min = 1, max = 100)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub alert_percents: Vec<i64>,
    /// AgentTasks of this namespace, by their labels at admission; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::label_selector")]
    pub selector: Option<LabelSelector>,
    /// A Budget that everything spent here also counts against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_ref: Option<ObjectRef>,
    /// Namespaces whose Budgets may name this one as parent, beside its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 63), regex(pattern = DNS_LABEL)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_namespaces: Vec<String>,
    /// What happens to a call that cannot be paid.
    #[serde(default)]
    pub on_exhausted: OnExhausted,
    /// How a person is asked, when onExhausted is Ask; the defaults when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<AskRules>,
}

/// How a person is asked for more, and what counts if nobody answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = rules::invalid(
    "deadlineSeconds",
    "has(self.deadlineSeconds) || !has(self.onDeadline) || self.onDeadline != 'Fail'",
    "must be given when onDeadline is Fail"
))]
#[serde(rename_all = "camelCase")]
pub struct AskRules {
    /// What one approval adds for the present period: this share of each limit that is lacking, in percent, and never
    /// less than what is missing.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default = "ten")]
    pub grant_percent: i64,
    /// Seconds a person has to answer, 10 to 2592000 (30 days); for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 2_592_000))]
    pub deadline_seconds: Option<i64>,
    /// What happens to the calls that wait when nobody has answered by then.
    #[serde(default)]
    pub on_deadline: AskDeadline,
}

impl Default for AskRules {
    fn default() -> Self {
        Self { grant_percent: ten(), deadline_seconds: None, on_deadline: AskDeadline::default() }
    }
}

fn ten() -> i64 {
    10
}

/// What happens to the calls that wait when nobody has answered in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AskDeadline {
    /// They wait on, and can still be answered for.
    #[default]
    Wait,
    /// They fail, as after a denial.
    Fail,
}

/// Upper bounds; at least one is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.costMicroUSD) || has(self.tokens)")
        .message("limits must set costMicroUSD, tokens or both")
        .reason(Reason::FieldValueRequired)
)]
#[serde(rename_all = "camelCase")]
pub struct BudgetLimits {
    /// In millionths of a US dollar; 0 lets nothing through.
    #[schemars(range(min = 0, max = MAX_AMOUNT))]
    #[serde(default, rename = "costMicroUSD", skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<i64>,
    /// Input and output tokens together; 0 lets nothing through.
    #[schemars(range(min = 0, max = MAX_AMOUNT))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<i64>,
}

/// Letters, digits and what stands between them in names of zones.
const TIME_ZONE: &str = "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$";

fn utc() -> String {
    "UTC".into()
}

/// How long a limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Period {
    /// For ever.
    #[default]
    Total,
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first to the first.
    Month,
}

impl Period {
    /// The name as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Total => "Total",
            Self::Day => "Day",
            Self::Week => "Week",
            Self::Month => "Month",
        }
    }
}

/// What happens to a call that cannot be paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnExhausted {
    /// The call waits until there is money.
    #[default]
    Pause,
    /// The call waits, and a person is asked for more: `golden approve budget/NAME`, `golden deny budget/NAME`.
    Ask,
    /// The task fails.
    Fail,
}

impl OnExhausted {
    /// The name as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "Pause",
            Self::Ask => "Ask",
            Self::Fail => "Fail",
        }
    }
}

/// What Golden reports of a budget.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetStatus {
    /// `metadata.generation` this status was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Settled, in millionths of a US dollar.
    #[serde(default, rename = "spentMicroUSD")]
    #[schemars(range(min = 0))]
    pub spent_micro_usd: i64,
    /// Reserved for calls that are under way, in millionths of a US dollar.
    #[serde(default, rename = "reservedMicroUSD")]
    #[schemars(range(min = 0))]
    pub reserved_micro_usd: i64,
    /// What providers charged beyond what was reserved, in millionths of a US dollar; absent where there is none. With a
    /// cost limit nothing new is granted until that limit is changed, which confirms it.
    #[serde(default, rename = "overageMicroUSD", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub overage_micro_usd: Option<i64>,
    /// Tokens beyond those that were reserved, as the cost; they block where there is a token limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub overage_tokens: Option<i64>,
    /// Who spent it in the present period; at most a minute older than the amounts. Absent where nothing was spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_by: Option<SpentBy>,
    /// What new calls may still reserve, in millionths of a US dollar; absent without a cost limit.
    #[serde(default, rename = "availableMicroUSD", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub available_micro_usd: Option<i64>,
    /// What people granted beside the cost limit for the present period, in millionths of a US dollar.
    #[serde(default, rename = "grantedMicroUSD", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub granted_micro_usd: Option<i64>,
    /// What people granted beside the token limit for the present period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub granted_tokens: Option<i64>,
    /// What a person is asked now; absent while nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<QuestionStatus>,
    /// When the present period ends, in RFC 3339; absent where the limits count for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub period_ends_at: Option<String>,
    /// Those of `spec.alertPercents` that were reached in this period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub alerts_reached: Vec<i64>,
    /// Settled tokens.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub spent_tokens: i64,
    /// Spent of limit, for people, for example `$0.06 of $1.00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub spent: Option<String>,
    /// Available, for people, for example `$0.94`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub available: Option<String>,
}

/// The dearest ten of each, the dearest first. `golden budgets NAME` tells all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpentBy {
    /// What was spent in all when this was read, in millionths of a US dollar.
    #[serde(rename = "microUSD")]
    #[schemars(range(min = 0))]
    pub micro_usd: i64,
    /// By role; a voter is `voter:<role>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub roles: Vec<Share>,
    /// By model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub models: Vec<Share>,
    /// By task, as `namespace/name`; those of another namespace together, as `namespace/*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub tasks: Vec<Share>,
}

/// What one of them spent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Whose it is; `*` for all that are not told apart.
    #[schemars(length(max = 512))]
    pub name: String,
    /// In millionths of a US dollar.
    #[serde(rename = "microUSD")]
    #[schemars(range(min = 0))]
    pub micro_usd: i64,
}

/// What a person is asked: whether calls that wait may have more than the limits, in this period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuestionStatus {
    /// Names the question in an answer. Another amount, and another period, are another question.
    #[schemars(regex(pattern = DIGEST))]
    pub digest: String,
    /// What the largest of the calls lacks, in millionths of a US dollar.
    #[serde(rename = "missingMicroUSD")]
    #[schemars(range(min = 0))]
    pub missing_micro_usd: i64,
    /// What the largest of the calls lacks, in tokens.
    #[schemars(range(min = 0))]
    pub missing_tokens: i64,
    /// What an approval adds until the period ends, in millionths of a US dollar.
    #[serde(rename = "grantMicroUSD")]
    #[schemars(range(min = 0))]
    pub grant_micro_usd: i64,
    /// What an approval adds until the period ends, in tokens.
    #[schemars(range(min = 0))]
    pub grant_tokens: i64,
    /// How many tasks wait for the answer.
    #[schemars(range(min = 1))]
    pub tasks: i64,
    /// When it was asked, in RFC 3339.
    #[schemars(length(max = 64))]
    pub since: String,
    /// When `spec.ask.onDeadline` counts, in RFC 3339; absent without a deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub deadline: Option<String>,
}
