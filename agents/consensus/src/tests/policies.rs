use super::support::{policy, voter};
use crate::{
    Ballot, MAX_TOTAL_WEIGHT, MAX_VOTERS, Policy, PolicyError, Voter, Weights, parse_policy, validate_policy,
};

fn fault(policy: &Policy) -> String {
    validate_policy(policy).unwrap_err().to_string()
}

#[test]
fn policies_that_cannot_decide_are_refused_with_the_arithmetic() {
    let two = || vec![voter("a", 2), voter("b", 4)];
    let cases: Vec<(Policy, &str)> = vec![
        (policy(vec![]), "names no voters"),
        (policy(vec![voter("a", 0), voter("b", 0)]), "weights 0 + 0 sum to 0"),
        (policy(vec![voter("a", u64::MAX), voter("b", 1)]), "sum to more than 1000000000000"),
        (policy(vec![voter("", 1)]), "voter number 1 has no role"),
        (policy(vec![voter("a", 1), voter("a", 2)]), "role a is listed with different weights"),
        (policy(vec![voter("a", 1), Voter { veto: true, ..voter("a", 1) }]), "role a is listed"),
        (Policy { quorum_percent: 120, ..policy(two()) }, "quorumPercent 120 of total weight 6 needs 8"),
        (Policy { quorum_percent: 0, ..policy(two()) }, "quorumPercent 0"),
        (Policy { approve_percent: 101, ..policy(two()) }, "approvePercent 101 cannot be met"),
        (Policy { approve_percent: 0, ..policy(two()) }, "approvePercent 0"),
        (
            Policy { required_guards: vec![String::new()], ..policy(two()) },
            "requiredGuards has an empty name",
        ),
        (policy(vec![voter("a", 1); MAX_VOTERS + 1]), "names 1025 voters"),
        (by_record(MAX_TOTAL_WEIGHT / 1000 + 1, None), "sum to more than 1000000000;"),
        (by_record(1, Some(499)), "role a has weightPerMille 499; use 500 to 1500"),
        (by_record(1, Some(1501)), "role a has weightPerMille 1501"),
        (
            Policy { weights: Weights::Policy, ..by_record(1, Some(1000)) },
            "weightPerMille, which would count for nothing",
        ),
    ];
    for (policy, message) in cases {
        let text = fault(&policy);
        assert!(text.contains(message), "{text:?} does not contain {message:?}");
    }
    assert_eq!(validate_policy(&policy(two())), Ok(()));
    assert_eq!(validate_policy(&policy(vec![voter("a", MAX_TOTAL_WEIGHT)])), Ok(()));
    assert_eq!(validate_policy(&by_record(MAX_TOTAL_WEIGHT / 1000, Some(1500))), Ok(()));
}

fn by_record(weight: u64, weight_per_mille: Option<u32>) -> Policy {
    Policy { weights: Weights::TrackRecord, ..policy(vec![Voter { weight_per_mille, ..voter("a", weight) }]) }
}

#[test]
fn long_sums_are_cut() {
    let text = fault(&policy(vec![voter("a", 0); 20]));
    assert!(text.contains("0 + …") && text.len() < 200, "{text}");
}

#[test]
fn review_policy_and_manifest_forms_are_read() {
    let review = r#"{"voters":[{"role":"a","modelRef":{"name":"m"}},{"role":"s","weight":3,"veto":true,"required":true}],
        "quorumPercent":60,"approvePercent":70,"onTie":"Reject","onTimeout":"Reject","timeoutSeconds":60}"#;
    let plain = parse_policy(review).unwrap();
    assert_eq!((plain.total_weight(), plain.quorum_weight(), plain.approve_percent), (4, 3, 70));
    assert!(plain.voters[1].veto && plain.voters[1].required && !plain.voters[0].veto);
    assert_eq!(parse_policy(&format!(r#"{{"review":{review}}}"#)).unwrap(), plain);
    let manifest = format!(
        r#"{{"kind":"GovernancePolicy","spec":{{"review":{review},"guards":{{"required":[{{"name":"unit-tests"}}]}}}}}}"#
    );
    let expected = Policy { required_guards: vec!["unit-tests".into()], ..plain };
    assert_eq!(parse_policy(&manifest).unwrap(), expected);
    let defaults = parse_policy(r#"{"voters":[{"role":"a"}]}"#).unwrap();
    assert_eq!((defaults.quorum_percent, defaults.approve_percent, defaults.voters[0].weight), (50, 50, 1));
}

#[test]
fn a_policys_guard_in_quarantine_is_not_required() {
    let policy = parse_policy(
        r#"{"spec":{"review":{"voters":[{"role":"a"}]},"guards":{
            "required":[{"name":"unit-tests"},{"name":"flaky"}],
            "quarantined":[{"name":"flaky","reason":"it fails at random"}]}}}"#,
    );
    assert_eq!(policy.unwrap().required_guards, ["unit-tests"]);
}

