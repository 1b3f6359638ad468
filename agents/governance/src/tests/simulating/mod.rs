//! Records of real runs (`records/`), and changes of them, under changed policies. In `fix-slugify` the first attempt
//! failed its guard; the second passed it and was approved by 5 against 1 (the architect's). In `adr-queue` two voters of
//! four rejected, and a person accepted.

mod attempts;
mod people;
mod rounds;

use super::support::spec;
use crate::simulate::{ChangedPolicy, Reach, RecordFault, Simulation, simulate};
use golden_record::{Export, verify_export};
use serde_json::{Value, json};

fn slugify() -> Export {
    verify_export(include_str!("../records/fix-slugify.jsonl")).unwrap()
}

fn adr() -> Export {
    verify_export(include_str!("../records/adr-queue.jsonl")).unwrap()
}

/// The policy of `fix-slugify` as it was.
fn code_changes() -> Value {
    json!({
        "taskSelector": {"matchLabels": {"change": "code"}},
        "review": {
            "voters": [
                {"role": "security", "weight": 2, "veto": true}, {"role": "reviewer", "weight": 2},
                {"role": "architect"}, {"role": "tester"},
            ],
            "quorumPercent": 60, "approvePercent": 60, "timeoutSeconds": 120,
        },
        "guards": {"required": [unit_tests()]},
        "sandbox": {"maxTimeoutSeconds": 300},
    })
}

/// The review of `adr-queue` as it was.
fn adr_review() -> Value {
    let voters =
        json!([{"role": "security"}, {"role": "reviewer"}, {"role": "architect"}, {"role": "tester"}]);
    json!({"voters": voters, "timeoutSeconds": 120})
}

fn unit_tests() -> Value {
    json!({
        "name": "unit-tests", "image": "golden.local/golden-python:dev", "timeoutSeconds": 120,
        "command": ["python3", "-m", "pytest", "-q", "-p", "no:cacheprovider"], "restorePaths": ["tests/**"],
    })
}

fn under(export: &Export, name: &str, policy: &Value) -> Simulation {
    let changed = [ChangedPolicy { name: name.into(), spec: spec(policy.clone()) }];
    simulate(export, &changed).unwrap()
}

/// `fix-slugify` with one part of its policy changed.
fn with(pointer: &str, value: Value) -> Simulation {
    let mut policy = code_changes();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    policy.pointer_mut(parent).unwrap()[key] = value;
    under(&slugify(), "code-changes", &policy)
}

fn voters(more: Value) -> Value {
    let mut voters = code_changes()["review"]["voters"].clone();
    voters.as_array_mut().unwrap().push(more);
    voters
}

/// Decision, waits and cost afterwards.
fn after(s: &Simulation) -> (&str, Option<u32>, Option<i64>) {
    (&s.decision.after, s.waits.after, s.cost.after)
}

/// The body of the first entry of a kind, to be changed: a record that is not verified again.
fn body<'a>(export: &'a mut Export, kind: &str) -> &'a mut Value {
    &mut export.entries.iter_mut().find(|entry| entry.kind == kind).unwrap().body
}

#[test]
fn an_unchanged_policy_changes_nothing() {
    let s = under(&slugify(), "code-changes", &code_changes());
    assert_eq!((s.namespace.as_str(), s.name.as_str()), ("checkout", "fix-slugify"));
    assert_eq!(
        (s.decision.before.as_str(), s.waits.before, s.cost.before),
        ("Approved", Some(0), Some(13_106))
    );
    assert_eq!(after(&s), ("Approved", Some(0), Some(13_106)));
    assert_eq!((s.reach, &s.policies.before), (Reach::Same, &s.policies.after));
    let s = under(&adr(), "unrelated", &json!({"taskSelector": {"matchLabels": {"no": "task"}}}));
    assert_eq!((s.reach, after(&s).1), (Reach::Same, Some(1)), "it concerns the task neither now nor then");
    let s = under(&adr(), "for-all", &json!({"protectedPaths": ["x"]}));
    assert_eq!(s.reach, Reach::Unknown, "its own policy is not in the record");
    assert!(s.because.contains("policy documents; put it into the file"), "{}", s.because);
}

#[test]
fn a_stricter_share_sends_back_what_was_approved_and_claims_no_more() {
    let s = with("/review/approvePercent", json!(90));
    assert_eq!(s.decision.before, "Approved");
    assert_eq!(after(&s), ("ChangesRequested", Some(0), Some(13_106)));
    assert_eq!(s.reach, Reach::Diverges);
    assert!(s.because.starts_with("attempt 2: ChangesRequested instead of Approved"), "{}", s.because);
}

#[test]
fn a_tie_rule_or_a_weight_decides_what_a_person_decided() {
    let rules = |changed: Value| {
        let mut review = adr_review();
        review.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        under(&adr(), "documents", &json!({"review": review}))
    };
    let s = rules(json!({}));
    assert_eq!((after(&s), s.waits.before, s.reach), (("Tie", Some(1), s.cost.before), Some(1), Reach::Same));
    let s = rules(json!({"onTie": "Reject"}));
    assert_eq!((after(&s).0, after(&s).1, s.reach), ("Tie", Some(0), Reach::Diverges), "{}", s.because);
    let heavy = json!([{"role": "security", "weight": 2}, {"role": "reviewer"}, {"role": "architect"}, {"role": "tester"}]);
    let s = rules(json!({"voters": heavy}));
    assert_eq!((after(&s).0, after(&s).1, s.reach), ("Approved", Some(0), Reach::Accepted), "{}", s.because);
}

