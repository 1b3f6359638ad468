//! Shapes shared by several kinds.

use crate::rules;
use crate::schema::{DNS_LABEL, DNS_SUBDOMAIN};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of an object in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalRef {
    /// `metadata.name` of the object.
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub name: String,
}

/// A reference to an object that may stand in another namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `metadata.name` of the object.
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub name: String,
    /// Its namespace; the referring object's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = DNS_LABEL))]
    pub namespace: Option<String>,
}

/// One variable of a process's environment. Values are literal: secrets never enter a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    /// The variable's name.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: String,
    /// Its value, at most 4096 characters. Never a secret.
    #[schemars(length(max = 4096))]
    pub value: String,
}

/// A small file given with the object itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = rules::path_inside("path"))]
#[serde(rename_all = "camelCase")]
pub struct InlineFile {
    /// Path relative to the workspace, without `..`.
    #[schemars(length(min = 1, max = 255), regex(pattern = crate::schema::LINE))]
    pub path: String,
    /// UTF-8 content, at most 256 KiB; the files of one object together at most 512 KiB.
    #[schemars(length(max = 262_144))]
    pub content: String,
}
