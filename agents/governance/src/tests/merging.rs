use super::support::{guard, merged, review, silent};
use crate::{BUILT_IN, GuardOrigin, MergeFault, MergedPolicy};
use golden_crds::agent_task::GuardSpec;
use golden_crds::governance_policy::ForecastDeadline::Refuse;
use golden_crds::governance_policy::OnExceeds::{Admit, Ask, Wait};
use golden_crds::governance_policy::Percentile::{P50, P90};
use serde_json::{Value, json};

#[test]
fn built_in_policy_applies_where_none_matches() {
    let elsewhere = json!({"namespaceSelector": {"matchLabels": {"env": "dev"}}, "requireBudget": false});
    let policy = merged(&[("dev-only", elsewhere)], &[]).unwrap();
    assert_eq!(policy.policies, [BUILT_IN]);
    let origins =
        [&policy.require_budget.origin, &policy.review.origin, &policy.sandbox.runtime_class_name.origin];
    assert!(origins.iter().all(|o| *o == BUILT_IN));
    assert!(policy.require_budget.value);
    let roles: Vec<&str> = policy.review.value.voters.iter().map(|v| v.role.as_str()).collect();
    assert_eq!(roles, ["reviewer", "security", "architect", "tester"]);
}

#[test]
fn both_selectors_must_select() {
    let both = |env: &str, project: &str| json!({"namespaceSelector": {"matchLabels": {"env": env}}, "taskSelector": {"matchLabels": {"project": project}}});
    let matching = |policy| merged(&[("p", policy)], &[]).unwrap().policies == ["p"];
    assert!(matching(both("prod", "shop")));
    assert!(!matching(both("prod", "other")));
    assert!(!matching(both("dev", "shop")));
}

#[test]
fn review_is_taken_whole_from_the_highest_priority_that_carries_one() {
    let policies = [
        ("low", json!({"priority": 1, "review": review("low")})),
        ("high", json!({"priority": 10, "review": review("high")})),
        ("highest-without", json!({"priority": 20})),
    ];
    let policy = merged(&policies, &[]).unwrap();
    assert_eq!(
        (policy.review.origin.as_str(), policy.review.value.voters[0].role.as_str()),
        ("high", "high")
    );
    assert_eq!(policy.review.value.voters.len(), 1);
    assert_eq!(policy.policies, ["highest-without", "high", "low"]);
    let none = merged(&policies[2..], &[]).unwrap();
    assert_eq!(none.review.origin, BUILT_IN);
}

#[test]
fn tie_of_reviews_at_the_top_blocks_and_names_both() {
    let at = |priority: i32| json!({"priority": priority, "review": review("r")});
    let fault = merged(&[("b", at(5)), ("a", at(5)), ("c", at(1))], &[]).unwrap_err();
    assert_eq!(fault, MergeFault::ReviewTie { first: "a".into(), second: "b".into(), priority: 5 });
    assert_eq!(fault.policies(), ["a", "b"]);
    assert!(
        merged(&[("b", at(5)), ("a", at(4)), ("c", at(4))], &[]).is_ok(),
        "a tie below the top decides nothing"
    );
    assert!(merged(&[("b", at(5)), ("a", json!({"priority": 5}))], &[]).is_ok());
}

#[test]
fn guards_unite_by_name_with_those_of_the_task() {
    let asks = |name: &str, image: &str| json!({"guards": {"required": [guard(name, image)]}});
    let policy = merged(
        &[("a", asks("lint", "img")), ("b", asks("lint", "img")), ("c", asks("scan", "img"))],
        &[guard("unit", "img")],
    );
    let policy = policy.unwrap();
    let names: Vec<&str> = policy.required_guards().collect();
    assert_eq!(names, ["lint", "scan", "unit"]);
    assert_eq!(policy.guards[0].policies, ["a", "b"]);
    assert_eq!((policy.guards[2].origin, policy.guards[2].policies.len()), (GuardOrigin::Task, 0));
}

#[test]
fn task_cannot_redefine_a_policys_guard_not_even_alike() {
    let policy = [("secure", json!({"guards": {"required": [guard("lint", "img")]}}))];
    for own in [guard("lint", "img"), guard("lint", "weaker")] {
        let fault = merged(&policy, &[own]).unwrap_err();
        assert_eq!(fault, MergeFault::TaskRedefinesGuard { guard: "lint".into(), policy: "secure".into() });
        assert!(
            fault.policies().is_empty()
                && fault.to_string().contains("guard lint, which policy secure defines")
        );
    }
}

