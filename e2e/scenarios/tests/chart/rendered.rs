//! What the charts make of values, without a cluster.

use crate::render;
use serde_json::{Value, json};

const PULL: [&str; 2] =
    ["--set-string", "imagePullSecrets[0].name=a,imagePullSecrets[1].name=b,image.pullPolicy=Always"];

/// The objects that the chart makes with further arguments.
fn objects(more: &[&str]) -> Vec<Value> {
    let text = render("golden", more).expect("the chart renders");
    serde_saphyr::from_multiple(&text).expect("YAML")
}

/// Every object that makes pods, with its pods' spec.
fn workloads(objects: &[Value]) -> Vec<(&str, &Value)> {
    let of = |o: &Value| o.pointer("/spec/template/spec").is_some();
    let made = objects.iter().filter(|o| of(o));
    made.map(|o| (o["metadata"]["name"].as_str().expect("a name"), &o["spec"]["template"]["spec"])).collect()
}

#[test]
fn every_pod_of_the_chart_is_pulled_as_the_values_say() {
    let made = objects(&PULL);
    let workloads = workloads(&made);
    assert_eq!(workloads.len(), 8, "four parts, three stores and the uninstall's hook");
    for (name, pod) in &workloads {
        assert_eq!(pod["imagePullSecrets"], json!([{"name": "a"}, {"name": "b"}]), "{name}");
        assert_eq!(pod["containers"][0]["imagePullPolicy"], "Always", "{name}");
    }
}

#[test]
fn the_operator_learns_how_what_it_makes_is_pulled() {
    let of = |more: &[&str], name: &str| {
        let made = objects(more);
        let (_, pod) =
            workloads(&made).into_iter().find(|(n, _)| *n == "golden-operator").expect("the operator");
        let env = pod["containers"][0]["env"].as_array().expect("variables");
        env.iter().find(|e| e["name"] == name).expect("the variable")["value"].clone()
    };
    assert_eq!(of(&PULL, "GOLDEN_IMAGE_PULL_SECRETS"), "a,b");
    assert_eq!(of(&PULL, "GOLDEN_IMAGE_PULL_POLICY"), "Always");
    assert_eq!(of(&[], "GOLDEN_IMAGE_PULL_SECRETS"), "");
    assert_eq!(of(&[], "GOLDEN_IMAGE_PULL_POLICY"), "IfNotPresent");
}

#[test]
fn tasks_are_stamped_unless_the_cluster_cannot_or_need_not() {
    let stamps = |more: &[&str]| objects(more).iter().any(|o| o["kind"] == "MutatingAdmissionPolicy");
    let of = |kind: &str| format!("--api-versions=admissionregistration.k8s.io/v1/{kind}");
    let (older, newer) = (of("ValidatingAdmissionPolicy"), of("MutatingAdmissionPolicy"));
    assert!(stamps(&[&older, &newer]), "Kubernetes 1.36");
    assert!(!stamps(&[&older]), "an older one");
    assert!(stamps(&[]), "rendered without a cluster");
    assert!(!stamps(&[&older, &newer, "--set=admission.stampSubmittedBy=false"]), "not wanted");
    assert!(objects(&[&older]).iter().any(|o| o["metadata"]["name"] == "golden-submitted-by"), "still bound");
}
