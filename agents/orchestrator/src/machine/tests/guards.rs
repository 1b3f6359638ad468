use super::support::{Run, Setup, digest};
use crate::machine::{Event, OutcomeKind, Stage};
use golden_crds::conditions::agent_task as reasons;
use golden_platform::wire::{GuardRequest, Message};
use serde_json::json;

fn requests(run: &Run) -> Vec<GuardRequest> {
    let asked = run.messages().into_iter().filter_map(|m| match m {
        Message::GuardRequested(request) => Some((**request).clone()),
        _ => None,
    });
    asked.collect()
}

#[test]
fn every_guard_runs_at_once_on_the_tree_it_may_trust() {
    let run = Run::guarding(&Setup::git());
    let asked = requests(&run);
    let names: Vec<(&str, &str)> = asked.iter().map(|r| (r.run_name.as_str(), r.tree.as_str())).collect();
    let restored = format!("{}-restored", digest(1));
    assert_eq!(
        names,
        [
            ("fix-slugify-00000000-a1-t1-lint", digest(1).as_str()),
            ("fix-slugify-00000000-a1-t1-unit", restored.as_str()),
        ]
    );
    assert!(asked.iter().all(|r| r.required && r.runtime_class_name == "gvisor"));
}

#[test]
fn only_a_guard_that_compares_is_given_the_base() {
    let builtin = json!({"required": [{"name": "secrets", "builtin": {"secrets": {}}}]});
    let run = Run::guarding(&Setup::git().with("/policy/guards", builtin));
    let base = run.state.base.as_ref().unwrap().tree.clone();
    let asked = requests(&run);
    let given: Vec<(&str, &str, Option<&str>)> =
        asked.iter().map(|r| (r.guard.name.as_str(), r.tree.as_str(), r.base.as_deref())).collect();
    let tree = digest(1);
    assert_eq!(given, [("lint", tree.as_str(), None), ("secrets", tree.as_str(), Some(base.as_str()))]);
}

#[test]
fn a_failed_guard_sends_the_work_back_with_its_evidence() {
    let mut run = Run::guarding(&Setup::git());
    run.feed(&run.guard("unit", "Failed"));
    assert_eq!(run.state.stage, Stage::Guarding, "the other guard's evidence is waited for");
    assert_eq!(run.condition("GuardsPassed"), "False/GuardFailed");
    run.feed(&run.guard("lint", "Passed"));
    assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, 2));
    assert!(run.state.feedback.contains("unit says Failed"), "{}", run.state.feedback);
    assert!(!run.state.feedback.contains("lint says"));
    assert_eq!(run.state.start, Some(digest(1)));
    assert_eq!(run.condition("Reconciling"), "True/Repairing");
    assert!(run.view().result.is_none(), "no digest is shown that could be approved");
}

#[test]
fn the_last_failed_attempt_shows_which_guard_failed() {
    let mut run = Run::guarding(&Setup::git().with("/spec/maxAttempts", 1.into()));
    run.feed(&run.guard("unit", "Failed"));
    run.feed(&run.guard("lint", "Passed"));
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::ATTEMPTS_EXHAUSTED)));
    assert_eq!(run.condition("GuardsPassed"), "False/GuardFailed");
    assert!(run.message("Failed").contains("unit"));
    let unit = run.view().guards.into_iter().find(|g| g.name == "unit").unwrap();
    assert_eq!(
        (unit.verdict.as_str(), unit.sandbox_run.as_deref()),
        ("Failed", Some("fix-slugify-00000000-a1-t1-unit"))
    );
}

#[test]
fn a_run_that_could_not_be_made_is_made_again_and_never_passes() {
    let mut run = Run::guarding(&Setup::git());
    run.feed(&run.guard("lint", "Passed"));
    for n in 1..=4 {
        run.feed(&run.guard("unit", "Inconclusive"));
        assert_eq!(run.state.stage, Stage::Guarding);
        run.later(400);
        assert_eq!(run.state.guards["unit"].runs, n + 1);
        assert_eq!(
            requests(&run).last().unwrap().run_name,
            format!("fix-slugify-00000000-a1-t1-unit-r{}", n + 1)
        );
    }
    assert_eq!(run.condition("GuardsPassed"), "Unknown/IsolationUnavailable");
    assert_eq!(run.condition("Stalled"), "True/IsolationUnavailable");
    let told = run.message("Stalled");
    assert!(told.ends_with("could not be judged: IsolationUnavailable: unit says Inconclusive"), "{told}");
    run.feed(&run.guard("unit", "Passed"));
    assert_eq!(run.state.stage, Stage::Reviewing, "it recovers by itself once isolation is there");
    assert!(run.condition("Stalled").is_empty());
}

