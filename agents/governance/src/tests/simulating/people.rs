//! Whom a task waits for, and how many attempts it has.

use super::{adr, adr_review, after, body, code_changes, slugify, under, with};
use crate::simulate::{Reach, Simulation};
use golden_record::Export;
use serde_json::{Value, json};

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