#[test]
fn misspelt_rules_are_refused_not_ignored() {
    let unknown = |json: &str| match parse_policy(json) {
        Err(PolicyError::UnknownField(field)) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(unknown(r#"{"voters":[{"role":"a"}],"quorumPercnt":60}"#), "quorumPercnt");
    assert_eq!(unknown(r#"{"voters":[{"role":"a","vto":true}]}"#), "voters[].vto");
    assert_eq!(unknown(r#"{"voters":[{"role":"a"}],"evidence":{"required":true}}"#), "evidence");
    for bad in ["", "[]", "{}", "null", r#"{"voters":[{"role":"a","weight":-1}]}"#, r#"{"voters":"a"}"#] {
        assert!(
            matches!(parse_policy(bad), Err(PolicyError::Unreadable(_))),
            "{bad}: {:?}",
            parse_policy(bad)
        );
    }
}

#[test]
fn misspelt_guards_of_a_manifest_are_refused_not_ignored() {
    let review = r#""review":{"voters":[{"role":"a"}]}"#;
    let unknown = |json: String| match parse_policy(&json) {
        Err(PolicyError::UnknownField(field)) => field,
        other => panic!("{json}: {other:?}"),
    };
    let guards = r#"[{"name":"unit-tests"}]"#;
    for (json, field) in [
        (format!(r#"{{"spec":{{{review},"guards":{{"requird":{guards}}}}}}}"#), "spec.guards.requird"),
        (format!(r#"{{{review},"guards":{{"quarantine":{guards}}}}}"#), "guards.quarantine"),
        (format!(r#"{{"spec":{{{review},"gaurds":{{"required":{guards}}}}}}}"#), "spec.gaurds"),
        (format!(r#"{{{review},"requiredGuard":["unit-tests"]}}"#), "requiredGuard"),
        // Well spelt, in a place where nobody reads it.
        (format!(r#"{{{review},"requiredGuards":["unit-tests"]}}"#), "requiredGuards"),
        (format!(r#"{{"spec":{{{review}}},"guards":{{"required":{guards}}}}}"#), "guards"),
        (r#"{"spec":{"review":{"voters":[{"role":"a","vto":true}]}}}"#.into(), "spec.review.voters[].vto"),
        (r#"{"review":{"voters":[{"role":"a"}],"rounds":{"mx":2}}}"#.into(), "review.rounds.mx"),
    ] {
        assert_eq!(unknown(json), field);
    }
}

#[test]
fn guards_in_a_form_that_cannot_be_read_are_refused_not_ignored() {
    let unreadable = |guards: &str| {
        let json = format!(r#"{{"spec":{{"review":{{"voters":[{{"role":"a"}}]}},"guards":{guards}}}}}"#);
        match parse_policy(&json) {
            Err(PolicyError::Unreadable(why)) => why,
            other => panic!("{json}: {other:?}"),
        }
    };
    for guards in [
        r#"[{"name":"unit-tests"}]"#,
        r#""unit-tests""#,
        r#"{"required":"unit-tests"}"#,
        r#"{"required":{"name":"unit-tests"}}"#,
        r#"{"required":["unit-tests"]}"#,
        r#"{"required":[{"nam":"unit-tests"}]}"#,
        r#"{"required":[{"name":"unit-tests"}],"quarantined":[{"reason":"it is slow"}]}"#,
    ] {
        assert!(unreadable(guards).starts_with("spec.guards: "), "{guards}");
    }
    let twice = parse_policy(r#"{"voters":[{"role":"a","veto":true,"veto":false}]}"#);
    assert!(
        matches!(&twice, Err(PolicyError::Unreadable(why)) if why.contains("\"veto\" stands twice")),
        "{twice:?}"
    );
    let none = parse_policy(r#"{"spec":{"guards":{"required":[]},"priority":3}}"#);
    assert!(matches!(&none, Err(PolicyError::Unreadable(why)) if why == "it has no spec.review"), "{none:?}");
}

#[test]
fn a_whole_manifest_is_read_with_all_that_others_use_of_it() {
    let policy = parse_policy(
        r#"{"apiVersion":"goldenarch.dev/v1alpha1","kind":"GovernancePolicy","metadata":{"name":"code"},"status":{},"spec":{
            "priority":10,"namespaceSelector":{},"taskSelector":{},"requireBudget":true,"protectedPaths":["a/**"],
            "approvals":[{"when":"Always"}],"autoFix":{"maxAttempts":2},"sandbox":{},"escalation":{},"forecast":{},"pause":{},
            "review":{"voters":[{"role":"a"}],"additionalReviewer":{"role":"arbiter"}},
            "guards":{"required":[{"name":"unit-tests","image":"i","command":["true"]}],"quarantined":null}}}"#,
    );
    assert_eq!(policy.unwrap().required_guards, ["unit-tests"]);
    assert!(parse_policy(r#"{"review":{"voters":[{"role":"a"}]},"guards":null}"#).is_ok());
}

#[test]
fn confidence_is_percent_or_a_decimal_share() {
    let confidence = |text: &str| {
        let json = format!(r#"{{"voter":"a","role":"a","verdict":"Approve","confidence":{text}}}"#);
        serde_json::from_str::<Ballot>(&json).map(|b| b.confidence).map_err(|e| e.to_string())
    };
    for (text, expected) in
        [("0", 0), ("1", 1), ("90", 90), ("100", 100), ("0.9", 90), ("0.0", 0), ("1.0", 100), ("0.874", 87)]
    {
        assert_eq!(confidence(text), Ok(expected), "{text}");
    }
    for text in ["101", "-1", "1.5", "-0.1", "1e300"] {
        assert!(confidence(text).unwrap_err().contains("outside 0 to 100 percent"), "{text}");
    }
    assert!(confidence("\"high\"").is_err());
}
