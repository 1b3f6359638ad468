//! The three containers of a run's pod.

use super::args::{BINARY, runner};
use super::{BuildContext, PREPARE, RUN, UPLOADER, volumes};
use golden_crds::SandboxRunSpec;
use k8s_openapi::api::core::v1::{Capabilities, Container, EnvVar, ResourceRequirements, SecurityContext};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// Memory the runner itself may take beside the command's limit.
pub(super) const RUNNER_MEMORY_BYTES: i64 = 48 << 20;

/// Base64 characters of inline files per variable; the kernel allows 128 KiB for each string of an environment.
const FILES_CHUNK: usize = 96 << 10;

pub(super) fn prepare(spec: &SandboxRunSpec, context: &BuildContext) -> Container {
    let mut env: Vec<EnvVar> = file_chunks(spec)
        .into_iter()
        .enumerate()
        .map(|(i, chunk)| variable(&format!("GOLDEN_FILES_{i}"), chunk))
        .collect();
    if let Some(digest) = &spec.workspace {
        env.push(variable("GOLDEN_WORKSPACE", digest.clone()));
    }
    if let Some(digest) = &spec.base {
        env.push(variable("GOLDEN_BASE", digest.clone()));
    }
    if let Some(url) = &context.sandbox_url {
        env.push(variable("GOLDEN_SANDBOX_URL", url.clone()));
    }
    Container {
        env: Some(env),
        command: Some(words(&["/usr/local/bin/golden", "runner", "prepare"])),
        volume_mounts: Some(volumes::of_prepare(spec, context)),
        ..ours(PREPARE, context)
    }
}

pub(super) fn uploader(url: &str, context: &BuildContext) -> Container {
    Container {
        env: Some(vec![variable("GOLDEN_SANDBOX_URL", url.into())]),
        command: Some(words(&["/usr/local/bin/golden", "runner", "upload"])),
        restart_policy: Some("Always".into()),
        volume_mounts: Some(volumes::of_uploader()),
        ..ours(UPLOADER, context)
    }
}

pub(super) fn run(spec: &SandboxRunSpec, context: &BuildContext) -> Container {
    let memory = spec.limits.memory_bytes + RUNNER_MEMORY_BYTES;
    Container {
        name: RUN.into(),
        image: Some(spec.image.clone()),
        image_pull_policy: Some(context.image_pull_policy.clone()),
        command: Some(words(&[BINARY, "runner", "sandbox"])),
        args: Some(runner(spec, context.sandbox_url.is_some())),
        working_dir: Some(volumes::WORKSPACE.into()),
        termination_message_policy: Some("File".into()),
        resources: Some(resources(
            [
                ("cpu", format!("{}m", spec.limits.cpu_millis)),
                ("memory", memory.to_string()),
                ("ephemeral-storage", volumes::run_storage_bytes(spec).to_string()),
            ],
            [
                ("cpu", format!("{}m", spec.limits.cpu_millis.min(50))),
                ("memory", memory.min(64 << 20).to_string()),
            ],
        )),
        security_context: Some(restricted()),
        volume_mounts: Some(volumes::of_run(spec)),
        ..Container::default()
    }
}

/// A container of Golden's own image: small, restricted.
fn ours(name: &str, context: &BuildContext) -> Container {
    Container {
        name: name.into(),
        image: Some(context.golden_image.clone()),
        image_pull_policy: Some(context.image_pull_policy.clone()),
        termination_message_policy: Some("File".into()),
        resources: Some(resources(
            [("cpu", "500m".into()), ("memory", "192Mi".into()), ("ephemeral-storage", "1Gi".into())],
            [("cpu", "10m".into()), ("memory", "16Mi".into())],
        )),
        security_context: Some(restricted()),
        ..Container::default()
    }
}

fn restricted() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        privileged: Some(false),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(true),
        capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".into()]) }),
        ..SecurityContext::default()
    }
}

fn resources<const L: usize, const R: usize>(
    limits: [(&str, String); L],
    requests: [(&str, String); R],
) -> ResourceRequirements {
    ResourceRequirements {
        limits: Some(quantities(limits)),
        requests: Some(quantities(requests)),
        ..ResourceRequirements::default()
    }
}

fn quantities<const N: usize>(pairs: [(&str, String); N]) -> BTreeMap<String, Quantity> {
    pairs.into_iter().map(|(name, value)| (name.into(), Quantity(value))).collect()
}

fn variable(name: &str, value: String) -> EnvVar {
    EnvVar { name: name.into(), value: Some(value), value_from: None }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).into()).collect()
}

/// The inline files as chunks of one Base64 text. They travel in the pod, which only Golden writes: a ConfigMap could
/// be replaced by whoever may edit the namespace.
fn file_chunks(spec: &SandboxRunSpec) -> Vec<String> {
    if spec.files.is_empty() {
        return Vec::new();
    }
    let text = crate::files::encode(&spec.files);
    text.as_bytes().chunks(FILES_CHUNK).map(|chunk| String::from_utf8_lossy(chunk).into_owned()).collect()
}
