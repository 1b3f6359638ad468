//! The pod of a SandboxRun. Pure: the same run and context always give the same pod.
//!
//! A bare Pod, not a Job: a Job's completion lags its container by one to two seconds and adds nothing to a run that
//! is never restarted.
//!
//! Containers, in order: `prepare` copies the static `golden` binary and lays out the workspace; `uploader`, a native
//! sidecar, is the only one beside it with a token and hands outputs to the team's broker; `run` is the image's
//! command below `golden runner sandbox`, without token, host path, capability or network.

mod args;
mod containers;
#[cfg(test)]
mod tests;
mod volumes;

pub(crate) use args::BINARY;
pub use args::{escape, output_paths};
pub(crate) use volumes::{BASE, WORKSPACE};

use crate::build::containers::{prepare, run, uploader};
use golden_crds::agent_team::Placement;
use golden_crds::{SandboxRun, labels};
use k8s_openapi::api::core::v1::{LocalObjectReference, Pod, PodSecurityContext, PodSpec, SeccompProfile};
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use std::collections::BTreeMap;

/// Names of the pod's containers.
pub const PREPARE: &str = "prepare";
/// Uploads outputs; holds the token.
pub const UPLOADER: &str = "uploader";
/// The command.
pub const RUN: &str = "run";

/// Seconds a run may take beyond its own timeout: pulling the image, preparing, uploading.
pub const DEADLINE_SLACK_SECONDS: i64 = 300;

/// The user every container runs as.
pub const RUN_USER: i64 = 65532;

/// What the pod needs beside its run.
#[derive(Clone, Debug)]
pub struct BuildContext {
    /// Golden's own image, which holds the static binary as `/golden`.
    pub golden_image: String,
    /// When the kubelet pulls it and the run's own: `Always`, `IfNotPresent` or `Never`.
    pub image_pull_policy: String,
    /// The team's broker, for example `http://sandbox-core-1a2b3c4d.golden-system.svc:8080`. Absent for a run without
    /// a team: nothing is fetched and nothing kept but the output's tail.
    pub sandbox_url: Option<String>,
    /// ServiceAccount of the pod, in the run's namespace. It has no rights.
    pub service_account: String,
    /// Where the team's pods go.
    pub placement: Option<Placement>,
}

/// Makes the pod.
pub fn pod(sandbox_run: &SandboxRun, context: &BuildContext) -> Pod {
    let spec = &sandbox_run.spec;
    let mut init = vec![prepare(spec, context)];
    if let Some(url) = &context.sandbox_url {
        init.push(uploader(url, context));
    }
    let placement = context.placement.clone();
    Pod {
        metadata: metadata(sandbox_run),
        spec: Some(PodSpec {
            init_containers: Some(init),
            containers: vec![run(spec, context)],
            volumes: Some(volumes::all(spec, context)),
            restart_policy: Some("Never".into()),
            runtime_class_name: Some(spec.runtime_class_name.clone()),
            service_account_name: Some(context.service_account.clone()),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            active_deadline_seconds: Some(spec.limits.timeout_seconds + DEADLINE_SLACK_SECONDS),
            termination_grace_period_seconds: Some(2),
            security_context: Some(security()),
            node_selector: placement.as_ref().map(|p| p.node_selector.clone()).filter(|s| !s.is_empty()),
            tolerations: placement.as_ref().map(|p| p.tolerations.clone()).filter(|t| !t.is_empty()),
            priority_class_name: placement.as_ref().and_then(|p| p.priority_class_name.clone()),
            image_pull_secrets: placement.map(|p| secrets(&p)).filter(|s| !s.is_empty()),
            ..PodSpec::default()
        }),
        status: None,
    }
}

fn metadata(run: &SandboxRun) -> ObjectMeta {
    let mut names: BTreeMap<String, String> = [labels::TASK_UID, labels::TEAM_UID]
        .into_iter()
        .filter_map(|key| run.labels().get(key).map(|value| (key.into(), value.clone())))
        .collect();
    names.insert(labels::COMPONENT.into(), "sandbox".into());
    names.insert(labels::RUN_POD.into(), "true".into());
    names.insert(labels::MANAGED_BY.into(), "golden".into());
    ObjectMeta {
        name: run.metadata.name.clone(),
        namespace: run.metadata.namespace.clone(),
        labels: Some(names),
        owner_references: run.controller_owner_ref(&()).map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

fn security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(RUN_USER),
        run_as_group: Some(RUN_USER),
        fs_group: Some(RUN_USER),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".into(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

fn secrets(placement: &Placement) -> Vec<LocalObjectReference> {
    placement.image_pull_secrets.iter().map(|s| LocalObjectReference { name: s.name.clone() }).collect()
}
