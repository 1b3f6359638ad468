//! Records of real runs (`records/`), and changes of them, under changed policies. In `fix-slugify` the first attempt
//! failed its guard; the second passed it and was approved by 5 against 1 (the architect's). In `adr-queue` two voters of
//! four rejected, and a person accepted.

use super::support::spec;
use crate::simulate::{ChangedPolicy, Reach, RecordFault, Simulation, simulate};
use golden_record::{Export, verify_export};
use serde_json::{Value, json};

fn slugify() -> Export {
    verify_export(include_str!("records/fix-slugify.jsonl")).unwrap()
}

fn adr() -> Export {
    verify_export(include_str!("records/adr-queue.jsonl")).unwrap()
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
fn time_that_is_shorter_than_the_review_took_is_unknown() {
    let mut export = slugify();
    let at = "2026-11-30T17:00:00Z".to_owned();
    export.entries.iter_mut().filter(|e| e.kind == "Reviewed").for_each(|e| e.at.clone_from(&at));
    // It waited for money, or its decision was told late: no round is open for longer than its rules let it.
    assert_eq!(under(&export, "code-changes", &code_changes()).reach, Reach::Same);
    let mut shorter = code_changes();
    shorter["review"]["timeoutSeconds"] = json!(60);
    let s = under(&export, "code-changes", &shorter);
    assert!(s.because.contains("took up to 120 seconds, not counting what it waited"), "{}", s.because);
    assert_eq!(s.reach, Reach::Unknown);
    // Newer records say what the review's own clock said.
    body(&mut export, "Reviewed")["tookSeconds"] = json!(60);
    assert_eq!(under(&export, "code-changes", &shorter).reach, Reach::Same);
    body(&mut export, "Reviewed")["tookSeconds"] = json!(61);
    let s = under(&export, "code-changes", &shorter);
    assert!(s.because.contains("took 61 seconds, and would have ended after 60"), "{}", s.because);
    assert_eq!(with("/review/timeoutSeconds", json!(60)).reach, Reach::Same);
}

#[test]
fn approvals_are_counted_where_the_record_says_what_changed() {
    let s = with("/approvals", json!([{"when": "Always"}]));
    assert_eq!((after(&s), s.reach), (("Approved", Some(1), Some(13_106)), Reach::Diverges));
    assert_eq!(s.because, "attempt 2: 1 person would have to approve it; what they answer is not known");
    let s = with("/protectedPaths", json!(["shop/**"]));
    assert_eq!((after(&s), s.reach), (("Approved", None, None), Reach::Unknown), "{}", s.because);
    let mut export = slugify();
    for entry in export.entries.iter_mut().filter(|e| e.kind == "Produced") {
        entry.body["paths"] = json!(["shop/slug.py"]);
    }
    let mut policy = code_changes();
    policy["protectedPaths"] = json!(["shop/**"]);
    assert_eq!(after(&under(&export, "code-changes", &policy)), ("Approved", Some(1), Some(13_106)));
    policy["protectedPaths"] = json!(["deploy/**"]);
    assert_eq!(after(&under(&export, "code-changes", &policy)), ("Approved", Some(0), Some(13_106)));
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
fn rounds_and_independence_are_judged_as_far_as_the_record_goes() {
    let s = with("/review/rounds", json!({"max": 2}));
    assert_eq!((after(&s).0, s.reach), ("Unknown", Reach::Unknown));
    assert!(
        s.because.contains("another round, after 1"),
        "the architect's evidence was verified: {}",
        s.because
    );
    // A record of two rounds says what one would have come to no more.
    let mut export = slugify();
    let second = export.entries.iter().find(|e| e.kind == "Reviewed").unwrap().clone();
    let at = export.entries.iter().position(|e| e.kind == "Approved").unwrap();
    export.entries.insert(at, second);
    let mut policy = code_changes();
    let s = under(&export, "code-changes", &policy);
    assert!(s.because.contains("heard in 2 rounds, and would have been in 1"), "{}", s.because);
    policy["review"]["rounds"] = json!({"max": 2});
    body(&mut export, "Admitted")["policy"]["review"]["value"]["rounds"] = json!({"max": 2});
    assert_eq!(under(&export, "code-changes", &policy).reach, Reach::Same);
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

/// `adr-queue` as it would have been with an additional reviewer of this verdict.
fn adr_with_arbiter(verdict: &str) -> Export {
    let mut export = adr();
    body(&mut export, "Admitted")["policy"]["review"]["value"]["additionalReviewer"] =
        json!({"role": "arbiter"});
    let at = export.entries.iter().position(|e| e.kind == "EscalationRaised").unwrap();
    let (mut asked, mut reviewed) = (export.entries[at].clone(), export.entries[at].clone());
    asked.kind = "ReviewRequested".into();
    asked.body = json!({"attempt": 1, "round": 2, "beside": 1, "additionalReviewer": "arbiter"});
    reviewed.kind = "Reviewed".into();
    reviewed.body = body(&mut export, "Reviewed").clone();
    let ballots = reviewed.body["ballots"].as_array_mut().unwrap();
    let mut ballot = ballots[0].clone();
    ballot["ballot"]["voter"] = json!("arbiter");
    ballot["ballot"]["role"] = json!("arbiter");
    ballot["ballot"]["verdict"] = json!(verdict);
    ballots.push(ballot);
    reviewed.body["decision"] = json!(if verdict == "Approve" { "Approved" } else { "ChangesRequested" });
    export.entries.splice(at..at, [asked, reviewed]);
    export
}

#[test]
fn an_additional_reviewer_nobody_asked_is_unknown_where_a_person_was_asked_instead() {
    let review = |more: &Value| {
        let mut review = adr_review();
        review.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"review": review})
    };
    let with = json!({"additionalReviewer": {"role": "arbiter"}});
    let s = under(&adr(), "documents", &review(&with));
    assert_eq!((after(&s).0, s.reach), ("Unknown", Reach::Unknown));
    assert_eq!(s.because, "attempt 1: arbiter would have been asked before a person");
    let back = json!({"additionalReviewer": {"role": "arbiter"}, "onTie": "Reject"});
    assert_eq!(under(&adr(), "documents", &review(&back)).reach, Reach::Diverges, "no person would be asked");
}

#[test]
fn an_additional_reviewer_counts_again_as_it_did_and_not_where_it_is_taken_away() {
    let mut review = adr_review();
    let export = adr_with_arbiter("Reject");
    let s = under(&export, "unrelated", &json!({"taskSelector": {"matchLabels": {"no": "task"}}}));
    assert_eq!((after(&s).0, s.reach), ("ChangesRequested", Reach::Same), "{}", s.because);
    let s = under(&export, "documents", &json!({"review": review}));
    assert_eq!((after(&s).0, s.reach), ("Tie", Reach::Diverges), "{}", s.because);
    review["additionalReviewer"] =
        json!({"role": "arbiter", "modelRef": {"provider": "other", "model": "m"}});
    let s = under(&export, "documents", &json!({"review": review}));
    assert_eq!(s.reach, Reach::Unknown, "another model's ballot is not known");
    let s = under(
        &adr_with_arbiter("Approve"),
        "unrelated",
        &json!({"taskSelector": {"matchLabels": {"no": "task"}}}),
    );
    assert_eq!((after(&s).0, s.reach), ("Approved", Reach::Same), "{}", s.because);
}

#[test]
fn an_additional_reviewer_weighs_what_the_policy_gives_it_where_the_others_follow_their_records() {
    let mut review = adr_review();
    review.as_object_mut().unwrap().extend([
        ("weights".to_owned(), json!("TrackRecord")),
        ("additionalReviewer".to_owned(), json!({"role": "arbiter"})),
        ("approvePercent".to_owned(), json!(65)),
    ]);
    let policy = json!({"review": review});
    let mut export = adr_with_arbiter("Approve");
    let s = under(&export, "documents", &policy);
    assert_eq!(s.because, "attempt 1: it depends on the voters' track records, which were not recorded");

    // All are halved, the arbiter's record would halve it too: 1 and 1 against 1.
    let halved = ["security", "reviewer", "architect", "tester", "arbiter"].map(|role| {
        json!({"role": role, "model": "p/m", "perMille": 500, "rightPpm": 0, "observations": 50, "usualPpm": 0})
    });
    for entry in export.entries.iter_mut().filter(|entry| entry.kind == "Reviewed") {
        entry.body["result"]["weights"] = json!(halved);
    }
    let s = under(&export, "documents", &policy);
    assert_eq!((after(&s).0, s.reach), ("Approved", Reach::Same), "{}", s.because);
}

#[test]
fn fewer_attempts_end_a_task_before_it_was_accepted() {
    let s = with("/autoFix", json!({"maxAttempts": 1}));
    assert_eq!((s.reach, s.decision.after.as_str()), (Reach::Diverges, "GuardFailed"));
    assert_eq!(s.because, "policy code-changes allows no attempt 2: the task fails before it");
    assert!(s.cost.after.unwrap() > 0 && s.cost.after < s.cost.before);
    assert_eq!(with("/autoFix", json!({"maxAttempts": 2})).reach, Reach::Same);
}

/// `fix-slugify` as if one person had to approve it: who did, or the task ended before that, and why.
fn with_approval(end: Option<&str>) -> Export {
    let mut export = slugify();
    let rule = json!([{"origin": "code-changes", "when": "Always", "count": 1}]);
    body(&mut export, "Admitted")["policy"]["approvals"] = rule;
    match end {
        None => body(&mut export, "Approved")["needed"] = json!([{"reason": "Always"}]),
        Some(why) => {
            export.entries.retain(|entry| entry.kind != "Approved");
            body(&mut export, "Ended")["reason"] = json!(why);
        }
    }
    export
}

fn approvals(export: &Export, rules: Value) -> Simulation {
    let mut policy = code_changes();
    policy["approvals"] = rules;
    under(export, "code-changes", &policy)
}

#[test]
fn more_people_than_approved_may_say_no_and_fewer_cannot_change_what_was_approved() {
    let approved = with_approval(None);
    let one = json!([{"when": "Always"}]);
    let s = approvals(&approved, one.clone());
    assert_eq!((s.reach, s.waits.before, s.waits.after), (Reach::Same, Some(1), Some(1)), "{}", s.because);
    let s = approvals(&approved, json!([{"when": "Always", "count": 2}]));
    assert_eq!((s.reach, s.waits.after), (Reach::Diverges, Some(1)));
    assert!(s.because.contains("2 people would have to approve"), "{}", s.because);
    let s = approvals(&approved, json!([]));
    assert_eq!((s.reach, s.waits.after), (Reach::Same, Some(0)));

    for why in ["ApprovalDenied", "DeadlineExceeded"] {
        let waited = with_approval(Some(why));
        let s = approvals(&waited, one.clone());
        assert_eq!((s.reach, s.waits.before, s.waits.after), (Reach::Same, Some(1), Some(1)), "{why}");
        let s = approvals(&waited, json!([]));
        assert_eq!((s.reach, s.waits.after), (Reach::Accepted, Some(0)), "{why}: {}", s.because);
    }
}

/// An answer of a person to `after` the entry of a kind.
fn answered(export: &mut Export, after: &str, verdict: &str) {
    let at = export.entries.iter().rposition(|entry| entry.kind == after).unwrap();
    let mut answer = export.entries[at].clone();
    answer.kind = "DecisionTaken".into();
    answer.body = json!({"by": "bob@example", "verdict": verdict, "option": null, "refused": null});
    export.entries.insert(at + 1, answer);
}

#[test]
fn a_no_that_nobody_asked_for_stands_where_nobody_would_have_to_approve() {
    let denied = |after| {
        let mut export = with_approval(Some("ApprovalDenied"));
        answered(&mut export, after, "Deny");
        let s = approvals(&export, json!([]));
        (s.reach, s.waits.after)
    };
    assert_eq!(
        denied("Reviewed"),
        (Reach::Accepted, Some(0)),
        "it was the answer to the approval that is not asked for"
    );
    assert_eq!(denied("ReviewRequested"), (Reach::Same, Some(0)));
}

#[test]
fn a_result_that_a_person_let_pass_may_wait_for_an_approval_too() {
    let rule = json!([{"origin": "documents", "when": "Always", "count": 2}]);
    let mut export = adr();
    body(&mut export, "Admitted")["policy"]["approvals"] = rule;
    export.entries.retain(|entry| entry.kind != "Approved");
    body(&mut export, "Ended")["reason"] = json!("DeadlineExceeded");
    let with =
        |rules: Value| under(&export, "documents", &json!({"review": adr_review(), "approvals": rules}));
    let s = with(json!([{"when": "Always", "count": 2}]));
    assert_eq!((s.reach, s.waits.before, s.waits.after), (Reach::Same, Some(2), Some(2)), "{}", s.because);
    let s = with(json!([]));
    assert_eq!((s.reach, s.waits.after), (Reach::Accepted, Some(1)), "{}", s.because);
    let s = with(json!([{"when": "Always", "count": 3}]));
    assert_eq!(s.reach, Reach::Diverges, "{}", s.because);
}

#[test]
fn a_result_that_nobody_had_to_approve_is_not_accepted_by_a_rule_less() {
    let mut export = slugify();
    export.entries.retain(|entry| !["Approved", "Delivered"].contains(&entry.kind.as_str()));
    body(&mut export, "Ended")["reason"] = json!("Cancelled");
    for produced in export.entries.iter_mut().filter(|entry| entry.kind == "Produced") {
        produced.body["paths"] = json!(["shop/slug.py"]);
    }
    let policy = &mut body(&mut export, "Admitted")["policy"];
    policy["approvals"] =
        json!([{"origin": "code-changes", "when": "PathsChanged", "count": 1, "paths": ["deploy/**"]}]);
    let s = approvals(&export, json!([]));
    assert_eq!((s.reach, s.waits.after), (Reach::Same, Some(0)), "{}", s.because);
}

#[test]
fn what_the_record_cannot_say_of_other_deadlines_budgets_and_forecasts_is_unknown() {
    let mut policy = json!({"review": adr_review()});
    assert_eq!(under(&adr(), "documents", &policy).reach, Reach::Same);
    policy["escalation"] = json!({"deadlineSeconds": 600});
    let s = under(&adr(), "documents", &policy);
    assert_eq!(s.reach, Reach::Unknown, "a person was asked: {}", s.because);
    assert_eq!(with("/escalation", json!({"deadlineSeconds": 600})).reach, Reach::Same, "nobody was asked");
    assert_eq!(with("/forecast", json!({"onExceeds": "Wait"})).reach, Reach::Unknown);
    let mut unpaid = slugify();
    body(&mut unpaid, "Admitted")["policy"]["requireBudget"]["value"] = json!(false);
    assert_eq!(under(&unpaid, "code-changes", &code_changes()).reach, Reach::Unknown);
}

#[test]
fn a_review_that_nobody_decided_is_not_decided_by_other_rules() {
    let mut export = slugify();
    export.entries.retain(|entry| !["Reviewed", "Approved"].contains(&entry.kind.as_str()));
    assert_eq!(under(&export, "code-changes", &code_changes()).reach, Reach::Same);
    let mut rejecting = code_changes();
    rejecting["review"]["onTimeout"] = json!("Reject");
    assert_eq!(under(&export, "code-changes", &rejecting).reach, Reach::Unknown);
}
