//! How many attempts a task has, and what is asked on the last one.

use super::{adr, adr_review, after, body, code_changes, slugify, under, with};
use crate::simulate::{Reach, Simulation};
use golden_record::{Entry, Export};
use serde_json::{Value, json};

#[test]
fn fewer_attempts_end_a_task_before_it_was_accepted() {
    let s = with("/autoFix", json!({"maxAttempts": 1}));
    assert_eq!((s.reach, s.decision.after.as_str()), (Reach::Diverges, "GuardFailed"));
    assert_eq!(s.because, "policy code-changes allows no attempt 2: the task fails before it");
    assert!(s.cost.after.unwrap() > 0 && s.cost.after < s.cost.before);
    assert_eq!(with("/autoFix", json!({"maxAttempts": 2})).reach, Reach::Same);
}

/// `adr-queue` under its own rules and another ceiling.
fn at_most(export: &Export, attempts: u32, more: &Value) -> Simulation {
    let mut review = adr_review();
    review.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    under(export, "documents", &json!({"review": review, "autoFix": {"maxAttempts": attempts}}))
}

fn place(export: &Export, kind: &str) -> usize {
    export.entries.iter().position(|entry| entry.kind == kind).unwrap()
}

/// The entry that sends an attempt back.
fn rejected(export: &Export, attempt: u32) -> Entry {
    let mut entry = export.entries[place(export, "Reviewed")].clone();
    entry.kind = "AttemptRejected".into();
    entry.body = json!({"attempt": attempt, "reason": "ReviewTied"});
    entry
}

/// `adr-queue` if ties were sent back: so was the first attempt, and about the second, alike, a person was asked.
fn in_circles() -> Export {
    let mut export = adr();
    body(&mut export, "Admitted")["policy"]["review"]["value"]["onTie"] = json!("Reject");
    body(&mut export, "EscalationRaised")["reason"] = json!("Stuck");
    let (from, to) = (place(&export, "Produced"), place(&export, "EscalationRaised"));
    let mut first = export.entries[from..to].to_vec();
    first.push(rejected(&export, 1));
    export.entries[from..].iter_mut().for_each(|entry| entry.body["attempt"] = json!(2));
    export.entries.splice(from..from, first);
    export
}

/// `adr-queue` if the person had asked for another attempt, and the task were over before there was one.
fn tried_again() -> Export {
    let mut export = adr();
    *body(&mut export, "DecisionTaken") =
        json!({"by": "bob@example", "verdict": "Option", "option": "Retry", "refused": null});
    let end = place(&export, "Approved");
    export.entries[end] = rejected(&export, 1);
    body(&mut export, "Ended")["reason"] = json!("Cancelled");
    export
}

#[test]
fn nobody_is_asked_about_circles_on_the_last_attempt() {
    let export = in_circles();
    let back = || json!({"onTie": "Reject"});
    let s = at_most(&export, 3, &back());
    assert_eq!((after(&s).0, s.waits.after, s.reach), ("Tie", Some(1), Reach::Same), "{}", s.because);
    let s = at_most(&export, 2, &back());
    assert_eq!((after(&s).0, s.waits.after, s.reach), ("Tie", Some(0), Reach::Diverges), "{}", s.because);
    assert_eq!(
        s.because,
        "policy documents allows no attempt 3: nobody is asked about going in circles, and the task fails"
    );
    let s = at_most(&export, 1, &back());
    assert_eq!(s.because, "policy documents allows no attempt 2: the task fails before it");
}

#[test]
fn another_attempt_is_no_answer_on_the_last_one_and_the_others_stand() {
    let s = at_most(&tried_again(), 1, &json!({}));
    assert_eq!((after(&s).0, s.waits.after, s.reach), ("Tie", Some(1), Reach::Diverges), "{}", s.because);
    assert!(s.because.contains("what is answered instead is not known"), "{}", s.because);
    assert_eq!(at_most(&tried_again(), 2, &json!({})).reach, Reach::Same);
    let s = at_most(&adr(), 1, &json!({}));
    assert_eq!((s.waits.after, s.reach), (Some(1), Reach::Same), "it was accepted: {}", s.because);
}

#[test]
fn where_another_attempt_could_have_been_asked_for_the_answer_is_unknown() {
    let mut export = adr();
    let admitted = body(&mut export, "Admitted");
    admitted["maxAttempts"] = json!(1);
    // The task itself asked for one.
    assert_eq!(at_most(&export, 3, &json!({})).reach, Reach::Same);
    body(&mut export, "Admitted")["policy"]["maxAttempts"] = json!({"value": 1, "origin": "documents"});
    assert_eq!(at_most(&export, 1, &json!({})).reach, Reach::Same);
    let s = at_most(&export, 3, &json!({}));
    assert_eq!(s.because, "attempt 1: another attempt could have been asked for instead");
    body(&mut export, "Admitted").as_object_mut().unwrap().remove("maxAttempts");
    assert_eq!(at_most(&export, 3, &json!({})).reach, Reach::Unknown);
    assert_eq!(at_most(&export, 1, &json!({})).reach, Reach::Same);
}

#[test]
fn an_attempt_sent_back_may_be_the_last_though_the_next_one_made_nothing() {
    let mut export = in_circles();
    let second = export.entries.iter().position(|entry| entry.body["attempt"] == 2).unwrap();
    export.entries.drain(second..export.entries.len() - 1);
    let ended = export.entries.last_mut().unwrap();
    ended.kind = "Ended".into();
    ended.body = json!({"reason": "Cancelled", "usage": {"costMicroUSD": 99_999}});
    let s = at_most(&export, 1, &json!({"onTie": "Reject"}));
    assert_eq!(s.because, "policy documents allows no attempt 2: the task fails before it");
    assert!(s.cost.after < Some(99_999));
    assert_eq!(after(&at_most(&export, 2, &json!({"onTie": "Reject"}))), ("Tie", Some(0), Some(99_999)));
    // It had no other one by its policy, and the task might have asked for more.
    body(&mut export, "Ended")["reason"] = json!("AttemptsExhausted");
    body(&mut export, "Admitted")["maxAttempts"] = json!(1);
    assert_eq!(at_most(&export, 2, &json!({"onTie": "Reject"})).reach, Reach::Same, "it asked for one");
    body(&mut export, "Admitted")["policy"]["maxAttempts"] = json!({"value": 1, "origin": "documents"});
    let s = at_most(&export, 2, &json!({"onTie": "Reject"}));
    assert_eq!(s.because, "attempt 1: the policy allows another one, if the task does");
}

#[test]
fn an_attempt_refused_before_it_was_judged_may_be_the_last() {
    let mut export = slugify();
    body(&mut export, "Produced")["refused"] =
        json!({"reason": "AgentFailed", "message": "it left no result"});
    let mut policy = code_changes();
    policy["autoFix"] = json!({"maxAttempts": 1});
    let s = under(&export, "code-changes", &policy);
    assert_eq!((after(&s).0, s.reach), ("AgentFailed", Reach::Diverges), "{}", s.because);
}
