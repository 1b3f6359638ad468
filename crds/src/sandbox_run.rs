//! SandboxRun: one command in isolation.

use crate::common::{EnvVar, InlineFile};
use crate::rules;
use crate::schema::{DIGEST, DNS_SUBDOMAIN, IMAGE, LINE};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is run, on what, within which limits. Immutable.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "goldenarch.dev",
    version = "v1alpha1",
    kind = "SandboxRun",
    namespaced,
    status = "SandboxRunStatus",
    shortname = "sr",
    category = "golden",
    doc = "One command, run in isolation. Immutable.",
    cel,
    printcolumn(
        name = "Complete",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Complete')].status"
    ),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason"),
    printcolumn(name = "Exit", type_ = "integer", json_path = ".status.exitCode"),
    printcolumn(name = "Isolation", type_ = "string", json_path = ".status.isolation"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Complete')].message",
        priority = 1
    )
)]
#[x_kube(
    validation = rules::immutable_spec("SandboxRun"),
    validation = rules::program("command", false),
    validation = rules::files_fit(true),
    validation = rules::paths_inside("outputs")
)]
#[serde(rename_all = "camelCase")]
pub struct SandboxRunSpec {
    /// Image the command runs in.
    #[schemars(length(min = 1, max = 512), regex(pattern = IMAGE))]
    pub image: String,
    /// The program and its arguments, run in the workspace without a shell.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// The command's environment, beside the image's. Literal values only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
    /// Small files laid into the workspace, at most 64, together at most 512 KiB.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["path".into()]))]
    pub files: Vec<InlineFile>,
    /// Digest (`sha256:…`) of a tree in the artifact store, laid into the workspace first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DIGEST))]
    pub workspace: Option<String>,
    /// Digest of a second tree, laid beside the workspace at `/golden-base`, read-only: what the workspace was made
    /// from, for a command that compares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DIGEST))]
    pub base: Option<String>,
    /// What the run may take.
    #[serde(default)]
    pub limits: SandboxLimits,
    /// What the run may reach. This version gives every run an empty network.
    #[serde(default)]
    pub egress: Egress,
    /// RuntimeClass of the run's pod. If it does not exist the run fails; it never gets a weaker one.
    #[serde(default = "gvisor")]
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub runtime_class_name: String,
    /// Paths under the workspace that are kept as artifacts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 255), regex(pattern = LINE)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub outputs: Vec<String>,
    /// Seconds after the end until the object is deleted, at most 2592000 (30 days); kept when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_592_000))]
    pub ttl_seconds_after_finished: Option<i64>,
}

impl SandboxRunSpec {
    /// Digests of the trees that the run is given, and may read: what is examined, and what it was made from.
    pub fn trees(&self) -> impl Iterator<Item = &str> {
        [&self.workspace, &self.base].into_iter().flatten().map(String::as_str)
    }
}

fn gvisor() -> String {
    "gvisor".into()
}

/// What a run may take. Everything is bounded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SandboxLimits {
    /// Thousandths of a core, 10 to 64000.
    #[serde(default = "default_cpu")]
    #[schemars(range(min = 10, max = 64_000))]
    pub cpu_millis: i64,
    /// Bytes of memory, 16 MiB to 256 GiB. What takes more is killed.
    #[serde(default = "default_memory")]
    #[schemars(range(min = 16_777_216, max = 274_877_906_944_i64))]
    pub memory_bytes: i64,
    /// Processes and threads of the command, 1 to 4096.
    #[serde(default = "default_pids")]
    #[schemars(range(min = 1, max = 4096))]
    pub pids: i64,
    /// Seconds after which the command is killed, 1 to 3600.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_seconds: i64,
    /// Bytes of each of stdout and stderr that are kept, the last ones; 1 KiB to 16 MiB.
    #[serde(default = "default_output")]
    #[schemars(range(min = 1024, max = 16_777_216))]
    pub output_bytes: i64,
}

fn default_cpu() -> i64 {
    500
}
fn default_memory() -> i64 {
    268_435_456
}
fn default_pids() -> i64 {
    128
}
fn default_timeout() -> i64 {
    120
}
fn default_output() -> i64 {
    1_048_576
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            cpu_millis: default_cpu(),
            memory_bytes: default_memory(),
            pids: default_pids(),
            timeout_seconds: default_timeout(),
            output_bytes: default_output(),
        }
    }
}

/// The network of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Egress {
    /// Nothing but loopback.
    #[default]
    None,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SandboxRunStatus {
    /// `metadata.generation` this status was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The command's exit code, if it ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// One of the documented reasons: Completed, NonZeroExit, Timeout, OutOfMemory, TooManyProcesses, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub reason: Option<String>,
    /// The last bytes of stdout and stderr, together at most 2 KiB; the whole is an artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub output_tail: Option<String>,
    /// What was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["path".into()]))]
    pub artifacts: Vec<ArtifactStatus>,
    /// CPU time used, in thousandths of a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub cpu_millis_used: Option<i64>,
    /// Most memory used at once, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub peak_memory_bytes: Option<i64>,
    /// How long the command ran, in thousandths of a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub duration_millis: Option<i64>,
    /// The image as the node resolved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub image_id: Option<String>,
    /// RuntimeClass the run had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub isolation: Option<String>,
}

/// One kept output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactStatus {
    /// The path under the workspace, or `stdout` or `stderr`.
    #[schemars(length(min = 1, max = 255))]
    pub path: String,
    /// Digest in the artifact store.
    #[schemars(length(max = 80))]
    pub digest: String,
    /// Size in bytes.
    #[schemars(range(min = 0))]
    pub bytes: i64,
}
