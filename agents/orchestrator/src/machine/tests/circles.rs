use super::support::{Run, Setup, digest};
use crate::machine::{Event, OutcomeKind, Stage};
use golden_crds::conditions::agent_task as reasons;
use serde_json::{Value, json};

fn setup() -> Setup {
    Setup::git().with("/spec/maxAttempts", 5.into())
}

/// An attempt whose change comes to `change`, and on which the unit tests fail with these words.
fn fails(run: &mut Run, tree: u32, change: &str, words: &str) {
    run.feed(&run.result_of(&digest(tree), 0, change));
    let Event::Guard(mut unit) = run.guard("unit", "Failed") else { unreachable!() };
    words.clone_into(&mut unit.excerpt);
    run.feed(&Event::Guard(unit));
    run.feed(&run.guard("lint", "Passed"));
}

/// The same, sent back by peers who point at these places.
fn rejected(run: &mut Run, tree: u32, change: &str, quotes: &[&str]) {
    run.feed(&run.result_of(&digest(tree), 0, change));
    run.pass_guards();
    let evidence =
        |quote: &&str| json!({"file": "slug.py", "startLine": tree, "quote": quote, "verified": true});
    run.feed(&run.review_with("ChangesRequested", |decision| {
        decision["dissent"][0]["evidence"] = quotes.iter().map(evidence).collect();
        decision["dissent"][0]["rationale"] = json!(format!("in other words, {tree}"));
    }));
}

fn raised(run: &Run) -> Value {
    run.record.iter().rfind(|e| e.kind == "EscalationRaised").unwrap().body.clone()
}

#[test]
fn the_same_failure_of_the_same_change_is_for_a_person_and_not_for_another_attempt() {
    let mut run = Run::producing(&setup());
    fails(&mut run, 1, "c1", "slug_test.go:12: want a-b\nFAIL shop 0.02s");
    fails(&mut run, 2, "c1", "slug_test.go:14: want a-b\nFAIL shop 0.31s");
    assert_eq!(run.state.stage, Stage::Escalated);
    let question = run.view().escalation.unwrap();
    assert!(question.evidence[0].starts_with("guard unit: "), "{:?}", question.evidence);
    assert_eq!(
        (question.reason.as_str(), question.options),
        (reasons::STUCK, vec!["Reject".into(), "Retry".into()])
    );
    let told = run.message("Approved");
    let what = "guard unit failed on attempt 2, as on attempt 1 with the same change but for white space and comments, 2 \
                times now: the agents go in circles";
    assert!(told.starts_with(what), "{told}");
    let evidence = &raised(&run)["evidence"]["evidence"];
    assert_eq!((&evidence["times"], &evidence["attempts"][0]["tree"]), (&json!(2), &json!(digest(1))));
    assert_eq!(evidence["attempts"][0]["failure"], evidence["attempts"][1]["failure"]);
    assert!(evidence["failure"]["failedGuards"][0]["excerpt"].as_str().unwrap().contains("want a-b"));
}

#[test]
fn how_often_it_came_back_is_counted_over_answers_and_over_what_came_between() {
    let mut run = Run::producing(&setup());
    fails(&mut run, 1, "c1", "want a-b");
    fails(&mut run, 2, "c2", "does not compile");
    assert_eq!(run.state.stage, Stage::Producing, "another change with another failure");
    fails(&mut run, 3, "c1", "want a-b");
    assert_eq!(run.state.stage, Stage::Escalated, "back where it was");
    run.feed(&run.decision(1, "bob", "Option", Some("Retry"))).feed(&Event::SlotGranted);
    fails(&mut run, 4, "c1", "want a-b");
    let told = run.message("Approved");
    assert!(
        told.contains("failed on attempt 4, as on attempts 1, 3 with") && told.contains("3 times now"),
        "{told}"
    );
    run.feed(&run.decision(2, "bob", "Option", Some("Retry"))).feed(&Event::SlotGranted);
    fails(&mut run, 5, "c1", "want a-b");
    assert_eq!(
        run.outcome(),
        Some((OutcomeKind::Failed, reasons::ATTEMPTS_EXHAUSTED)),
        "nothing is left to save"
    );
}

#[test]
fn progress_of_any_kind_is_no_circle() {
    let steps: [(&str, &str, &str); 4] = [
        ("c1", "2 failed, 1 passed in 0.03s", "the first"),
        ("c1", "1 failed, 2 passed in 0.03s", "a comment was what one of the tests asked for"),
        ("c2", "1 failed, 2 passed in 0.03s", "another try that fails in the same words"),
        ("c3", "1 failed, 2 passed in 0.03s", "and another"),
    ];
    let mut run = Run::producing(&setup());
    for (n, (change, words, why)) in (1..).zip(steps) {
        fails(&mut run, n, change, words);
        assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, n + 1), "{why}");
    }
    // One guard more that fails is another failure.
    let mut run = Run::producing(&setup());
    fails(&mut run, 1, "c1", "want a-b");
    run.feed(&run.result_of(&digest(2), 0, "c1"));
    let Event::Guard(mut unit) = run.guard("unit", "Failed") else { unreachable!() };
    "want a-b".clone_into(&mut unit.excerpt);
    run.feed(&Event::Guard(unit));
    run.feed(&run.guard("lint", "Failed"));
    assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, 3));
}