#[test]
fn a_guard_that_did_not_run_is_unknown_where_it_decides() {
    let lint = json!({"name": "lint", "image": "i", "command": ["lint"]});
    // The first attempt failed another guard, whatever this one would have said; what its agent is told differs.
    let s = with("/guards/required", json!([unit_tests(), lint]));
    assert_eq!((after(&s).0, s.reach), ("GuardFailed", Reach::Diverges), "{}", s.because);
    let s = under(&adr(), "documents", &json!({"guards": {"required": [lint]}}));
    assert_eq!((after(&s), s.reach), (("Unknown", None, None), Reach::Unknown));
    assert_eq!(s.because, "attempt 1: guard lint did not run so");
    let s = with("/guards/required", json!([]));
    assert_eq!(s.because, "attempt 1: its guards would let it pass, and nobody has reviewed it");
    // Another ceiling or isolation is another run.
    for sandbox in
        [json!({"maxTimeoutSeconds": 60}), json!({"maxTimeoutSeconds": 300, "runtimeClassName": "runc"})]
    {
        let s = with("/sandbox", sandbox);
        assert_eq!((after(&s).0, s.reach), ("Unknown", Reach::Unknown), "{}", s.because);
    }
    // A ceiling that changes nothing for this guard is none.
    assert_eq!(with("/sandbox", json!({"maxTimeoutSeconds": 200})).reach, Reach::Same);
}

#[test]
fn a_voter_nobody_asked_matters_only_where_it_could_decide() {
    let s = with("/review/voters", voters(json!({"role": "legal"})));
    assert_eq!(after(&s), ("Approved", Some(0), None), "5 against at most 2: {}", s.because);
    assert_eq!(s.reach, Reach::Same);
    let s = with("/review/voters", voters(json!({"role": "legal", "veto": true})));
    assert_eq!(after(&s), ("Unknown", None, None));
    assert_eq!(s.because, "attempt 2: it depends on ballots by legal, which nobody gave");
    // The same role with another model is another voter.
    let other = json!([
        {"role": "security", "weight": 2, "veto": true, "modelRef": {"provider": "p", "model": "other"}},
        {"role": "reviewer", "weight": 2}, {"role": "architect"}, {"role": "tester"},
    ]);
    assert!(with("/review/voters", other).because.contains("ballots by security"));
    // One voter fewer: the architect's rejection goes, and so does what it cost.
    let fewer = json!([{"role": "security", "weight": 2, "veto": true}, {"role": "reviewer", "weight": 2}, {"role": "tester"}]);
    assert_eq!(after(&with("/review/voters", fewer)), ("Approved", Some(0), None));
}

#[test]
fn other_policies_of_the_record_stay_and_a_contradiction_is_said() {
    let mut export = slugify();
    let admitted = body(&mut export, "Admitted");
    admitted["policySources"] = json!([{"name": "code-changes", "spec": code_changes()}]);
    admitted["namespaceLabels"] = json!({"env": "prod"});
    let house = json!({"namespaceSelector": {"matchLabels": {"env": "prod"}}, "priority": 5,
        "review": {"voters": [{"role": "architect"}], "timeoutSeconds": 120}});
    let s = under(&export, "house", &house);
    assert_eq!(s.policies.after, ["house", "code-changes"]);
    assert_eq!((after(&s).0, s.reach), ("ChangesRequested", Reach::Diverges), "only the architect votes");
    let mut tie = house.clone();
    tie["priority"] = json!(0);
    let s = under(&export, "house", &tie);
    assert_eq!((after(&s).0, s.reach), ("NotAdmitted", Reach::NotAdmitted));
    assert!(s.because.contains("both carry a review at priority 0"), "{}", s.because);
    // An older record does not say which namespaces a label selects.
    let s = under(&slugify(), "house", &house);
    assert!(s.because.contains("the text of policy code-changes"), "{}", s.because);
    let mut own = code_changes();
    own["namespaceSelector"] = json!({"matchLabels": {"env": "prod"}});
    let s = under(&slugify(), "code-changes", &own);
    assert!(s.because.contains("selects namespaces by env"), "{}", s.because);
}

#[test]
fn a_record_whose_decision_does_not_follow_from_it_is_not_built_upon() {
    let mut export = slugify();
    body(&mut export, "Reviewed")["ballots"][2]["ballot"]["verdict"] = json!("Reject");
    let s = under(&export, "code-changes", &code_changes());
    assert_eq!(after(&s).0, "Unknown");
    assert!(s.because.contains("the record says Approved"), "{}", s.because);
    body(&mut export, "Reviewed")["ballots"] = json!(3);
    assert!(matches!(
        simulate(&export, &[ChangedPolicy { name: "code-changes".into(), spec: spec(code_changes()) }]),
        Err(RecordFault::Entry { kind, .. }) if kind == "Reviewed"
    ));
    export.entries.remove(0);
    assert_eq!(simulate(&export, &[]), Err(RecordFault::NoAdmission));
}

