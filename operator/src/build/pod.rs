//! The pods of a task: one per try of an attempt in the team's namespace, fetch and delivery in Golden's own.
//!
//! The token is mounted only into containers of ours that need it, never into the agent's: what is not in a
//! container cannot be stolen from it.

use super::parts::{
    TOKEN, TOKEN_DIR, container_security, env, labels, mount, place, pod_security, pull_with, resources,
    scratch, token_volume,
};
use super::service::Service;
use crate::settings::Settings;
use golden_crds::agent_team::{AgentSpec, Placement};
use golden_crds::labels::{COMPONENT, RUN_POD, TASK_UID, TEAM_UID};
use golden_platform::wire::{DesiredKind, DesiredPod};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;

const BIN: &str = "golden-bin";
const WORKSPACE: &str = "workspace";
const CONTEXT: &str = "golden";
const TMP: &str = "tmp";
/// Where the sidecar answers inside the pod.
const SIDECAR: &str = "http://127.0.0.1:8321";

/// The task and team a pod is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct For<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) task_name: &'a str,
    pub(crate) task_uid: &'a str,
    pub(crate) team_name: &'a str,
    pub(crate) team_uid: &'a str,
    pub(crate) placement: Option<&'a Placement>,
}

/// The pod that a desired row asks for, under the row's name.
pub(crate) fn pod(name: &str, wanted: &DesiredPod, task: For<'_>, settings: &Settings) -> core::Pod {
    match wanted.kind {
        DesiredKind::AttemptPod => attempt(name, wanted, task, settings),
        DesiredKind::FetchPod => job(name, "fetch", wanted, task, settings),
        DesiredKind::DeliveryPod => job(name, "deliver", wanted, task, settings),
    }
}

/// The component label of a kind of pod.
pub(crate) fn component(kind: DesiredKind) -> &'static str {
    match kind {
        DesiredKind::AttemptPod => "attempt",
        DesiredKind::FetchPod => "fetch",
        DesiredKind::DeliveryPod => "delivery",
    }
}

fn attempt(name: &str, wanted: &DesiredPod, task: For<'_>, settings: &Settings) -> core::Pod {
    let mut spec = core::PodSpec {
        service_account_name: Some(wanted.kind.account().into()),
        runtime_class_name: wanted.runtime_class_name.clone(),
        init_containers: Some(vec![install(settings), sidecar(task, settings)]),
        containers: vec![agent(wanted, settings)],
        volumes: Some(vec![
            token_volume(),
            scratch(BIN, "512Mi"),
            scratch(WORKSPACE, "1Gi"),
            scratch(CONTEXT, "64Mi"),
            scratch(TMP, "512Mi"),
        ]),
        ..bare(wanted.active_deadline_seconds)
    };
    place(&mut spec, task.placement);
    let owner = OwnerReference {
        api_version: format!("{}/{}", golden_crds::GROUP, golden_crds::VERSION),
        kind: "AgentTask".into(),
        name: task.task_name.into(),
        uid: task.task_uid.into(),
        controller: Some(true),
        block_owner_deletion: None,
    };
    core::Pod {
        metadata: ObjectMeta {
            namespace: Some(task.namespace.into()),
            owner_references: Some(vec![owner]),
            ..meta(name, wanted.kind, task)
        },
        spec: Some(spec),
        status: None,
    }
}

fn job(name: &str, command: &str, wanted: &DesiredPod, task: For<'_>, settings: &Settings) -> core::Pod {
    let container = core::Container {
        name: "job".into(),
        image: Some(settings.git_image.clone()),
        image_pull_policy: Some(settings.image_pull_policy.clone()),
        command: Some(vec!["/usr/local/bin/golden".into(), command.into()]),
        env: Some(own_env(task, settings)),
        resources: Some(resources("20m", "64Mi", "512Mi")),
        security_context: Some(container_security(true)),
        volume_mounts: Some(vec![mount(TOKEN, TOKEN_DIR, true), mount(TMP, "/tmp", false)]),
        ..core::Container::default()
    };
    let mut spec = core::PodSpec {
        service_account_name: Some(wanted.kind.account().into()),
        containers: vec![container],
        volumes: Some(vec![token_volume(), scratch(TMP, "2Gi")]),
        ..bare(wanted.active_deadline_seconds)
    };
    pull_with(&mut spec, settings.image_pull_secrets.iter().map(String::as_str));
    core::Pod {
        metadata: ObjectMeta { namespace: Some(settings.namespace.clone()), ..meta(name, wanted.kind, task) },
        spec: Some(spec),
        status: None,
    }
}

fn meta(name: &str, kind: DesiredKind, task: For<'_>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.into()),
        labels: Some(labels([
            (TASK_UID, task.task_uid),
            (TEAM_UID, task.team_uid),
            (COMPONENT, component(kind)),
            (RUN_POD, "true"),
        ])),
        ..ObjectMeta::default()
    }
}

