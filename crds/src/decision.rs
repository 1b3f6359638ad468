//! Decision: one person's answer to an approval, an escalation or a Budget's question.

use crate::rules;
use crate::schema::{DIGEST, DNS_SUBDOMAIN, LINE};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who decided what about which digest. Immutable.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "goldenarch.dev",
    version = "v1alpha1",
    kind = "Decision",
    namespaced,
    status = "DecisionStatus",
    shortname = "dec",
    category = "golden",
    doc = "One person's answer to an approval, an escalation or a Budget's question. Immutable.",
    cel,
    selectable = ".spec.target.name",
    selectable = ".spec.target.uid",
    printcolumn(name = "Target", type_ = "string", json_path = ".spec.target.name"),
    printcolumn(name = "Verdict", type_ = "string", json_path = ".spec.verdict"),
    printcolumn(name = "By", type_ = "string", json_path = ".spec.decidedBy"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Accepted')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Accepted')].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Option", type_ = "string", json_path = ".spec.option", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Accepted')].message",
        priority = 1
    )
)]
#[x_kube(
    validation = rules::immutable_spec("Decision"),
    validation = rules::invalid(
        "option",
        "(self.verdict == 'Option') == has(self.option)",
        "must be given when the verdict is Option, and only then"
    ),
    validation = rules::invalid(
        "verdict",
        "self.target.kind != 'Budget' || self.verdict != 'Option'",
        "on a Budget must be Approve or Deny: it offers no options"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct DecisionSpec {
    /// What is decided on.
    pub target: DecisionTarget,
    /// The answer.
    pub verdict: Verdict,
    /// The chosen option of an escalation, when the verdict is Option: one of `status.escalation.options`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = LINE))]
    pub option: Option<String>,
    /// Why, in the person's words; goes into the record. At most 4096 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub note: Option<String>,
    /// Who decides: equal to the authenticated caller, as admission checks.
    #[schemars(length(min = 1, max = 256), regex(pattern = LINE))]
    pub decided_by: String,
}

/// What was decided on: an approval is stale when the digest changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionTarget {
    /// `AgentTask`, `Budget` or `PromptRevision`.
    pub kind: TargetKind,
    /// `metadata.name` of the target.
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub name: String,
    /// `metadata.uid` of the target: a recreated object is another one.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[0-9A-Za-z-]+$"))]
    pub uid: String,
    /// The digest shown in the target's status.
    #[schemars(regex(pattern = DIGEST))]
    pub digest: String,
}

/// Kinds that can be decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TargetKind {
    /// A task's result or escalation.
    AgentTask,
    /// A Budget's question for more, in the Budget's own namespace.
    Budget,
    /// A proposed prompt.
    PromptRevision,
}

/// A person's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Verdict {
    /// Yes.
    Approve,
    /// No.
    Deny,
    /// One of an escalation's options, named in `option`.
    Option,
}

/// The option that accepts a result as it is; [`Verdict::Approve`] stands for it.
pub const ACCEPT: &str = "Accept";
/// The option that ends the task without its result; [`Verdict::Deny`] stands for it.
pub const REJECT: &str = "Reject";
/// The option that lets the agents try again.
pub const RETRY: &str = "Retry";

/// The option that lets a task begin whose forecast is more than there is.
pub const START: &str = "Start";
/// The option that gives such a task up.
pub const REFUSE: &str = "Refuse";

impl Verdict {
    /// The option of an escalation that this answer is, `named` being the one given with [`Verdict::Option`]: an approval
    /// accepts the result or starts the task, whichever is asked.
    #[must_use]
    pub fn chooses<'a>(self, named: Option<&'a str>, offered: &[String]) -> &'a str {
        let of = |usual, other| if offered.iter().any(|option| option == other) { other } else { usual };
        match self {
            Self::Approve => of(ACCEPT, START),
            Self::Deny => of(REJECT, REFUSE),
            Self::Option => named.unwrap_or_default(),
        }
    }

    /// The other way round for an option about a result: whether it is a yes or a no. Nothing for one that is neither, as
    /// another attempt is.
    #[must_use]
    pub fn of_result(option: &str) -> Option<Self> {
        [Self::Approve, Self::Deny].into_iter().find(|verdict| verdict.chooses(None, &[]) == option)
    }
}

/// Whether the decision counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionStatus {
    /// `metadata.generation` this status was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}
