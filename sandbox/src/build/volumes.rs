//! Volumes: the binary, the workspace and what it was made from, a `/tmp` each, and the token, which only Golden's own
//! containers mount.

use super::BuildContext;
use golden_crds::SandboxRunSpec;
use k8s_openapi::api::core::v1::{
    EmptyDirVolumeSource, ProjectedVolumeSource, ServiceAccountTokenProjection, Volume, VolumeMount,
    VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Where the command runs.
pub(crate) const WORKSPACE: &str = "/workspace";

/// Where the tree is that the workspace was made from, for a command that compares.
pub(crate) const BASE: &str = "/golden-base";

const BIN: &str = "golden-bin";
const TMP: &str = "tmp";
const TOKEN: &str = "token";
/// The static binary, with room for an unstripped one.
const BIN_BYTES: i64 = 512 << 20;
/// A tree is at most 256 MiB; a build beside it needs room of its own.
const WORKSPACE_BYTES: i64 = 1 << 30;
const TMP_BYTES: i64 = 256 << 20;

/// Bytes a run may write: workspace, `/tmp`, and the kept part of both outputs.
pub(super) fn run_storage_bytes(spec: &SandboxRunSpec) -> i64 {
    WORKSPACE_BYTES + tmp_bytes(spec)
}

fn tmp_bytes(spec: &SandboxRunSpec) -> i64 {
    TMP_BYTES + 2 * spec.limits.output_bytes
}

pub(super) fn all(spec: &SandboxRunSpec, context: &BuildContext) -> Vec<Volume> {
    let mut volumes =
        vec![empty(BIN, BIN_BYTES), empty("workspace", WORKSPACE_BYTES), empty(TMP, tmp_bytes(spec))];
    if spec.base.is_some() {
        volumes.push(empty("base", WORKSPACE_BYTES));
    }
    if context.sandbox_url.is_some() {
        volumes.push(token());
    }
    volumes
}

pub(super) fn of_prepare(spec: &SandboxRunSpec, context: &BuildContext) -> Vec<VolumeMount> {
    let mut mounts = vec![mount(BIN, "/golden-bin", false), mount("workspace", WORKSPACE, false)];
    if spec.base.is_some() {
        mounts.push(mount("base", BASE, false));
    }
    if context.sandbox_url.is_some() {
        mounts.push(mount(TOKEN, "/var/run/golden", true));
    }
    mounts
}

pub(super) fn of_uploader() -> Vec<VolumeMount> {
    vec![mount(TOKEN, "/var/run/golden", true)]
}

pub(super) fn of_run(spec: &SandboxRunSpec) -> Vec<VolumeMount> {
    let mut mounts = vec![
        mount(BIN, "/golden-bin", true),
        mount("workspace", WORKSPACE, false),
        mount(TMP, "/tmp", false),
    ];
    if spec.base.is_some() {
        mounts.push(mount("base", BASE, true));
    }
    mounts
}

fn empty(name: &str, bytes: i64) -> Volume {
    let source = EmptyDirVolumeSource { medium: None, size_limit: Some(Quantity(bytes.to_string())) };
    Volume { name: name.into(), empty_dir: Some(source), ..Volume::default() }
}

fn token() -> Volume {
    let projection = ServiceAccountTokenProjection {
        audience: Some("golden".into()),
        expiration_seconds: Some(3600),
        path: "token".into(),
    };
    let source = VolumeProjection { service_account_token: Some(projection), ..VolumeProjection::default() };
    let projected = ProjectedVolumeSource { default_mode: Some(0o440), sources: Some(vec![source]) };
    Volume { name: TOKEN.into(), projected: Some(projected), ..Volume::default() }
}

fn mount(volume: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: volume.into(),
        mount_path: path.into(),
        read_only: Some(read_only),
        ..VolumeMount::default()
    }
}
