//! Guards: what examines a produced tree.

// On the module, since the derived copy of `SizeLimits` has no attributes of its own.
#![expect(
    clippy::struct_field_names,
    reason = "each field of `SizeLimits` is a maximum, and a manifest has to say so"
)]

use crate::rules;
use crate::schema::{DNS_LABEL, IMAGE, LINE};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An SPDX identifier of a licence.
const LICENCE: &str = "^[A-Za-z0-9][A-Za-z0-9.+-]*$";
/// An ecosystem and a glob of names in it.
const DEPENDENCY: &str = "^(cargo|npm|pypi|go):[^\\s]+$";

/// One check of the produced tree, run as a SandboxRun: a command of one's own, or one of Golden's built-in checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = rules::invalid(
        "builtin",
        "has(self.builtin) != has(self.command)",
        "or command must be given, and not both: a guard is one check"
    ),
    validation = rules::invalid(
        "image",
        "has(self.image) == has(self.command)",
        "must be given with a command, and only then: a built-in guard runs in Golden's own"
    ),
    validation = rules::program("command", true),
    validation = rules::paths_inside("restorePaths"),
    validation = rules::invalid(
        "retries",
        "!has(self.retries) || self.retries == 0 || has(self.command)",
        "are of a command: a built-in guard says the same of the same trees"
    ),
    validation = rules::invalid(
        "restorePaths",
        "!has(self.restorePaths) || has(self.command)",
        "are of a command: a built-in guard examines the whole change, from outside of it"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct GuardSpec {
    /// A DNS label, unique within the task and the policies that apply to it.
    #[schemars(length(min = 1, max = 40), regex(pattern = DNS_LABEL))]
    pub name: String,
    /// Image the command runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = IMAGE))]
    pub image: Option<String>,
    /// The program and its arguments, run in the workspace without a shell. Exit code 0 is a pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// A check that comes with Golden. It compares the result with what the work started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<BuiltinGuard>,
    /// Seconds after which the check is killed and the guard fails, 1 to 3600.
    #[serde(default = "default_guard_timeout")]
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_seconds: i64,
    /// How often a command that failed is run again on the same tree, 0 to 3. If it passes then it counts as passed, and
    /// is shown as flaky.
    #[serde(default)]
    #[schemars(range(min = 0, max = 3))]
    pub retries: u32,
    /// Paths (globs) reset to the base before the command runs, so that its subject cannot edit its examiner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 255), regex(pattern = LINE)))]
    pub restore_paths: Vec<String>,
}

fn default_guard_timeout() -> i64 {
    120
}

/// A check that comes with Golden: exactly one of the fields. What was there before the change is not held against it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new(
        "[has(self.secrets), has(self.sizeLimits), has(self.pathLimits), has(self.forbiddenFiles), \
         has(self.licences), has(self.dependencies)].filter(given, given).size() == 1"
    )
    .message(
        "builtin must have exactly one of secrets, sizeLimits, pathLimits, forbiddenFiles, licences and dependencies"
    )
    .reason(Reason::FieldValueInvalid)
)]
#[serde(rename_all = "camelCase")]
pub struct BuiltinGuard {
    /// Keys, tokens and passwords that the change brings in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SecretRules>,
    /// How large a change may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_limits: Option<SizeLimits>,
    /// Where a change may reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_limits: Option<PathLimits>,
    /// Files that a change may not bring in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forbidden_files: Option<ForbiddenFiles>,
    /// Changes of licences: of the work itself, and those of new dependencies as far as their lock file names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licences: Option<LicenceRules>,
    /// Changes of dependencies in Cargo, npm, Python and Go manifests and lock files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<DependencyRules>,
}

/// Which secrets are let pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = rules::paths_inside("allowedPaths"))]
#[serde(rename_all = "camelCase")]
pub struct SecretRules {
    /// Globs of files that are not looked at, such as keys made for tests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 255), regex(pattern = LINE)))]
    pub allowed_paths: Vec<String>,
}

/// How large a change may be. At least one bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.maxFiles) || has(self.maxFileBytes) || has(self.maxTotalBytes)")
        .message("sizeLimits must set maxFiles, maxFileBytes or maxTotalBytes: without a bound it checks nothing")
        .reason(Reason::FieldValueRequired)
)]
#[serde(rename_all = "camelCase")]
pub struct SizeLimits {
    /// Most files added, changed and removed, 1 to 20000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20_000))]
    pub max_files: Option<i64>,
    /// Most bytes of each file added or changed, 0 to 256 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 268_435_456))]
    pub max_file_bytes: Option<i64>,
    /// Most bytes of all files added or changed together, 0 to 256 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 268_435_456))]
    pub max_total_bytes: Option<i64>,
}

/// Where a change may reach. At least one list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.allowed) || has(self.denied)")
        .message("pathLimits must set allowed, denied or both: without a path it checks nothing")
        .reason(Reason::FieldValueRequired),
    validation = rules::paths_inside("allowed"),
    validation = rules::paths_inside("denied")
)]
#[serde(rename_all = "camelCase")]
pub struct PathLimits {
    /// Globs: when given, every path added, changed or removed must match one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 255), regex(pattern = LINE)))]
    pub allowed: Vec<String>,
    /// Globs: no path added, changed or removed may match one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 255), regex(pattern = LINE)))]
    pub denied: Vec<String>,
}

/// Files that a change may neither add nor change; to remove one is all right. At least one list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.paths) || has(self.kinds)")
        .message("forbiddenFiles must set paths, kinds or both: without either it checks nothing")
        .reason(Reason::FieldValueRequired),
    validation = rules::paths_inside("paths")
)]
#[serde(rename_all = "camelCase")]
pub struct ForbiddenFiles {
    /// Globs of their paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 255), regex(pattern = LINE)))]
    pub paths: Vec<String>,
    /// What they are, wherever they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub kinds: Vec<FileKind>,
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FileKind {
    /// A file that holds a zero byte, or is not UTF-8.
    Binary,
    /// A file that may be executed and could not before.
    Executable,
    /// A symbolic link.
    Link,
}

/// Which licences a change may bring in. Licence files, headers and manifest fields that are there may not change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LicenceRules {
    /// SPDX identifiers, for example `Apache-2.0`. When given, a licence that is brought in must be one of them, or an
    /// expression that they satisfy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 64), regex(pattern = LICENCE)))]
    pub allowed: Vec<String>,
}

/// Which dependencies a change may bring in. Names are globs behind an ecosystem: `npm:@acme/*`, `go:github.com/acme/**`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DependencyRules {
    /// When given, every dependency that a manifest gains must match one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 255), regex(pattern = DEPENDENCY)))]
    pub allowed: Vec<String>,
    /// No dependency that is added or changed may match one, also not an indirect one in a lock file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 255), regex(pattern = DEPENDENCY)))]
    pub denied: Vec<String>,
    /// Whether a manifest may gain dependencies only together with its lock file; one that has none
    /// (`requirements.txt`) has to pin what it gains.
    #[serde(default = "yes")]
    pub require_lock_file: bool,
}

fn yes() -> bool {
    true
}

impl BuiltinGuard {
    /// All globs of paths in it.
    pub fn globs(&self) -> impl Iterator<Item = &str> {
        let secrets = self.secrets.iter().flat_map(|s| &s.allowed_paths);
        let paths = self.path_limits.iter().flat_map(|p| p.allowed.iter().chain(&p.denied));
        let forbidden = self.forbidden_files.iter().flat_map(|f| &f.paths);
        secrets.chain(paths).chain(forbidden).map(String::as_str)
    }
}