#[test]
fn one_guard_name_with_two_meanings_blocks() {
    let asks = |image: &str| json!({"guards": {"required": [guard("lint", image)]}});
    let fault = merged(&[("a", asks("one")), ("b", asks("two"))], &[]).unwrap_err();
    assert_eq!(
        fault,
        MergeFault::GuardConflict { guard: "lint".into(), first: "a".into(), second: "b".into() }
    );
    let twice = json!({"guards": {"required": [guard("lint", "one"), guard("lint", "one")]}});
    let fault = merged(&[("a", twice)], &[]).unwrap_err();
    assert_eq!(fault.policies(), ["a"]);
    let fault = merged(&[], &[guard("x", "i"), guard("x", "i")]).unwrap_err();
    assert_eq!(fault.to_string(), "the task defines guard x twice; rename one");
    assert!(fault.policies().is_empty());
}

#[test]
fn limits_take_the_minimum_and_say_whose_it_is() {
    let policy = merged(
        &[
            ("a", json!({"sandbox": {"maxTimeoutSeconds": 600, "maxMemoryBytes": 100}})),
            ("b", json!({"sandbox": {"maxTimeoutSeconds": 60}, "escalation": {"deadlineSeconds": 3600}})),
            ("c", json!({"escalation": {"deadlineSeconds": 7200}})),
        ],
        &[],
    )
    .unwrap();
    let timeout = policy.sandbox.max_timeout_seconds.clone().unwrap();
    assert_eq!((timeout.value, timeout.origin.as_str()), (60, "b"));
    let memory = policy.sandbox.max_memory_bytes.clone().unwrap();
    assert_eq!((memory.value, memory.origin.as_str()), (100, "a"));
    let deadline = &policy.escalation.deadline_seconds;
    assert_eq!((deadline.value, deadline.origin.as_str()), (3600, "b"));
    assert_eq!((policy.timeout_seconds(120), policy.timeout_seconds(30)), (60, 30));
    assert_eq!(policy.memory_bytes(1000), 100);
    let unlimited = merged(&[("c", silent())], &[]).unwrap();
    assert_eq!((unlimited.timeout_seconds(120), unlimited.memory_bytes(1000)), (120, 1000));
    assert_eq!(unlimited.escalation.deadline_seconds.origin, BUILT_IN);
}

#[test]
fn the_strictest_forecast_rule_counts_whole() {
    let rule = |on: &str, percentile: &str| json!({"forecast": {"onExceeds": on, "percentile": percentile}});
    let of = |policies: &[(&str, Value)]| {
        let forecast = merged(policies, &[]).unwrap().forecast;
        (forecast.origin, forecast.value.on_exceeds, forecast.value.percentile)
    };
    assert_eq!(of(&[]), (BUILT_IN.into(), Admit, P90));
    assert_eq!(of(&[("a", silent())]), (BUILT_IN.into(), Admit, P90));
    let (admit, median, most) = (rule("Admit", "P90"), rule("Wait", "P50"), rule("Wait", "P90"));
    assert_eq!(of(&[("a", admit.clone()), ("b", median.clone())]), ("b".into(), Wait, P50));
    assert_eq!(of(&[("a", median), ("b", most.clone()), ("c", admit)]), ("b".into(), Wait, P90));
    assert_eq!(of(&[("b", most.clone()), ("a", most)]).0, "a", "the first by priority and name");
    assert_eq!(of(&[("a", json!({"forecast": {"onExceeds": "Wait"}}))]), ("a".into(), Wait, P90));
    // To ask is stricter than to admit: nothing begins unasked. To wait is stricter than to ask: nobody can let it begin.
    let ask = rule("Ask", "P50");
    assert_eq!(of(&[("a", rule("Admit", "P90")), ("b", ask.clone())]), ("b".into(), Ask, P50));
    assert_eq!(of(&[("a", ask), ("b", rule("Wait", "P50"))]), ("b".into(), Wait, P50));
    let refuse = json!({"forecast": {"onExceeds": "Ask", "percentile": "P50", "onDeadline": "Refuse"}});
    let wait = json!({"forecast": {"onExceeds": "Ask", "percentile": "P50", "onDeadline": "Wait"}});
    let deadline = |policies: &[(&str, Value)]| merged(policies, &[]).unwrap().forecast.value.on_deadline;
    assert_eq!(deadline(&[("a", wait.clone()), ("b", refuse)]), Some(Refuse));
    assert_eq!(deadline(&[("a", rule("Ask", "P90")), ("b", wait)]), None, "the stricter rule counts whole");
}

