//! PromptRevision: a proposed prompt for a role. This version stores it; learning is not served yet.

use crate::common::LocalRef;
use crate::rules;
use crate::schema::{DIGEST, DNS_LABEL, LINE, NOT_BLANK};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A prompt, whence it comes and why. Immutable.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "goldenarch.dev",
    version = "v1alpha1",
    kind = "PromptRevision",
    namespaced,
    status = "PromptRevisionStatus",
    shortname = "prev",
    category = "golden",
    doc = "A proposed prompt for a role. Immutable.",
    cel,
    selectable = ".spec.teamRef.name",
    selectable = ".spec.role",
    printcolumn(name = "Team", type_ = "string", json_path = ".spec.teamRef.name"),
    printcolumn(name = "Role", type_ = "string", json_path = ".spec.role"),
    printcolumn(name = "By", type_ = "string", json_path = ".spec.proposedBy"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = rules::immutable_spec("PromptRevision"))]
#[serde(rename_all = "camelCase")]
pub struct PromptRevisionSpec {
    /// The AgentTeam, in the same namespace, the prompt is for.
    pub team_ref: LocalRef,
    /// The role the prompt is for.
    #[schemars(length(min = 1, max = 40), regex(pattern = DNS_LABEL))]
    pub role: String,
    /// The prompt. At most 65536 characters.
    #[schemars(length(min = 1, max = 65_536), regex(pattern = NOT_BLANK))]
    pub text: String,
    /// Digest of the prompt it was made from; absent for a first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DIGEST))]
    pub parent_digest: Option<String>,
    /// Why the prompt should change. At most 4096 characters.
    #[schemars(length(min = 1, max = 4096), regex(pattern = NOT_BLANK))]
    pub rationale: String,
    /// Who proposed it, and therefore cannot approve it.
    #[schemars(length(min = 1, max = 256), regex(pattern = LINE))]
    pub proposed_by: String,
}

/// What Golden reports of a revision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptRevisionStatus {
    /// `metadata.generation` this status was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}
