use super::support::labels;
use crate::{SelectorFault, selects};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::{Value, json};

fn check(selector: Value, on: &[(&str, &str)]) -> Result<bool, SelectorFault> {
    let selector: LabelSelector = serde_json::from_value(selector).unwrap();
    selects(Some(&selector), &labels(on))
}

#[test]
fn selectors_mean_what_kubernetes_means() {
    let expr = |operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": "a", "operator": operator, "values": values}]});
    let bare = |operator: &str| json!({"matchExpressions": [{"key": "a", "operator": operator}]});
    for (selector, on, expected) in [
        (json!({}), &[][..], true),
        (json!({"matchLabels": {"a": "1"}}), &[("a", "1"), ("b", "2")], true),
        (json!({"matchLabels": {"a": "1"}}), &[("a", "2")], false),
        (json!({"matchLabels": {"a": "1"}}), &[], false),
        (json!({"matchLabels": {"a": "1", "b": "2"}}), &[("a", "1")], false),
        (expr("In", &["1", "2"]), &[("a", "2")], true),
        (expr("In", &["1", "2"]), &[("a", "3")], false),
        (expr("In", &["1"]), &[], false),
        (expr("NotIn", &["1"]), &[("a", "2")], true),
        (expr("NotIn", &["1"]), &[("a", "1")], false),
        (expr("NotIn", &["1"]), &[], true),
        (bare("Exists"), &[("a", "")], true),
        (bare("Exists"), &[("b", "")], false),
        (bare("DoesNotExist"), &[("b", "")], true),
        (bare("DoesNotExist"), &[("a", "")], false),
    ] {
        assert_eq!(check(selector.clone(), on), Ok(expected), "{selector} on {on:?}");
    }
    assert_eq!(selects(None, &labels(&[])), Ok(true));
}

#[test]
fn labels_and_expressions_must_both_hold() {
    let both = json!({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]});
    assert_eq!(check(both.clone(), &[("a", "1"), ("b", "")]), Ok(true));
    assert_eq!(check(both.clone(), &[("a", "1")]), Ok(false));
    assert_eq!(check(both, &[("b", "")]), Ok(false));
}

#[test]
fn broken_selectors_are_faults_whatever_the_labels() {
    let broken = |operator: &str, values: Value| json!({"matchLabels": {"x": "y"}, "matchExpressions": [{"key": "a", "operator": operator, "values": values}]});
    for on in [&[("x", "y"), ("a", "1")][..], &[]] {
        assert!(matches!(check(broken("Equals", json!(["1"])), on), Err(SelectorFault::UnknownOperator(_))));
        assert!(matches!(check(broken("In", json!([])), on), Err(SelectorFault::ValuesMissing { .. })));
        assert!(matches!(
            check(broken("Exists", json!(["1"])), on),
            Err(SelectorFault::ValuesUnexpected { .. })
        ));
    }
}