#[test]
fn a_passing_trouble_does_not_stall_the_task() {
    let mut run = Run::guarding(&Setup::git());
    run.feed(&run.guard("unit", "Inconclusive"));
    assert!(run.condition("Stalled").is_empty());
    assert_eq!(run.condition("GuardsPassed"), "Unknown/GuardsRunning");
}

#[test]
fn one_failure_decides_even_if_another_guard_cannot_run() {
    let mut run = Run::guarding(&Setup::git());
    run.feed(&run.guard("unit", "Inconclusive"));
    run.feed(&run.guard("lint", "Failed"));
    assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, 2));
}

#[test]
fn a_verdict_on_another_tree_or_attempt_counts_for_nothing() {
    let mut run = Run::guarding(&Setup::git());
    let Event::Guard(mut other) = run.guard("unit", "Passed") else { unreachable!() };
    other.tree = digest(99);
    run.feed(&Event::Guard(other.clone()));
    assert!(run.ignored() && run.state.guards["unit"].outcome.is_none());
    other.tree = format!("{}-restored", digest(1));
    other.attempt = 2;
    run.feed(&Event::Guard(other));
    assert!(run.ignored() && run.state.guards["unit"].outcome.is_none());
}

#[test]
fn the_first_verdict_stands() {
    let mut run = Run::guarding(&Setup::git());
    let passed = run.guard("unit", "Passed");
    run.feed(&run.guard("unit", "Failed")).feed(&passed);
    assert!(run.ignored() && run.state.guards["unit"].failed());
}

#[test]
fn an_unanswered_request_is_given_up_and_made_again() {
    let mut run = Run::guarding(&Setup::git());
    run.feed(&run.guard("lint", "Passed"));
    run.later(120 + 900);
    assert_eq!(run.state.guards["unit"].runs, 2);
    let Event::Guard(mut late) = run.guard("unit", "Passed") else { unreachable!() };
    late.sandbox_run = "fix-slugify-00000000-a1-t1-unit".into();
    run.feed(&Event::Guard(late));
    assert_eq!(run.state.stage, Stage::Reviewing, "the first run's verdict on this tree is as good");
}

#[test]
fn the_same_failing_result_twice_goes_to_a_person() {
    let mut run = Run::guarding(&Setup::git());
    run.feed(&run.guard("unit", "Failed"));
    run.feed(&run.guard("lint", "Passed"));
    run.feed(&run.result(&digest(1), 0));
    assert_eq!(run.state.stage, Stage::Escalated);
    let asked = run.view().escalation.unwrap();
    assert_eq!(
        (asked.reason.as_str(), asked.options.as_slice()),
        ("Stuck", &["Reject".to_owned(), "Retry".to_owned()][..])
    );
    run.feed(&run.decision(1, "bob", "Approve", None));
    assert_eq!(run.state.stage, Stage::Escalated, "no person can outweigh a failed guard");
    assert_eq!(run.record.last().unwrap().kind, "DecisionRefused");
    run.feed(&run.decision(2, "bob", "Option", Some("Retry")));
    assert_eq!((run.state.attempt, run.state.stage), (3, Stage::Waiting));
    run.feed(&Event::SlotGranted);
    assert_eq!(run.state.stage, Stage::Producing);
    assert!(run.state.feedback.contains("since I say so"));
}

fn with_retries(retries: u32) -> Setup {
    let unit = json!({"name": "unit", "image": "i", "command": ["pytest"], "retries": retries});
    Setup::git().with("/policy/guards", json!({"required": [unit]}))
}

#[test]
fn a_guard_that_fails_and_then_passes_on_the_same_result_counts_as_passed_and_is_shown_as_flaky() {
    let mut run = Run::guarding(&with_retries(1));
    run.feed(&run.guard("lint", "Passed"));
    let failed = run.guard("unit", "Failed");
    run.feed(&failed);
    assert_eq!(
        (run.state.stage, run.condition("GuardsPassed").as_str()),
        (Stage::Guarding, "Unknown/GuardsRunning")
    );
    let again = requests(&run).pop().unwrap();
    assert_eq!((again.run_name.as_str(), again.tree), ("fix-slugify-00000000-a1-t1-unit-r2", digest(1)));
    run.feed(&failed);
    assert!(run.ignored(), "the same run fails once, however often it is told");
    run.feed(&run.guard("unit", "Passed"));
    assert_eq!(run.state.stage, Stage::Reviewing);
    assert!(run.message("GuardsPassed").contains("unit is flaky"), "{}", run.message("GuardsPassed"));
    let unit = run.view().guards.into_iter().find(|g| g.name == "unit").unwrap();
    assert_eq!(
        (unit.verdict.as_str(), unit.failed_runs),
        ("Passed", vec!["fix-slugify-00000000-a1-t1-unit".into()])
    );
    let judged: Vec<_> =
        run.record.iter().filter(|e| e.kind == "GuardJudged" && e.body["guard"] == "unit").collect();
    assert_eq!((&judged[0].body["runAgain"], &judged[1].body["flaky"]), (&json!(true), &json!(true)));
}

