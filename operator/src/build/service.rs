//! A team's service in Golden's namespace: its Deployment, its Service, and a PodDisruptionBudget if it has
//! replicas. Owned by labels and a finalizer, since owner references cannot cross namespaces.

use super::parts::{
    TOKEN, TOKEN_DIR, container_security, env, labels, mount, place, pod_security, pull_with, resources,
    scratch, secret_env, token_volume,
};
use crate::settings::Settings;
use golden_crds::agent_team::{Placement, ServiceScale, TeamServices};
use golden_crds::labels::{COMPONENT, TEAM_UID, service_name};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;
use std::collections::BTreeMap;

/// The port of every service.
pub(crate) const PORT: i32 = 8080;
const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";

/// The services of a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Service {
    Orchestrator,
    PeerHub,
    Supervisor,
    Sandbox,
}

impl Service {
    /// All four.
    pub(crate) const ALL: [Self; 4] = [Self::Orchestrator, Self::PeerHub, Self::Supervisor, Self::Sandbox];

    /// As in names and as the subcommand.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Orchestrator => "orchestrator",
            Self::PeerHub => "peer-hub",
            Self::Supervisor => "supervisor",
            Self::Sandbox => "sandbox",
        }
    }

    /// Wanted replicas.
    pub(crate) fn replicas(self, services: Option<&TeamServices>) -> i32 {
        let scale: Option<&ServiceScale> = services.and_then(|s| match self {
            Self::Orchestrator => s.orchestrator.as_ref(),
            Self::PeerHub => s.peer_hub.as_ref(),
            Self::Supervisor => s.supervisor.as_ref(),
            Self::Sandbox => s.sandbox.as_ref(),
        });
        scale.map_or(1, |s| s.min_replicas)
    }
}

/// Whose service it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner<'a> {
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) uid: &'a str,
    pub(crate) placement: Option<&'a Placement>,
}