#[test]
fn the_shortest_pause_counts_and_says_whose_it_is() {
    let grace = |seconds: i64| json!({"pause": {"graceSeconds": seconds}});
    let of = |policies: &[(&str, Value)]| {
        let pause = merged(policies, &[]).unwrap().pause;
        (pause.origin, pause.value.grace_seconds)
    };
    assert_eq!(of(&[]), (BUILT_IN.into(), 600));
    assert_eq!(of(&[("a", silent())]), (BUILT_IN.into(), 600));
    assert_eq!(of(&[("a", json!({"pause": {}})), ("b", grace(60)), ("c", grace(900))]), ("b".into(), 60));
    assert_eq!(of(&[("a", grace(3600))]), ("a".into(), 3600), "what is built in is no ceiling");
    assert_eq!(of(&[("b", grace(60)), ("a", grace(60))]).0, "a", "the first by priority and name");
}

#[test]
fn the_smallest_number_of_attempts_counts_and_only_lowers_what_a_task_asks_for() {
    let most = |attempts: u32| json!({"autoFix": {"maxAttempts": attempts}});
    let of = |policies: &[(&str, Value)]| merged(policies, &[]).unwrap();
    assert_eq!(of(&[("a", silent())]).max_attempts, None);
    let two = of(&[("a", most(5)), ("b", most(2)), ("c", silent())]);
    assert_eq!(two.max_attempts.as_ref().map(|part| (part.origin.as_str(), part.value)), Some(("b", 2)));
    assert_eq!((two.max_attempts(9), two.max_attempts(1)), (2, 1));
    assert_eq!(of(&[]).max_attempts(9), 9);
    assert_eq!(of(&[("b", most(2)), ("a", most(2))]).max_attempts.unwrap().origin, "a");
}

#[test]
fn a_policy_that_an_earlier_version_stored_asks_for_no_forecast_and_pauses_as_the_built_in_one() {
    let mut json = serde_json::to_value(merged(&[], &[]).unwrap()).unwrap();
    for later in ["forecast", "pause"] {
        json.as_object_mut().unwrap().remove(later).unwrap();
    }
    assert_eq!(serde_json::from_value::<MergedPolicy>(json).unwrap(), merged(&[], &[]).unwrap());
}

#[test]
fn strictest_runtime_class_wins_and_unknown_orders_block() {
    let class = |name: &str| json!({"sandbox": {"runtimeClassName": name}});
    let of = |policies: &[(&str, Value)]| merged(policies, &[]).map(|p| p.sandbox.runtime_class_name);
    let strict = of(&[("a", class("runc")), ("b", class("gvisor"))]).unwrap();
    assert_eq!((strict.value.as_str(), strict.origin.as_str()), ("gvisor", "b"));
    assert_eq!(of(&[("a", class("runc")), ("b", class("runc"))]).unwrap().value, "runc");
    assert_eq!(of(&[("a", class("runc")), ("b", silent())]).unwrap().value, "runc");
    assert_eq!(of(&[("a", silent())]).unwrap().value, "gvisor");
    let fault = of(&[("a", class("runc")), ("b", class("kata"))]).unwrap_err();
    assert!(
        matches!(&fault, MergeFault::RuntimeClassConflict { first, second, .. } if first == "a" && second == "b")
    );
    assert!(of(&[("a", class("runc")), ("b", class("kata")), ("c", class("gvisor"))]).is_ok());
}

#[test]
fn budget_is_required_unless_every_policy_says_otherwise() {
    let needs = |needed: bool| json!({"requireBudget": needed});
    let of = |policies: &[(&str, Value)]| merged(policies, &[]).unwrap().require_budget;
    assert!(!of(&[("a", needs(false)), ("b", needs(false))]).value);
    let strict = of(&[("a", needs(false)), ("b", needs(true))]);
    assert!(strict.value && strict.origin == "b");
}

#[test]
fn protected_paths_and_approvals_unite_with_their_origins() {
    let policy = merged(
        &[
            ("a", json!({"protectedPaths": ["infra/**", "infra/**"], "approvals": [{"when": "Always"}]})),
            ("b", json!({"protectedPaths": ["infra/**", "*.lock"], "approvals": [{"when": "Always", "count": 2}]})),
        ],
        &[],
    )
    .unwrap();
    let paths: Vec<(&str, Vec<String>)> =
        policy.protected_paths.iter().map(|p| (p.glob.as_str(), p.policies.clone())).collect();
    assert_eq!(paths, [("*.lock", vec!["b".to_owned()]), ("infra/**", vec!["a".to_owned(), "b".to_owned()])]);
    let approvals: Vec<(&str, u32)> =
        policy.approvals.iter().map(|a| (a.origin.as_str(), a.rule.count)).collect();
    assert_eq!(approvals, [("a", 1), ("b", 2)]);
}

