use super::observe::{Learning, OpenTask, Seen};
use super::report::status;
use super::validate::validate;
use golden_crds::GovernancePolicy;
use golden_crds::agent_team::ModelRef;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

fn policy(name: &str, spec: &Value) -> Arc<GovernancePolicy> {
    Arc::new(
        serde_json::from_value(json!({
            "apiVersion": "goldenarch.dev/v1alpha1", "kind": "GovernancePolicy",
            "metadata": {"name": name, "generation": 1}, "spec": spec,
        }))
        .unwrap(),
    )
}

fn review(weight: i64) -> Value {
    json!({"voters": [{"role": "reviewer", "weight": weight}]})
}

fn seen(policy: &Arc<GovernancePolicy>, others: &[Arc<GovernancePolicy>]) -> Seen {
    let provider = json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "ModelProvider",
        "metadata": {"name": "default", "namespace": "golden-system"},
        "spec": {"protocol": "OpenAI", "baseURL": "http://m", "models": [{"name": "m", "contextWindow": 10,
            "maxOutputTokens": 5, "inputMicroUSDPerMToken": 1, "outputMicroUSDPerMToken": 1}]},
    });
    Seen {
        policy: Arc::clone(policy),
        all: std::iter::once(policy).chain(others).cloned().collect(),
        namespaces: vec![BTreeMap::new()],
        tasks: vec![],
        providers: vec![Arc::new(serde_json::from_value(provider).unwrap())],
        golden: "golden-system".into(),
        default_model: ModelRef { provider: "default".into(), model: "m".into() },
        runtime_class_exists: true,
        learning: Ok(Learning::default()),
    }
}

#[test]
fn a_policy_that_cannot_be_enforced_says_why() {
    let other = policy("b", &json!({"review": review(1)}));
    let gone = json!({"review": {"voters": [{"role": "r", "modelRef": {"provider": "none", "model": "m"}}]}});
    let selector = json!({"taskSelector": {"matchExpressions": [{"key": "k", "operator": "Near"}]}});
    for (one, others, want) in [
        (policy("a", &json!({"review": review(1)})), vec![], None),
        (policy("a", &json!({"review": review(1)})), vec![other.clone()], Some("PolicyConflict")),
        (policy("a", &json!({"review": review(1), "priority": 5})), vec![other], None),
        (policy("a", &json!({"review": review(0)})), vec![], Some("QuorumUnreachable")),
        (policy("a", &gone), vec![], Some("ProviderNotFound")),
        (policy("a", &selector), vec![], Some("SelectorInvalid")),
    ] {
        assert_eq!(validate(&seen(&one, &others)).map(|f| f.reason), want, "{one:?}");
    }
    let weak = policy("a", &json!({"sandbox": {"runtimeClassName": "none"}}));
    let mut without = seen(&weak, &[]);
    without.runtime_class_exists = false;
    assert_eq!(validate(&without).map(|f| f.reason), Some("RuntimeClassNotFound"));
}

#[test]
fn the_status_counts_whom_the_policy_concerns() {
    let one = policy("a", &json!({"taskSelector": {"matchLabels": {"project": "shop"}}}));
    let mut seen = seen(&one, &[]);
    let task = |project: &str, waits| OpenTask {
        labels: [("project".to_owned(), project.to_owned())].into(),
        namespace_labels: BTreeMap::new(),
        waits_for_person: waits,
    };
    seen.tasks = vec![task("shop", true), task("shop", false), task("other", true)];
    seen.learning = Ok(Learning { roles: vec!["developer".into(), "tester".into()], pending: 2 });
    let status = status(&seen, None, Timestamp::UNIX_EPOCH);
    assert_eq!((status.matched_tasks, status.pending_approvals), (2, 3));
    assert_eq!(status.can_learn, "developer,tester");
}
