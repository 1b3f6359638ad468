//! What several builders share: the restricted security context, the token's volume, labels.

use golden_crds::agent_team::Placement;
use golden_crds::labels::MANAGED_BY;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::api::core::v1::{
    Capabilities, EmptyDirVolumeSource, EnvVar, EnvVarSource, LocalObjectReference, PodSecurityContext,
    PodSpec, ProjectedVolumeSource, SeccompProfile, SecretKeySelector, SecurityContext,
    ServiceAccountTokenProjection, Volume, VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// The user everything of ours runs as.
const USER: i64 = 65_532;
/// Where the token is mounted.
pub(crate) const TOKEN_DIR: &str = "/var/run/golden";
/// Name of the token's volume.
pub(crate) const TOKEN: &str = "golden-token";

/// Labels from pairs, with who manages the object.
pub(crate) fn labels<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    let ours = [(MANAGED_BY.to_owned(), "golden-operator".to_owned())];
    ours.into_iter().chain(pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()))).collect()
}

/// The pod's part of the `restricted` Pod Security Standard.
pub(crate) fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        fs_group: Some(USER),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".into(), ..SeccompProfile::default() }),
        ..PodSecurityContext::default()
    }
}

/// The container's part. `read_only` is off only where a foreign image may need to write.
pub(crate) fn container_security(read_only: bool) -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".into()]), add: None }),
        read_only_root_filesystem: Some(read_only),
        ..SecurityContext::default()
    }
}

/// Requests and limits of one container.
pub(crate) fn resources(cpu: &str, memory: &str, memory_limit: &str) -> ResourceRequirements {
    let quantity = |value: &str| Quantity(value.into());
    ResourceRequirements {
        requests: Some([("cpu".into(), quantity(cpu)), ("memory".into(), quantity(memory))].into()),
        limits: Some([("memory".into(), quantity(memory_limit))].into()),
        ..ResourceRequirements::default()
    }
}

/// The projected service-account token, for Golden's own services only (audience `golden`).
pub(crate) fn token_volume() -> Volume {
    let token = ServiceAccountTokenProjection {
        audience: Some("golden".into()),
        expiration_seconds: Some(3600),
        path: "token".into(),
    };
    Volume {
        name: TOKEN.into(),
        projected: Some(ProjectedVolumeSource {
            sources: Some(vec![VolumeProjection {
                service_account_token: Some(token),
                ..VolumeProjection::default()
            }]),
            ..ProjectedVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// An empty directory, bounded.
pub(crate) fn scratch(name: &str, size: &str) -> Volume {
    Volume {
        name: name.into(),
        empty_dir: Some(EmptyDirVolumeSource { size_limit: Some(Quantity(size.into())), medium: None }),
        ..Volume::default()
    }
}

/// A mount.
pub(crate) fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.into(),
        mount_path: path.into(),
        // Absent and false are one to the apiserver; absent compares equal to what it stores.
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

/// A variable with a literal value.
pub(crate) fn env(name: &str, value: impl Into<String>) -> EnvVar {
    EnvVar { name: name.into(), value: Some(value.into()), value_from: None }
}

/// A variable from a Secret.
pub(crate) fn secret_env(name: &str, secret: &str, key: &str) -> EnvVar {
    let selector = SecretKeySelector { name: secret.into(), key: key.into(), optional: None };
    EnvVar {
        name: name.into(),
        value: None,
        value_from: Some(EnvVarSource { secret_key_ref: Some(selector), ..EnvVarSource::default() }),
    }
}

/// Puts the team's placement on a pod.
pub(crate) fn place(pod: &mut PodSpec, placement: Option<&Placement>) {
    let Some(placement) = placement else { return };
    if !placement.node_selector.is_empty() {
        pod.node_selector = Some(placement.node_selector.clone());
    }
    if !placement.tolerations.is_empty() {
        pod.tolerations = Some(placement.tolerations.clone());
    }
    pod.priority_class_name.clone_from(&placement.priority_class_name);
    pull_with(pod, placement.image_pull_secrets.iter().map(|s| s.name.as_str()));
}

/// Adds Secrets for pulling the pod's images; one that is there already is not named twice.
pub(crate) fn pull_with<'a>(pod: &mut PodSpec, secrets: impl IntoIterator<Item = &'a str>) {
    for name in secrets {
        let all = pod.image_pull_secrets.get_or_insert_default();
        if all.iter().all(|s| s.name != name) {
            all.push(LocalObjectReference { name: name.to_owned() });
        }
    }
}