#[test]
fn a_guard_fails_once_its_retries_are_used_up_and_each_result_has_its_own() {
    let mut run = Run::guarding(&with_retries(2));
    run.feed(&run.guard("lint", "Passed"));
    for _ in 0..2 {
        run.feed(&run.guard("unit", "Failed"));
        assert_eq!((run.state.stage, run.state.attempt), (Stage::Guarding, 1));
    }
    run.feed(&run.guard("unit", "Failed"));
    assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, 2));
    run.feed(&run.result(&digest(2), 0));
    run.feed(&run.guard("lint", "Passed"));
    run.feed(&run.guard("unit", "Failed"));
    assert_eq!((run.state.stage, run.state.attempt), (Stage::Guarding, 2));
}

fn quarantined() -> Setup {
    let unit = json!({"name": "unit", "image": "i", "command": ["pytest"]});
    let aside = json!([{"name": "unit", "reason": "its database is broken"}]);
    Setup::git().with("/policy/guards", json!({"required": [unit], "quarantined": aside}))
}

#[test]
fn a_guard_in_quarantine_runs_and_is_shown_and_stops_nothing() {
    let mut run = Run::guarding(&quarantined());
    assert!(requests(&run).iter().any(|r| r.guard.name == "unit" && !r.required));
    run.feed(&run.guard("unit", "Failed"));
    run.feed(&run.guard("lint", "Passed"));
    assert_eq!(run.state.stage, Stage::Reviewing);
    assert_eq!(run.condition("GuardsPassed"), "True/AllGuardsPassed");
    let message = run.message("GuardsPassed");
    assert!(
        message.contains("unit failed and stops nothing, being in quarantine: its database is broken"),
        "{message}"
    );
    let unit = run.view().guards.into_iter().find(|g| g.name == "unit").unwrap();
    assert_eq!(
        (unit.verdict.as_str(), unit.quarantine.as_deref()),
        ("Failed", Some("its database is broken"))
    );
    let asked = run.review_requests()[0];
    let told = asked.guards.iter().find(|g| g.guard == "unit").unwrap();
    assert_eq!(
        (told.verdict.as_str(), told.quarantine.as_deref()),
        ("Failed", Some("its database is broken"))
    );
    run.feed(&run.review("Approved"));
    assert_eq!(run.state.stage, Stage::Delivering);
}

#[test]
fn a_guard_in_quarantine_that_cannot_run_is_no_trouble_of_the_task() {
    let mut run = Run::guarding(&quarantined());
    for _ in 0..4 {
        run.feed(&run.guard("unit", "Inconclusive"));
        run.later(300);
    }
    assert!(run.state.guards["unit"].runs > 3, "it is tried on");
    assert_eq!(run.condition("GuardsPassed"), "Unknown/GuardsRunning");
    assert_eq!(run.message("GuardsPassed"), "running: lint");
    assert!(run.view().conditions.iter().all(|c| c.r#type != "Stalled"), "{:?}", run.view().conditions);
}

#[test]
fn a_guard_in_quarantine_holds_nothing_up_and_saves_no_other_from_failing() {
    let mut run = Run::guarding(&quarantined());
    run.feed(&run.guard("unit", "Inconclusive"));
    run.feed(&run.guard("lint", "Passed"));
    assert_eq!(run.state.stage, Stage::Reviewing, "it could not run, and nobody waits for it");
    let mut run = Run::guarding(&quarantined());
    run.feed(&run.guard("lint", "Passed"));
    run.later(120 + 900);
    assert_eq!((run.state.stage, run.state.guards["unit"].runs), (Stage::Reviewing, 1), "its run was lost");
    let mut run = Run::guarding(&quarantined());
    run.feed(&run.guard("unit", "Failed"));
    run.feed(&run.guard("lint", "Failed"));
    assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, 2));
    assert!(run.state.feedback.contains("lint says") && !run.state.feedback.contains("unit says"));
}

#[test]
fn a_guard_in_quarantine_keeps_no_person_from_saying_yes() {
    let reviewed = |decision: &str| {
        let mut run = Run::guarding(&quarantined().approvals(1));
        run.feed(&run.guard("unit", "Failed"));
        run.feed(&run.guard("lint", "Passed"));
        run.feed(&run.review(decision));
        run
    };
    let mut run = reviewed("Approved");
    run.feed(&run.decision(1, "bob", "Approve", None));
    assert_eq!(run.state.stage, Stage::Delivering);
    let mut run = reviewed("Tie");
    run.feed(&run.decision(1, "bob", "Option", Some("Accept")));
    assert_ne!(run.state.stage, Stage::Escalated);
}
