//! What the charts make of values, without a cluster.

use crate::render;
use serde_json::{Value, json};

/// The objects that values (`name=value`) make.
fn objects(values: &[&str]) -> Vec<Value> {
    let text = render("golden", values).expect("the chart renders");
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
    let made =
        objects(&["imagePullSecrets[0].name=a", "imagePullSecrets[1].name=b", "image.pullPolicy=Always"]);
    let workloads = workloads(&made);
    assert_eq!(workloads.len(), 8, "four parts, three stores and the uninstall's hook");
    for (name, pod) in &workloads {
        assert_eq!(pod["imagePullSecrets"], json!([{"name": "a"}, {"name": "b"}]), "{name}");
        assert_eq!(pod["containers"][0]["imagePullPolicy"], "Always", "{name}");
    }
}

#[test]
fn the_operator_learns_how_what_it_makes_is_pulled() {
    let of = |values: &[&str], name: &str| {
        let made = objects(values);
        let (_, pod) =
            workloads(&made).into_iter().find(|(n, _)| *n == "golden-operator").expect("the operator");
        let env = pod["containers"][0]["env"].as_array().expect("variables");
        env.iter().find(|e| e["name"] == name).expect("the variable")["value"].clone()
    };
    let set = ["imagePullSecrets[0].name=a", "imagePullSecrets[1].name=b", "image.pullPolicy=Always"];
    assert_eq!(of(&set, "GOLDEN_IMAGE_PULL_SECRETS"), "a,b");
    assert_eq!(of(&set, "GOLDEN_IMAGE_PULL_POLICY"), "Always");
    assert_eq!(of(&[], "GOLDEN_IMAGE_PULL_SECRETS"), "");
    assert_eq!(of(&[], "GOLDEN_IMAGE_PULL_POLICY"), "IfNotPresent");
}