#[test]
fn a_task_whose_voters_have_the_authors_model_is_not_admitted_where_they_must_have_another() {
    let s = with("/review/independence", json!("DifferentModel"));
    assert_eq!((after(&s), s.reach), (("NotAdmitted", None, None), Reach::NotAdmitted));
    assert!(
        s.because.starts_with("voter security would judge with the author's model standard"),
        "{}",
        s.because
    );
    // Another name is another model only as far as the record goes.
    let mut export = slugify();
    let models = body(&mut export, "Admitted")["models"].as_object_mut().unwrap();
    models
        .iter_mut()
        .filter(|(who, _)| who.starts_with("voter:"))
        .for_each(|(_, m)| m["model"] = json!("large"));
    let mut policy = code_changes();
    policy["review"]["independence"] = json!("DifferentModel");
    let s = under(&export, "code-changes", &policy);
    assert_eq!((after(&s), s.reach), (("Unknown", None, None), Reach::Unknown));
    assert!(s.because.contains("by a fallback of a provider"), "{}", s.because);
    // It was admitted under that very rule.
    body(&mut export, "Admitted")["policy"]["review"]["value"]["independence"] = json!("DifferentModel");
    for ballot in body(&mut export, "Reviewed")["ballots"].as_array_mut().unwrap() {
        ballot["ballot"]["model"] = json!("large");
    }
    let s = under(&export, "code-changes", &policy);
    assert_eq!(s.reach, Reach::Same, "{}", s.because);
    policy["review"]["voters"][1]["modelRef"] = json!({"provider": "p", "model": "vendor/Standard"});
    assert_eq!(under(&export, "code-changes", &policy).reach, Reach::NotAdmitted);
}

#[test]
fn a_recorded_failure_of_a_guard_in_quarantine_is_not_what_decided() {
    let mut export = slugify();
    let guard = &mut body(&mut export, "Admitted")["policy"]["guards"][0];
    guard["quarantine"] = json!({"value": "it fails at random", "origin": "code-changes"});
    for entry in export.entries.iter_mut().filter(|entry| entry.kind == "GuardJudged") {
        entry.body["verdict"] = json!("Failed");
    }
    let policy = json!({"taskSelector": {"matchLabels": {"no": "task"}}});
    assert_eq!(under(&export, "unrelated", &policy).decision.before, "Approved");
}

#[test]
fn a_guard_in_quarantine_decides_nothing() {
    let mut export = slugify();
    let mut policy = code_changes();
    policy["guards"]["quarantined"] = json!([{"name": "unit-tests", "reason": "it fails at random"}]);
    let s = under(&export, "code-changes", &policy);
    assert_eq!(s.because, "attempt 1: its guards would let it pass, and nobody has reviewed it");
    body(&mut export, "GuardJudged")["verdict"] = json!("Passed");
    assert_eq!(under(&export, "code-changes", &code_changes()).reach, Reach::Same);
}

#[test]
fn opinions_weigh_what_the_record_says_their_track_records_were() {
    let mut policy = code_changes();
    policy["review"]["weights"] = json!("TrackRecord");
    let s = under(&slugify(), "code-changes", &policy);
    assert_eq!(after(&s).0, "Unknown");
    assert_eq!(s.because, "attempt 2: it depends on the voters' track records, which were not recorded");
    let mut agreed = slugify();
    body(&mut agreed, "Reviewed")["ballots"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .for_each(|cast| cast["ballot"]["verdict"] = json!("Approve"));
    assert_eq!(
        under(&agreed, "code-changes", &policy).reach,
        Reach::Same,
        "where all agree no weight matters"
    );

    // Security and reviewer halved, the architect and the tester half as much again: 1 + 1 + 1.5 against 1.5 is 70 %.
    let mut export = slugify();
    let weight = |role: &str, per_mille: u32| json!({"role": role, "model": "p/m", "perMille": per_mille, "rightPpm": 0, "observations": 50, "usualPpm": 0});
    let weights = [("security", 500), ("reviewer", 500), ("architect", 1500), ("tester", 1500)]
        .map(|(r, n)| weight(r, n));
    body(&mut export, "Reviewed")["result"]["weights"] = json!(weights);
    body(&mut export, "Admitted")["policy"]["review"]["value"]["weights"] = json!("TrackRecord");
    assert_eq!(under(&export, "code-changes", &policy).reach, Reach::Same);
    policy["review"]["approvePercent"] = json!(75);
    let s = under(&export, "code-changes", &policy);
    assert_eq!((after(&s).0, s.reach), ("ChangesRequested", Reach::Diverges), "{}", s.because);
    assert!(s.because.contains("approving weight 3.5 against rejecting 1.5"), "{}", s.because);
    policy["review"]["weights"] = json!("Policy");
    assert_eq!(
        under(&export, "code-changes", &policy).reach,
        Reach::Same,
        "5 against 1 by the policy's weights"
    );
}