#[test]
fn globs_and_selectors_that_cannot_be_meant_block_and_name_the_policy() {
    for broken in [
        json!({"protectedPaths": ["/etc/**"]}),
        json!({"approvals": [{"when": "PathsChanged", "paths": ["[a]"]}]}),
        json!({"taskSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}),
    ] {
        let fault = merged(&[("fine", silent()), ("broken", broken)], &[]).unwrap_err();
        assert_eq!(fault.policies(), ["broken"]);
        assert!(fault.to_string().starts_with("policy broken: "), "{fault}");
    }
}

#[test]
fn order_of_the_policies_changes_nothing() {
    let policies = [
        ("a", json!({"priority": 1, "review": review("a"), "protectedPaths": ["x"]})),
        ("b", json!({"priority": 2, "review": review("b"), "protectedPaths": ["x", "y"]})),
        ("c", json!({"approvals": [{"when": "Always"}], "sandbox": {"runtimeClassName": "gvisor"}})),
    ];
    let one = merged(&policies, &[]).unwrap();
    for order in [[2, 1, 0], [1, 0, 2], [0, 2, 1], [2, 0, 1], [1, 2, 0]] {
        assert_eq!(merged(&order.map(|i: usize| policies[i].clone()), &[]).unwrap(), one);
    }
}

#[test]
fn merged_policy_reads_back_from_the_run_it_is_stored_with() {
    let rich = json!({
        "review": review("r"), "guards": {"required": [guard("lint", "img")]}, "protectedPaths": ["x/**"],
        "approvals": [{"when": "PathsChanged", "paths": ["y"], "count": 2}],
        "sandbox": {"maxTimeoutSeconds": 5}, "escalation": {"deadlineSeconds": 60},
    });
    let policy = merged(&[("rich", rich)], &[guard("own", "img")]).unwrap();
    let json = serde_json::to_value(&policy).unwrap();
    assert_eq!(json["guards"][0]["image"], "img");
    assert_eq!(json["sandbox"]["maxTimeoutSeconds"], json!({"origin": "rich", "value": 5}));
    assert_eq!(serde_json::from_value::<MergedPolicy>(json).unwrap(), policy);
}

#[test]
fn a_guard_whose_globs_mean_something_else_blocks_and_says_whose_it_is() {
    let restoring: GuardSpec = serde_json::from_value(
        json!({"name": "t", "image": "i", "command": ["c"], "restorePaths": ["tests/[a]*"]}),
    )
    .unwrap();
    let builtin: GuardSpec = serde_json::from_value(
        json!({"name": "f", "builtin": {"forbiddenFiles": {"paths": ["**/.env", "src/**.pem"]}}}),
    )
    .unwrap();
    for guard in [&restoring, &builtin] {
        let fault = merged(&[("a", json!({"guards": {"required": [guard]}}))], &[]).unwrap_err();
        assert_eq!(fault.policies(), ["a"], "{fault}");
        let fault = merged(&[], std::slice::from_ref(guard)).unwrap_err();
        assert!(fault.policies().is_empty() && fault.to_string().contains("of the task"), "{fault}");
    }
}

#[test]
fn a_guard_is_in_quarantine_only_if_every_policy_that_requires_it_says_so() {
    let asks = |aside: bool| {
        let quarantined = if aside { json!([{"name": "lint", "reason": "broken"}]) } else { json!([]) };
        json!({"guards": {"required": [guard("lint", "i")], "quarantined": quarantined}})
    };
    let reason = |policies: &[(&str, Value)]| {
        let policy = merged(policies, &[guard("own", "i")]).unwrap();
        let why = policy.guard("lint").unwrap().quarantine.clone().map(|q| (q.origin, q.value));
        assert_eq!(policy.required_guards().any(|g| g == "lint"), why.is_none());
        assert!(policy.required_guards().any(|g| g == "own"));
        why
    };
    let broken = Some(("a".to_owned(), "broken".to_owned()));
    assert_eq!(reason(&[("a", asks(true))]), broken);
    assert_eq!(reason(&[("a", asks(true)), ("b", asks(true))]), broken);
    assert_eq!(reason(&[("a", asks(true)), ("b", asks(false))]), None);
    assert_eq!(reason(&[("a", asks(false)), ("b", asks(true))]), None);
}
