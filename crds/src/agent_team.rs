//! AgentTeam: roles, models, and the services that run them.

use crate::common::LocalRef;
use crate::rules;
use crate::schema::{DNS_LABEL, DNS_SUBDOMAIN, IMAGE, LINE};
use k8s_openapi::api::core::v1::{ResourceRequirements, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who works, with which models, and how the team's services scale.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "goldenarch.dev",
    version = "v1alpha1",
    kind = "AgentTeam",
    namespaced,
    status = "AgentTeamStatus",
    shortname = "team",
    category = "golden",
    doc = "A team of agents: roles, models and the services that run them.",
    cel,
    printcolumn(name = "Services", type_ = "string", json_path = ".status.servicesReady"),
    printcolumn(name = "Active", type_ = "integer", json_path = ".status.activeTasks"),
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
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct AgentTeamSpec {
    /// 1 to 16 roles. The role `developer` produces; the others may vote when a policy names them.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub roles: Vec<RoleSpec>,
    /// Where the team's pods may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Tasks worked on at the same time, 1 to 100; others wait.
    #[serde(default = "default_max_concurrent")]
    #[schemars(range(min = 1, max = 100))]
    pub max_concurrent_tasks: u32,
    /// Scaling of the team's services; one replica each when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<TeamServices>,
}

fn default_max_concurrent() -> u32 {
    4
}

/// One role of the team. The role `developer` produces; the others may vote when a policy names them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleSpec {
    /// A DNS label, unique in the team.
    #[schemars(length(min = 1, max = 40), regex(pattern = DNS_LABEL))]
    pub name: String,
    /// The model this role calls.
    pub model_ref: ModelRef,
    /// The PromptRevision this role works by; Golden's own prompt when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_revision_ref: Option<LocalRef>,
    /// Another agent than the built-in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentSpec>,
}

/// A model of a ModelProvider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelRef {
    /// ModelProvider in the same namespace, or one in Golden's namespace that is offered to it.
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub provider: String,
    /// One of the models the provider lists.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^\\S+$"))]
    pub model: String,
}

/// A foreign agent: any image whose command works on `/workspace` and calls the given base URL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = rules::program("command", false))]
#[serde(rename_all = "camelCase")]
pub struct AgentSpec {
    /// Image the agent runs in.
    #[schemars(length(min = 1, max = 512), regex(pattern = IMAGE))]
    pub image: String,
    /// The program and its first arguments. It is run by Golden's runner, so the image's entrypoint is not used.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Further arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub args: Vec<String>,
    /// What the agent's container requests and may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
}

/// Where the team's pods may run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Labels the nodes must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints the pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<Toleration>,
    /// PriorityClass of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub priority_class_name: Option<String>,
    /// Secrets with which images are pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub image_pull_secrets: Vec<LocalRef>,
}

/// Scaling of the team's services. Absent: one replica each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TeamServices {
    /// Drives tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orchestrator: Option<ServiceScale>,
    /// Asks the peers and decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_hub: Option<ServiceScale>,
    /// Owns escalations and dead letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervisor: Option<ServiceScale>,
    /// Runs commands in isolation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<ServiceScale>,
}

/// Replicas of one service. This version runs `minReplicas`; it does not scale by itself yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceScale {
    /// Replicas that run, 1 to 20.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 20))]
    pub min_replicas: i32,
}

fn one() -> i32 {
    1
}

/// What Golden reports of a team.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentTeamStatus {
    /// `metadata.generation` this status was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Services whose wanted replicas are available, for example `4/4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = LINE))]
    pub services_ready: Option<String>,
    /// Tasks being worked on now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub active_tasks: Option<i64>,
}
