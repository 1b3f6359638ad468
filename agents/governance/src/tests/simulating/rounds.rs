//! Reviews: rounds, the additional reviewer, and the time they had.

use super::{adr, adr_review, after, body, code_changes, slugify, under, with};
use crate::simulate::Reach;
use golden_record::Export;
use serde_json::{Value, json};

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
fn rounds_and_independence_are_judged_as_far_as_the_record_goes() {
    let s = with("/review/rounds", json!({"max": 2}));
    assert_eq!((after(&s).0, s.reach), ("Unknown", Reach::Unknown));
    assert!(
        s.because.contains("another round, after 1"),
        "the architect's evidence was verified: {}",
        s.because
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
fn a_review_that_nobody_decided_is_not_decided_by_other_rules() {
    let mut export = slugify();
    export.entries.retain(|entry| !["Reviewed", "Approved"].contains(&entry.kind.as_str()));
    assert_eq!(under(&export, "code-changes", &code_changes()).reach, Reach::Same);
    let mut rejecting = code_changes();
    rejecting["review"]["onTimeout"] = json!("Reject");
    assert_eq!(under(&export, "code-changes", &rejecting).reach, Reach::Unknown);
}

/// `adr-queue` reviewed in these rounds: what each came to, and what was said in it, a letter of the verdict for each of
/// `VOTERS`, or a dash for nothing. Rejections are verified. Every round costs 1000, and so do the result and its end.
fn reviewed_in(rules: &Value, rounds: &[(&str, &str)]) -> Export {
    const VOTERS: [&str; 5] = ["security", "reviewer", "architect", "tester", "arbiter"];
    let mut export = adr();
    let review = &mut body(&mut export, "Admitted")["policy"]["review"]["value"];
    review.as_object_mut().unwrap().extend(rules.as_object().unwrap().clone());
    let asked = export.entries.iter().position(|entry| entry.kind == "ReviewRequested").unwrap();
    let (request, answer) = (export.entries.remove(asked), export.entries.remove(asked));
    let cast = answer.body["ballots"][0].clone();
    for (i, (kind, said)) in rounds.iter().enumerate() {
        let (mut request, mut answer) = (request.clone(), answer.clone());
        let beside = (i > 0 && said.len() == VOTERS.len()).then_some(i);
        let hears = (i > 0 && beside.is_none()).then_some(i);
        request.body = json!({"attempt": 1, "round": i + 1, "hears": hears, "beside": beside});
        let ballots = VOTERS.iter().zip(said.chars()).filter(|(_, verdict)| *verdict != '-');
        let ballots = ballots.map(|(voter, verdict)| {
            let mut cast = cast.clone();
            cast["ballot"]["voter"] = json!(voter);
            cast["ballot"]["role"] = json!(voter);
            cast["ballot"]["verdict"] = json!(if verdict == 'R' { "Reject" } else { "Approve" });
            cast
        });
        answer.body["ballots"] = ballots.collect();
        answer.body["decision"] = json!(kind);
        answer.body["tookSeconds"] = json!(10 * (i + 1));
        answer.body["usage"]["costMicroUSD"] = json!(1000 * (i + 2));
        export.entries.splice(asked + 2 * i..asked + 2 * i, [request, answer]);
    }
    export.entries.retain(|entry| !["EscalationRaised", "DecisionTaken"].contains(&entry.kind.as_str()));
    body(&mut export, "Produced")["usage"]["costMicroUSD"] = json!(1000);
    body(&mut export, "Ended")["usage"]["costMicroUSD"] = json!(1000 * (rounds.len() + 2));
    export
}

/// As if the result had been sent back, and the task were over then.
fn sent_back(mut export: Export) -> Export {
    body(&mut export, "Approved")["attempt"] = json!(1);
    let end = export.entries.iter_mut().find(|entry| entry.kind == "Approved").unwrap();
    end.kind = "AttemptRejected".into();
    body(&mut export, "Ended")["reason"] = json!("Cancelled");
    export
}

/// Its review as the record's rules are, with these ones changed.
fn ruled(rules: &Value, changed: &Value) -> Value {
    let mut review = adr_review();
    for rules in [rules, changed] {
        review.as_object_mut().unwrap().extend(rules.as_object().unwrap().clone());
    }
    json!({"review": review})
}

#[test]
fn a_round_that_would_not_have_been_held_decides_nothing_and_costs_nothing() {
    let two = json!({"rounds": {"max": 2}});
    let export = sent_back(reviewed_in(&two, &[("Approved", "AAAR"), ("ChangesRequested", "ARRR")]));
    let under = |changed| under(&export, "documents", &ruled(&two, &changed));
    let s = under(json!({}));
    assert_eq!(
        (after(&s), s.reach),
        (("ChangesRequested", Some(0), Some(4000)), Reach::Same),
        "{}",
        s.because
    );
    // All of them must approve: the first round sends it back, over one objection and not three.
    let s = under(json!({"approvePercent": 100}));
    assert_eq!(
        (after(&s), s.reach),
        (("ChangesRequested", Some(0), Some(2000)), Reach::Diverges),
        "{}",
        s.because
    );
    assert!(s.because.starts_with("attempt 1: ChangesRequested after 1 of its 2 rounds, "), "{}", s.because);
    let s = under(json!({"rounds": {"max": 1}}));
    assert_eq!((after(&s), s.reach), (("Approved", Some(0), Some(2000)), Reach::Accepted), "{}", s.because);
    let s = under(json!({"rounds": {"max": 3}}));
    assert_eq!(
        (after(&s), s.reach),
        (("ChangesRequested", Some(0), Some(4000)), Reach::Same),
        "none follows on a no"
    );
}

#[test]
fn a_guard_that_would_have_failed_comes_before_all_rounds() {
    let mut export = slugify();
    let guard = &mut body(&mut export, "Admitted")["policy"]["guards"][0];
    guard["quarantine"] = json!({"value": "it fails at random", "origin": "code-changes"});
    export.entries.retain(|entry| entry.body["attempt"] != 1);
    let judged = export.entries.iter_mut().find(|entry| entry.kind == "GuardJudged").unwrap();
    judged.body["verdict"] = json!("Failed");
    body(&mut export, "Produced")["usage"]["costMicroUSD"] = json!(700);
    let s = under(&export, "code-changes", &code_changes());
    assert_eq!((after(&s), s.reach), (("GuardFailed", Some(0), Some(700)), Reach::Diverges), "{}", s.because);
}

#[test]
fn a_later_round_answers_the_objections_that_were_heard_and_no_others() {
    let two = json!({"rounds": {"max": 2}});
    let export = reviewed_in(&two, &[("Approved", "AAAR"), ("Approved", "AAAR")]);
    let of = |roles: &[&str]| {
        let voters: Vec<Value> = roles.iter().map(|role| json!({"role": role})).collect();
        under(&export, "documents", &ruled(&two, &json!({"voters": voters})))
    };
    assert_eq!(of(&["security", "reviewer", "architect", "tester"]).reach, Reach::Same);
    let s = of(&["security", "reviewer", "tester"]);
    assert_eq!((after(&s), s.reach), (("Approved", Some(0), None), Reach::Same), "who objected is there");
    let s = of(&["security", "reviewer", "architect", "tester", "legal"]);
    assert_eq!(s.reach, Reach::Unknown);
    assert_eq!(
        s.because,
        "attempt 1: another round, after 1, would have heard legal, whose ballots nobody gave"
    );
    let heavy = json!({"rounds": {"max": 2}, "voters": [
        {"role": "security", "weight": 5}, {"role": "reviewer"}, {"role": "architect"}, {"role": "tester"}]});
    let export = reviewed_in(&heavy, &[("Approved", "AARR"), ("ChangesRequested", "RARR")]);
    let fewer = json!([{"role": "security", "weight": 5}, {"role": "reviewer"}, {"role": "tester"}]);
    let s = under(&export, "documents", &ruled(&heavy, &json!({"voters": fewer})));
    assert_eq!(s.because, "attempt 1: another round, after 1, would have heard other objections");
}

#[test]
fn an_additional_reviewer_who_would_not_have_been_asked_costs_nothing() {
    let arbiter = json!({"additionalReviewer": {"role": "arbiter"}});
    let export = reviewed_in(&arbiter, &[("Tie", "AARR"), ("Approved", "AARRA")]);
    let under = |changed| under(&export, "documents", &ruled(&arbiter, &changed));
    let s = under(json!({}));
    assert_eq!((after(&s), s.reach), (("Approved", Some(0), Some(4000)), Reach::Same), "{}", s.because);
    let s = under(json!({"onTie": "Reject"}));
    assert_eq!((after(&s), s.reach), (("Tie", Some(0), Some(2000)), Reach::Diverges), "{}", s.because);
    let s = under(json!({"additionalReviewer": null}));
    assert_eq!((after(&s), s.reach), (("Tie", Some(1), Some(2000)), Reach::Diverges), "{}", s.because);
    let s = under(json!({"rounds": {"max": 2}}));
    assert!(s.because.contains("another round, after 1"), "it comes before the arbiter: {}", s.because);
}

#[test]
fn a_round_that_nobody_decided_follows_on_one_that_was() {
    let two = json!({"rounds": {"max": 2}});
    let mut export = reviewed_in(&two, &[("Approved", "AAAR"), ("Approved", "AAAR")]);
    let last = export.entries.iter().rposition(|entry| entry.kind == "Reviewed").unwrap();
    export.entries.remove(last);
    let s = under(&export, "documents", &ruled(&two, &json!({})));
    assert_eq!(s.reach, Reach::Same, "{}", s.because);
    let s = under(&export, "documents", &ruled(&two, &json!({"rounds": {"max": 1}})));
    assert_eq!((after(&s), s.reach), (("Approved", Some(0), Some(2000)), Reach::Accepted), "{}", s.because);
    let s = under(&export, "documents", &ruled(&two, &json!({"onTimeout": "Reject"})));
    assert_eq!(s.because, "attempt 1: its review was never decided");
    // The record's rules have no second round.
    let one = reviewed_in(&json!({}), &[("Approved", "AAAR"), ("Approved", "AAAR")]);
    let s = under(&one, "documents", &ruled(&json!({}), &json!({})));
    assert!(s.because.contains("the record says Approved, then Approved, and its own"), "{}", s.because);
}

#[test]
fn each_round_has_its_own_time_and_who_was_silent_in_a_later_one_might_have_used_more() {
    let two = json!({"rounds": {"max": 2}});
    let mut export = reviewed_in(&two, &[("Approved", "AAAR"), ("Approved", "AAAR")]);
    let time = |export: &Export, seconds| {
        under(export, "documents", &ruled(&two, &json!({"timeoutSeconds": seconds}))).reach
    };
    assert_eq!(
        (time(&export, 20), time(&export, 19), time(&export, 300)),
        (Reach::Same, Reach::Unknown, Reach::Same)
    );
    let last = export.entries.iter().rposition(|entry| entry.kind == "Reviewed").unwrap();
    export.entries[last].body["tookSeconds"] = json!(120);
    assert_eq!((time(&export, 120), time(&export, 300)), (Reach::Same, Reach::Unknown));
}

#[test]
fn an_additional_reviewer_nobody_asked_was_not_silent() {
    let arbiter = json!({"additionalReviewer": {"role": "arbiter"}});
    let export = reviewed_in(&arbiter, &[("Approved", "AAAR")]);
    let with = |voter: Value| {
        let mut voters = adr_review()["voters"].clone();
        voters.as_array_mut().unwrap().push(voter);
        let changed = json!({"voters": voters, "additionalReviewer": null});
        under(&export, "documents", &ruled(&arbiter, &changed))
    };
    for voter in [json!({"role": "arbiter", "veto": true}), json!({"role": "arbiter", "weight": 5})] {
        let s = with(voter);
        assert_eq!((after(&s), s.reach), (("Unknown", None, None), Reach::Unknown));
        assert_eq!(s.because, "attempt 1: it depends on ballots by arbiter, which nobody gave");
    }
    let s = with(json!({"role": "arbiter"}));
    assert_eq!(
        (after(&s), s.reach),
        (("Approved", Some(0), None), Reach::Same),
        "three of five approve: {}",
        s.because
    );
}

#[test]
fn a_voter_nobody_asked_might_have_told_the_next_attempt_more() {
    let export = sent_back(reviewed_in(&json!({}), &[("ChangesRequested", "ARRR")]));
    let mut voters = adr_review()["voters"].clone();
    voters.as_array_mut().unwrap().push(json!({"role": "legal"}));
    let s = under(&export, "documents", &ruled(&json!({}), &json!({"voters": voters})));
    assert_eq!((after(&s).0, s.reach), ("ChangesRequested", Reach::Diverges), "{}", s.because);
}