#[test]
fn a_guard_in_quarantine_makes_no_failure_the_same_or_another() {
    let unit = json!({"name": "unit", "image": "i", "command": ["pytest"]});
    let aside = json!([{"name": "unit", "reason": "its database is broken"}]);
    let mut run =
        Run::producing(&setup().with("/policy/guards", json!({"required": [unit], "quarantined": aside})));
    for (tree, unit) in [(1, "Failed"), (2, "Passed")] {
        run.feed(&run.result_of(&digest(tree), 0, "c1"));
        run.feed(&run.guard("unit", unit));
        run.feed(&run.guard("lint", "Failed"));
    }
    assert_eq!(run.state.stage, Stage::Escalated);
    assert!(run.message("Approved").starts_with("guard lint failed"), "{}", run.message("Approved"));
}

#[test]
fn peers_who_point_at_the_same_places_again_send_it_to_a_person() {
    let mut run = Run::producing(&setup());
    rejected(&mut run, 1, "c1", &["x = 1", "y = 2"]);
    rejected(&mut run, 2, "c1", &["y  = 2", "x = 1"]);
    assert_eq!(run.state.stage, Stage::Escalated);
    let question = run.view().escalation.unwrap();
    assert_eq!((question.reason.as_str(), question.options.len()), (reasons::STUCK, 3), "it may be accepted");
    let told = run.message("Approved");
    assert!(
        told.starts_with(
            "peers did not accept the result of attempt 2, as on attempt 1 with the same change"
        ),
        "{told}"
    );
    assert_eq!(raised(&run)["evidence"]["evidence"]["failure"]["dissent"][0]["role"], "architect");
}

#[test]
fn peers_who_point_elsewhere_or_at_nothing_or_at_another_change_send_it_back() {
    let cases: [(&str, &[&str], &str, &[&str]); 3] = [
        ("c1", &["x = 1", "y = 2"], "c1", &["y = 2"]),
        ("c1", &[], "c1", &[]),
        ("c1", &["x = 1"], "c2", &["x = 1"]),
    ];
    for (change, quotes, next, again) in cases {
        let mut run = Run::producing(&setup());
        rejected(&mut run, 1, change, quotes);
        rejected(&mut run, 2, next, again);
        assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, 3), "{quotes:?} {again:?}");
    }
}

#[test]
fn what_peers_did_not_accept_is_not_put_to_them_again_because_a_person_asked_for_another_attempt() {
    for verdict in ["Tie", "Vetoed", "VetoUnverified"] {
        let mut run = Run::producing(&setup());
        let judged = |run: &mut Run, tree: u32| {
            run.feed(&run.result_of(&digest(tree), 0, &format!("c{tree}")));
            run.pass_guards();
        };
        judged(&mut run, 1);
        run.feed(&run.review(verdict));
        run.feed(&run.decision(1, "bob", "Option", Some("Retry"))).feed(&Event::SlotGranted);
        assert_eq!(run.state.attempt, 2, "{verdict}");
        judged(&mut run, 1);
        assert_eq!(run.state.stage, Stage::Escalated, "{verdict}: it is for a person again");
        assert_eq!(run.view().escalation.unwrap().reason, reasons::STUCK);
        run.feed(&run.decision(2, "bob", "Option", Some("Retry"))).feed(&Event::SlotGranted);
        judged(&mut run, 3);
        assert_eq!(run.state.stage, Stage::Reviewing, "{verdict}: another result is judged");
    }
}

#[test]
fn a_result_that_failed_its_guards_is_not_tried_until_it_passes_but_for_a_person_who_asks() {
    let mut run = Run::producing(&setup());
    fails(&mut run, 1, "c1", "want a-b");
    run.feed(&run.result_of(&digest(1), 0, "c1"));
    assert_eq!(run.state.stage, Stage::Escalated, "the guards of the very same result do not run again");
    let told = run.message("Approved");
    let what =
        "the result of attempt 2 did not pass its guards, as on attempt 1 with the same result, 2 times now";
    assert!(told.starts_with(what), "{told}");
    assert_eq!(run.view().escalation.unwrap().options, ["Reject", "Retry"], "it cannot be accepted");

    run.feed(&run.decision(1, "bob", "Option", Some("Retry"))).feed(&Event::SlotGranted);
    run.feed(&run.result_of(&digest(1), 0, "c1"));
    assert_eq!(run.state.stage, Stage::Guarding, "bob mended what they need, and asked for another look");
    run.pass_guards();
    assert_eq!(run.state.stage, Stage::Reviewing);
}

#[test]
fn the_last_attempt_that_leaves_what_failed_before_ends_the_task() {
    let mut run = Run::producing(&Setup::git().with("/spec/maxAttempts", 2.into()));
    fails(&mut run, 1, "c1", "want a-b");
    run.feed(&run.result_of(&digest(1), 0, "c1"));
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::ATTEMPTS_EXHAUSTED)));
    assert!(run.message("Failed").contains("it is the one of attempt 1"), "{}", run.message("Failed"));
}

#[test]
fn a_policy_may_allow_fewer_attempts_than_the_task_asks_for() {
    let mut run = Run::producing(&setup().with("/policy/autoFix", json!({"maxAttempts": 1})));
    fails(&mut run, 1, "c1", "want a-b");
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::ATTEMPTS_EXHAUSTED)));
    let told = run.message("Failed");
    assert!(told.starts_with("1 attempt was judged, as many as policy house allows, and none"), "{told}");
}
