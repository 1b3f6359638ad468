//! Short forms for tests.

use crate::{MergeFault, MergedPolicy, NamedPolicy, built_in, merge};
use golden_crds::GovernancePolicySpec;
use golden_crds::agent_task::GuardSpec;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A policy from the JSON a person would write.
pub(super) fn spec(value: Value) -> GovernancePolicySpec {
    serde_json::from_value(value).unwrap()
}

/// A policy that says nothing.
pub(super) fn silent() -> Value {
    json!({})
}

pub(super) fn review(role: &str) -> Value {
    json!({"voters": [{"role": role}]})
}

pub(super) fn guard(name: &str, image: &str) -> GuardSpec {
    serde_json::from_value(json!({"name": name, "image": image, "command": ["true"]})).unwrap()
}

pub(super) fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// Merges policies for a task labelled `project: shop` in a namespace labelled `env: prod`.
pub(super) fn merged(policies: &[(&str, Value)], guards: &[GuardSpec]) -> Result<MergedPolicy, MergeFault> {
    let specs: Vec<(&str, GovernancePolicySpec)> =
        policies.iter().map(|(n, v)| (*n, spec(v.clone()))).collect();
    let named: Vec<NamedPolicy<'_>> = specs.iter().map(|(name, spec)| NamedPolicy { name, spec }).collect();
    merge(&labels(&[("project", "shop")]), &labels(&[("env", "prod")]), &named, guards)
}

#[test]
fn built_in_policy_is_valid_by_its_own_rules() {
    let spec = built_in();
    let review = spec.review.unwrap();
    assert!(review.voters.iter().map(|v| v.weight).sum::<i64>() > 0);
    assert!(spec.require_budget && spec.sandbox.unwrap().runtime_class_name == "gvisor");
    assert_eq!(
        review.voters.iter().filter(|v| v.veto).map(|v| v.role.as_str()).collect::<Vec<_>>(),
        ["security"]
    );
}
