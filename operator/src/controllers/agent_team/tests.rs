use super::act::Acted;
use super::clean::gives_up;
use super::observe::Seen;
use super::plan::{FINALIZER, plan};
use super::report::status;
use super::validate::validate;
use crate::build::tests::settings;
use crate::error::Error;
use golden_crds::conditions::{READY, STALLED, find};
use golden_crds::{AgentTeam, ModelProvider};
use golden_platform::Class;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;
use std::sync::Arc;

const UID: &str = "3f2a9c1d-0000-4000-8000-000000000001";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn team() -> AgentTeam {
    serde_json::from_value(json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTeam",
        "metadata": {"name": "core", "namespace": "team", "uid": UID, "generation": 1},
        "spec": {"roles": [{"name": "developer", "modelRef": {"provider": "p", "model": "m"}}]},
    }))
    .unwrap()
}

fn provider() -> ModelProvider {
    serde_json::from_value(json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "ModelProvider",
        "metadata": {"name": "p", "namespace": "team"},
        "spec": {"protocol": "OpenAI", "baseURL": "http://m", "models": [{"name": "m", "contextWindow": 10,
            "maxOutputTokens": 5, "inputMicroUSDPerMToken": 1, "outputMicroUSDPerMToken": 1}]},
    }))
    .unwrap()
}

fn seen() -> Seen {
    Seen {
        team: Arc::new(team()),
        uid: UID.parse().unwrap(),
        golden: "golden-system".into(),
        deployments: vec![],
        pods: vec![],
        providers: vec![Arc::new(provider())],
        revisions: vec![],
        priority_class_missing: false,
        active_tasks: 0,
        namespace_ends: false,
        look: true,
    }
}

/// The planned Deployments as if the cluster had made them available.
fn live(seen: &Seen, available: i32) -> Vec<Arc<Deployment>> {
    let made = plan(seen, &settings()).deployments.into_iter().map(|mut d| {
        d.metadata.generation = Some(1);
        d.status =
            serde_json::from_value(json!({"observedGeneration": 1, "availableReplicas": available})).unwrap();
        Arc::new(d)
    });
    made.collect()
}

#[test]
fn a_new_team_gets_four_services_and_its_finalizer_first() {
    let plan = plan(&seen(), &settings());
    assert!(plan.add_finalizer);
    assert_eq!(plan.deployments.len(), 4);
    let rest = plan.rest.unwrap();
    assert_eq!((rest.accounts.len(), rest.services.len(), rest.no_budgets.len()), (3, 4, 4));
}

#[test]
fn an_unchanged_team_costs_no_write_and_a_drifted_service_is_put_right() {
    let mut seen = seen();
    seen.deployments = live(&seen, 1);
    assert_eq!(plan(&seen, &settings()).deployments.len(), 0);
    let mut drifted = (*seen.deployments[0]).clone();
    drifted.spec.as_mut().unwrap().replicas = Some(0);
    seen.deployments[0] = Arc::new(drifted);
    assert_eq!(plan(&seen, &settings()).deployments.len(), 1);
}

#[test]
fn readiness_counts_services_and_names_what_a_pod_waits_for() {
    let mut seen = seen();
    seen.deployments = live(&seen, 0);
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "x", "labels": {"app.kubernetes.io/name": "orchestrator"}},
        "status": {"containerStatuses": [{"name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]},
    }))
    .unwrap();
    seen.pods = vec![Arc::new(pod)];
    let waiting = status(&seen, None, &Ok(Acted::default()), at(1));
    assert_eq!(waiting.services_ready.as_deref(), Some("0/4"));
    assert!(find(&waiting.conditions, STALLED).is_none());
    seen.deployments = live(&Seen { deployments: vec![], ..seen_with(&seen) }, 1);
    let mut team = team();
    team.status = Some(waiting);
    seen.team = Arc::new(team);
    let ready = status(&seen, None, &Ok(Acted::default()), at(2));
    assert_eq!(ready.services_ready.as_deref(), Some("4/4"));
    assert_eq!(find(&ready.conditions, READY).unwrap().status, "True");
}

fn seen_with(other: &Seen) -> Seen {
    Seen { team: Arc::clone(&other.team), ..seen() }
}

#[test]
fn a_provider_fault_stalls_the_team_and_a_store_that_is_away_says_so() {
    let mut faulty = seen();
    faulty.providers = vec![];
    let fault = validate(&faulty);
    let shown = status(&faulty, fault.as_ref(), &Ok(Acted::default()), at(1));
    assert_eq!(find(&shown.conditions, STALLED).unwrap().reason, "ProviderNotFound");
    let away = Err(Error::Messaging { action: "x".into(), class: Class::Dependency, message: "down".into() });
    let shown = status(&seen(), None, &away, at(1));
    assert_eq!(find(&shown.conditions, STALLED).unwrap().reason, "MessagingUnreachable");
}

#[test]
fn deletion_waits_a_little_for_stores_and_not_at_all_in_a_namespace_that_goes() {
    let mut seen = seen();
    let mut team = team();
    team.metadata.deletion_timestamp = Some(Time(at(100)));
    team.metadata.finalizers = Some(vec![FINALIZER.into()]);
    seen.team = Arc::new(team);
    assert!(!gives_up(&seen, at(150)));
    assert!(gives_up(&seen, at(221)));
    seen.namespace_ends = true;
    assert!(gives_up(&seen, at(100)));
}