/// The Deployment.
pub(crate) fn deployment(
    service: Service,
    replicas: i32,
    team: Owner<'_>,
    settings: &Settings,
) -> Deployment {
    Deployment {
        metadata: meta(service, team, settings),
        spec: Some(DeploymentSpec {
            replicas: Some(replicas),
            selector: selector(service, team),
            progress_deadline_seconds: Some(120),
            revision_history_limit: Some(2),
            template: core::PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(all_labels(service, team)),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(service, team, settings)),
            },
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

/// The Service.
pub(crate) fn service(service: Service, team: Owner<'_>, settings: &Settings) -> core::Service {
    core::Service {
        metadata: meta(service, team, settings),
        spec: Some(core::ServiceSpec {
            selector: Some(identity(service, team)),
            ports: Some(vec![core::ServicePort {
                name: Some("http".into()),
                port: PORT,
                target_port: Some(IntOrString::String("http".into())),
                protocol: Some("TCP".into()),
                ..core::ServicePort::default()
            }]),
            ..core::ServiceSpec::default()
        }),
        status: None,
    }
}

/// The PodDisruptionBudget: with one replica it would only block a drain.
pub(crate) fn disruption_budget(
    service: Service,
    replicas: i32,
    team: Owner<'_>,
    settings: &Settings,
) -> Option<PodDisruptionBudget> {
    (replicas > 1).then(|| PodDisruptionBudget {
        metadata: meta(service, team, settings),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(selector(service, team)),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    })
}

fn meta(service: Service, team: Owner<'_>, settings: &Settings) -> ObjectMeta {
    ObjectMeta {
        name: Some(service_name(service.name(), team.name, team.uid)),
        namespace: Some(settings.namespace.clone()),
        labels: Some(all_labels(service, team)),
        ..ObjectMeta::default()
    }
}

fn identity(service: Service, team: Owner<'_>) -> BTreeMap<String, String> {
    [(NAME.into(), service.name().into()), (INSTANCE.into(), team.uid.into())].into()
}

fn all_labels(service: Service, team: Owner<'_>) -> BTreeMap<String, String> {
    let mut all = labels([(COMPONENT, "service"), (TEAM_UID, team.uid)]);
    all.extend(identity(service, team));
    all
}

fn selector(service: Service, team: Owner<'_>) -> LabelSelector {
    LabelSelector { match_labels: Some(identity(service, team)), match_expressions: None }
}

fn pod(service: Service, team: Owner<'_>, settings: &Settings) -> core::PodSpec {
    let mut spec = core::PodSpec {
        service_account_name: Some(format!("golden-{}", service.name())),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(30),
        security_context: Some(pod_security()),
        containers: vec![container(service, team, settings)],
        volumes: Some(vec![token_volume(), scratch("tmp", "512Mi")]),
        ..core::PodSpec::default()
    };
    place(&mut spec, team.placement);
    pull_with(&mut spec, settings.image_pull_secrets.iter().map(String::as_str));
    spec
}

fn container(service: Service, team: Owner<'_>, settings: &Settings) -> core::Container {
    core::Container {
        name: service.name().into(),
        image: Some(settings.image.clone()),
        image_pull_policy: Some(settings.image_pull_policy.clone()),
        command: Some(vec!["/usr/local/bin/golden".into(), service.name().into()]),
        env: Some(environment(team, settings)),
        ports: Some(vec![core::ContainerPort {
            name: Some("http".into()),
            container_port: PORT,
            protocol: Some("TCP".into()),
            ..core::ContainerPort::default()
        }]),
        liveness_probe: Some(probe("/healthz", 10, 6)),
        readiness_probe: Some(probe("/readyz", 2, 3)),
        resources: Some(resources("10m", "24Mi", "256Mi")),
        security_context: Some(container_security(true)),
        volume_mounts: Some(vec![mount(TOKEN, TOKEN_DIR, true), mount("tmp", "/tmp", false)]),
        ..core::Container::default()
    }
}

fn environment(team: Owner<'_>, settings: &Settings) -> Vec<core::EnvVar> {
    let url = |service: Service| settings.team_url(service, team.name, team.uid);
    let store = |name: &str, key: &str| secret_env(name, &settings.stores_secret, key);
    vec![
        env("GOLDEN_NAMESPACE", &settings.namespace),
        env("GOLDEN_TEAM_UID", team.uid),
        env("GOLDEN_TEAM_NAME", team.name),
        env("GOLDEN_TEAM_NAMESPACE", team.namespace),
        store("GOLDEN_DATABASE_URL", "database-url"),
        store("GOLDEN_NATS_URL", "nats-url"),
        env("GOLDEN_GATEWAY_URL", &settings.gateway_url),
        env("GOLDEN_LEDGER_URL", &settings.ledger_url),
        env("GOLDEN_ORCHESTRATOR_URL", url(Service::Orchestrator)),
        env("GOLDEN_SANDBOX_URL", url(Service::Sandbox)),
        env("GOLDEN_IMAGE", &settings.image),
        env("GOLDEN_GIT_IMAGE", &settings.git_image),
        env("GOLDEN_DEFAULT_PROVIDER", &settings.default_model.provider),
        env("GOLDEN_DEFAULT_MODEL", &settings.default_model.model),
        env("GOLDEN_TOKEN_FILE", format!("{TOKEN_DIR}/token")),
        env("RUST_LOG", "info"),
    ]
}

fn probe(path: &str, period: i32, failures: i32) -> core::Probe {
    core::Probe {
        http_get: Some(core::HTTPGetAction {
            path: Some(path.into()),
            port: IntOrString::String("http".into()),
            ..core::HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..core::Probe::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::tests::settings;
    use golden_crds::common::LocalRef;

    const UID: &str = "3f2a9c1d-0000-4000-8000-000000000001";

    fn owner(placement: Option<&Placement>) -> Owner<'_> {
        Owner { name: "core", namespace: "checkout", uid: UID, placement }
    }

    #[test]
    fn every_service_has_its_own_name_account_and_command() {
        let mut names = std::collections::BTreeSet::new();
        for service in Service::ALL {
            let made = deployment(service, 1, owner(None), &settings());
            let pod = made.spec.unwrap().template.spec.unwrap();
            assert_eq!(pod.service_account_name.unwrap(), format!("golden-{}", service.name()));
            assert_eq!(
                pod.containers[0].command.as_ref().unwrap(),
                &["/usr/local/bin/golden", service.name()]
            );
            assert!(names.insert(made.metadata.name.unwrap()));
        }
        assert!(names.contains("orchestrator-core-3f2a9c1d"));
    }

    #[test]
    fn services_are_restricted_and_learn_store_addresses_from_the_secret_only() {
        let made = deployment(Service::Sandbox, 1, owner(None), &settings());
        let pod = made.spec.unwrap().template.spec.unwrap();
        assert_eq!(pod.security_context.unwrap().run_as_non_root, Some(true));
        let container = &pod.containers[0];
        let security = container.security_context.as_ref().unwrap();
        assert_eq!(security.read_only_root_filesystem, Some(true));
        assert_eq!(security.allow_privilege_escalation, Some(false));
        for e in container.env.as_ref().unwrap() {
            if ["GOLDEN_DATABASE_URL", "GOLDEN_NATS_URL"].contains(&e.name.as_str()) {
                assert!(e.value.is_none() && e.value_from.is_some(), "{}", e.name);
            }
        }
    }

    #[test]
    fn selectors_match_the_pods_and_two_teams_of_one_name_do_not_meet() {
        let made = deployment(Service::PeerHub, 2, owner(None), &settings());
        let spec = made.spec.unwrap();
        let labels = spec.template.metadata.unwrap().labels.unwrap();
        let wanted = spec.selector.match_labels.unwrap();
        assert!(wanted.iter().all(|(k, v)| labels.get(k) == Some(v)));
        assert_eq!(
            service(Service::PeerHub, owner(None), &settings()).spec.unwrap().selector.unwrap(),
            wanted
        );
        let other = Owner { uid: "aaaaaaaa-0000-4000-8000-000000000001", ..owner(None) };
        let others =
            deployment(Service::PeerHub, 2, other, &settings()).spec.unwrap().selector.match_labels.unwrap();
        assert_ne!(others, wanted);
    }

    #[test]
    fn a_disruption_budget_exists_only_beside_replicas() {
        assert!(disruption_budget(Service::Sandbox, 1, owner(None), &settings()).is_none());
        assert!(disruption_budget(Service::Sandbox, 2, owner(None), &settings()).is_some());
    }

    #[test]
    fn placement_reaches_the_pods() {
        let placement = Placement {
            node_selector: [("pool".into(), "agents".into())].into(),
            priority_class_name: Some("low".into()),
            image_pull_secrets: vec![LocalRef { name: "pull".into() }],
            ..Placement::default()
        };
        let made = deployment(Service::Sandbox, 1, owner(Some(&placement)), &settings());
        let pod = made.spec.unwrap().template.spec.unwrap();
        assert_eq!(pod.node_selector.unwrap()["pool"], "agents");
        assert_eq!(pod.priority_class_name.as_deref(), Some("low"));
        let secrets: Vec<_> = pod.image_pull_secrets.unwrap().into_iter().map(|s| s.name).collect();
        assert_eq!(secrets, ["pull", "registry"], "the team's, and the install's for Golden's own image");
    }
}
