//! The team's children as they should be. Pure.

use super::observe::Seen;
use crate::build::network_policy::default_deny;
use crate::build::service::{Owner, Service, deployment, disruption_budget, service};
use crate::build::service_account::service_account;
use crate::effects::covers;
use crate::settings::Settings;
use golden_crds::labels::{READER_ACCOUNT, STEWARD_ACCOUNT};
use golden_platform::auth::RUN_ACCOUNT;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use serde_json::Value;

/// The finalizer.
pub(crate) const FINALIZER: &str = "goldenarch.dev/team";

/// What has to be done.
pub(crate) struct Plan {
    pub(crate) add_finalizer: bool,
    /// Deployments that are missing or differ.
    pub(crate) deployments: Vec<Deployment>,
    /// The rest, when it is due to be looked at.
    pub(crate) rest: Option<Rest>,
}

/// Children that are not watched.
pub(crate) struct Rest {
    pub(crate) accounts: Vec<core::ServiceAccount>,
    pub(crate) network_policy: NetworkPolicy,
    pub(crate) services: Vec<core::Service>,
    pub(crate) budgets: Vec<PodDisruptionBudget>,
    /// Names of PodDisruptionBudgets that must not be.
    pub(crate) no_budgets: Vec<String>,
}

/// Whose children they are.
pub(crate) fn owner<'a>(seen: &'a Seen, name: &'a str, namespace: &'a str, uid: &'a str) -> Owner<'a> {
    Owner { name, namespace, uid, placement: seen.team.spec.placement.as_ref() }
}

/// Decides.
pub(crate) fn plan(seen: &Seen, settings: &Settings) -> Plan {
    let (name, namespace, uid) = (seen.team.name_any(), seen.namespace(), seen.uid.to_string());
    let owner = owner(seen, &name, &namespace, &uid);
    let scale = seen.team.spec.services.as_ref();
    let wanted = Service::ALL.map(|s| deployment(s, s.replicas(scale), owner, settings));
    Plan {
        add_finalizer: !seen.team.finalizers().iter().any(|f| f == FINALIZER),
        deployments: wanted.into_iter().filter(|w| differs(seen, w)).collect(),
        rest: seen.look.then(|| rest(seen, owner, settings)),
    }
}

fn rest(seen: &Seen, owner: Owner<'_>, settings: &Settings) -> Rest {
    let scale = seen.team.spec.services.as_ref();
    let (mut budgets, mut no_budgets) = (Vec::new(), Vec::new());
    for one in Service::ALL {
        match disruption_budget(one, one.replicas(scale), owner, settings) {
            Some(budget) => budgets.push(budget),
            None => no_budgets.push(golden_crds::labels::service_name(one.name(), owner.name, owner.uid)),
        }
    }
    Rest {
        accounts: [RUN_ACCOUNT, READER_ACCOUNT, STEWARD_ACCOUNT]
            .map(|name| service_account(owner.namespace, name))
            .to_vec(),
        network_policy: default_deny(owner.namespace, &settings.namespace),
        services: Service::ALL.map(|s| service(s, owner, settings)).to_vec(),
        budgets,
        no_budgets,
    }
}

/// Missing, or changed by somebody else, or wanted otherwise now.
fn differs(seen: &Seen, wanted: &Deployment) -> bool {
    let live = seen.deployments.iter().find(|d| d.metadata.name == wanted.metadata.name);
    let json = |d: &Deployment| serde_json::to_value(d).unwrap_or(Value::Null);
    live.is_none_or(|live| !covers(&json(live), &json(wanted)))
}