fn bare(deadline: i64) -> core::PodSpec {
    core::PodSpec {
        restart_policy: Some("Never".into()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(10),
        active_deadline_seconds: Some(deadline.max(1)),
        security_context: Some(pod_security()),
        ..core::PodSpec::default()
    }
}

/// Copies the static binary to where the agent's container can start it, whatever its image is.
fn install(settings: &Settings) -> core::Container {
    core::Container {
        name: "install".into(),
        image: Some(settings.image.clone()),
        image_pull_policy: Some(settings.image_pull_policy.clone()),
        command: Some(vec![
            "/usr/local/bin/golden".into(),
            "runner".into(),
            "install".into(),
            "/golden-bin".into(),
        ]),
        resources: Some(resources("10m", "16Mi", "128Mi")),
        security_context: Some(container_security(true)),
        volume_mounts: Some(vec![mount(BIN, "/golden-bin", false)]),
        ..core::Container::default()
    }
}

fn sidecar(task: For<'_>, settings: &Settings) -> core::Container {
    core::Container {
        name: "sidecar".into(),
        image: Some(settings.image.clone()),
        image_pull_policy: Some(settings.image_pull_policy.clone()),
        command: Some(vec!["/usr/local/bin/golden".into(), "sidecar".into()]),
        // Native: it starts before the agent and ends after it.
        restart_policy: Some("Always".into()),
        env: Some(own_env(task, settings)),
        resources: Some(resources("10m", "32Mi", "512Mi")),
        security_context: Some(container_security(true)),
        volume_mounts: Some(vec![
            mount(TOKEN, TOKEN_DIR, true),
            mount(WORKSPACE, "/workspace", false),
            mount(CONTEXT, "/golden", false),
            mount(TMP, "/tmp", false),
        ]),
        ..core::Container::default()
    }
}

fn own_env(task: For<'_>, settings: &Settings) -> Vec<core::EnvVar> {
    vec![
        env("GOLDEN_NAMESPACE", &settings.namespace),
        env(
            "GOLDEN_ORCHESTRATOR_URL",
            settings.team_url(Service::Orchestrator, task.team_name, task.team_uid),
        ),
        env("GOLDEN_GATEWAY_URL", &settings.gateway_url),
        env("GOLDEN_TOKEN_FILE", format!("{TOKEN_DIR}/token")),
        env("HOME", "/tmp"),
        env("RUST_LOG", "info"),
    ]
}

fn agent(wanted: &DesiredPod, settings: &Settings) -> core::Container {
    let foreign = wanted.agent.as_ref();
    let mut command: Vec<String> = ["/golden-bin/golden", "runner", "agent", "--"].map(Into::into).to_vec();
    match foreign {
        Some(agent) => command.extend(agent.command.iter().chain(&agent.args).cloned()),
        None => command.extend(["/golden-bin/golden".to_owned(), "agent".to_owned()]),
    }
    core::Container {
        name: "agent".into(),
        image: Some(foreign.map_or_else(|| settings.image.clone(), |a| a.image.clone())),
        image_pull_policy: Some(settings.image_pull_policy.clone()),
        command: Some(command),
        working_dir: Some("/workspace".into()),
        env: Some(agent_env(wanted)),
        resources: Some(agent_resources(foreign)),
        security_context: Some(container_security(foreign.is_none())),
        volume_mounts: Some(vec![
            mount(BIN, "/golden-bin", true),
            mount(WORKSPACE, "/workspace", false),
            // Writable: the agent leaves its transcript and last words in `/golden/out`.
            mount(CONTEXT, "/golden", false),
            mount(TMP, "/tmp", false),
        ]),
        ..core::Container::default()
    }
}

fn agent_env(wanted: &DesiredPod) -> Vec<core::EnvVar> {
    vec![
        env("OPENAI_BASE_URL", format!("{SIDECAR}/v1")),
        // Clients insist on a key; the sidecar replaces it by the pod's token.
        env("OPENAI_API_KEY", "golden"),
        env("ANTHROPIC_BASE_URL", SIDECAR),
        env("ANTHROPIC_API_KEY", "golden"),
        env("GOLDEN_MODEL", wanted.model.clone().unwrap_or_default()),
        env("HOME", "/tmp"),
    ]
}

fn agent_resources(foreign: Option<&AgentSpec>) -> core::ResourceRequirements {
    let own = || resources("20m", "32Mi", "512Mi");
    let foreign_default = || resources("100m", "256Mi", "2Gi");
    foreign.map_or_else(own, |agent| agent.resources.clone().unwrap_or_else(foreign_default))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::tests::settings;
    use golden_crds::common::LocalRef;

    fn task<'a>() -> For<'a> {
        For {
            namespace: "checkout",
            task_name: "fix",
            task_uid: "3f2a9c1d-0000-4000-8000-000000000001",
            team_name: "core",
            team_uid: "aaaaaaaa-0000-4000-8000-000000000001",
            placement: None,
        }
    }

    fn wanted(kind: DesiredKind, agent: Option<AgentSpec>) -> DesiredPod {
        DesiredPod {
            kind,
            role: Some("developer".into()),
            agent,
            runtime_class_name: Some("gvisor".into()),
            model: Some("m".into()),
            active_deadline_seconds: 600,
        }
    }

    fn mounts(container: &core::Container, volume: &str) -> bool {
        container.volume_mounts.iter().flatten().any(|m| m.name == volume)
    }

    #[test]
    fn the_token_never_reaches_the_agent_nor_what_installs() {
        let pod = pod("p", &wanted(DesiredKind::AttemptPod, None), task(), &settings());
        let spec = pod.spec.unwrap();
        assert_eq!(spec.automount_service_account_token, Some(false));
        let init = spec.init_containers.unwrap();
        assert!(!mounts(&init[0], TOKEN));
        assert!(mounts(&init[1], TOKEN) && init[1].restart_policy.as_deref() == Some("Always"));
        assert!(!mounts(&spec.containers[0], TOKEN));
    }

    #[test]
    fn every_container_of_every_pod_is_restricted_and_bounded() {
        let foreign =
            AgentSpec { image: "cli".into(), command: vec!["run".into()], args: vec![], resources: None };
        for (kind, agent) in [
            (DesiredKind::AttemptPod, None),
            (DesiredKind::AttemptPod, Some(foreign)),
            (DesiredKind::FetchPod, None),
            (DesiredKind::DeliveryPod, None),
        ] {
            let pod = pod("p", &wanted(kind, agent), task(), &settings());
            let spec = pod.spec.unwrap();
            assert_eq!(spec.restart_policy.as_deref(), Some("Never"));
            assert_eq!(spec.active_deadline_seconds, Some(600));
            assert_eq!(spec.security_context.as_ref().unwrap().run_as_non_root, Some(true));
            for c in spec.init_containers.iter().flatten().chain(&spec.containers) {
                let security = c.security_context.as_ref().unwrap();
                assert_eq!(security.allow_privilege_escalation, Some(false), "{}", c.name);
                assert_eq!(security.capabilities.as_ref().unwrap().drop.as_ref().unwrap(), &["ALL"]);
                assert!(c.resources.as_ref().unwrap().limits.is_some(), "{}", c.name);
            }
        }
    }

    #[test]
    fn a_foreign_agent_runs_behind_the_runner_in_its_own_image() {
        let foreign = AgentSpec {
            image: "cli:1".into(),
            command: vec!["aider".into()],
            args: vec!["--yes".into()],
            resources: None,
        };
        let pod = pod("p", &wanted(DesiredKind::AttemptPod, Some(foreign)), task(), &settings());
        let container = &pod.spec.unwrap().containers[0];
        assert_eq!(container.image.as_deref(), Some("cli:1"));
        assert_eq!(
            container.command.as_ref().unwrap(),
            &["/golden-bin/golden", "runner", "agent", "--", "aider", "--yes"]
        );
    }

    #[test]
    fn the_attempt_is_owned_by_its_task_and_job_pods_stay_with_golden() {
        let attempt = pod("p", &wanted(DesiredKind::AttemptPod, None), task(), &settings());
        assert_eq!(attempt.metadata.namespace.as_deref(), Some("checkout"));
        assert_eq!(attempt.metadata.owner_references.unwrap()[0].uid, task().task_uid);
        assert_eq!(attempt.spec.unwrap().runtime_class_name.as_deref(), Some("gvisor"));
        let fetch = pod("p", &wanted(DesiredKind::FetchPod, None), task(), &settings());
        assert_eq!(fetch.metadata.namespace.as_deref(), Some("golden-system"));
        assert!(fetch.metadata.owner_references.is_none());
        assert!(fetch.spec.unwrap().runtime_class_name.is_none());
    }

    #[test]
    fn golden_pulls_with_its_own_secrets_at_home_and_with_the_teams_in_the_teams_namespace() {
        let secrets = |kind, placement: Option<&Placement>| {
            let made = pod("p", &wanted(kind, None), For { placement, ..task() }, &settings());
            let all = made.spec.unwrap().image_pull_secrets.unwrap_or_default();
            all.into_iter().map(|s| s.name).collect::<Vec<_>>()
        };
        let team =
            Placement { image_pull_secrets: vec![LocalRef { name: "team".into() }], ..Placement::default() };
        for kind in [DesiredKind::FetchPod, DesiredKind::DeliveryPod] {
            assert_eq!(secrets(kind, Some(&team)), ["registry"]);
        }
        assert_eq!(secrets(DesiredKind::AttemptPod, Some(&team)), ["team"]);
        assert!(secrets(DesiredKind::AttemptPod, None).is_empty());
    }
}
