use super::support::{BASE, Run, Setup, digest};
use crate::machine::{Event, OutcomeKind, Stage, Why};
use golden_crds::conditions::agent_task as reasons;
use golden_platform::wire::{Dependency, JobResult, PodPhase};
use serde_json::json;
use uuid::Uuid;

#[test]
fn the_whole_way_from_git_to_a_branch() {
    let mut run = Run::new(&Setup::git());
    assert_eq!(run.condition("Admitted"), "False/WaitingForTurn");
    run.feed(&Event::SlotGranted);
    assert_eq!(run.wanted(), ["fix-slugify-00000000-fetch-t1"]);
    run.feed(&run.fetched());
    assert_eq!(run.wanted(), ["fix-slugify-00000000-a1-t1"]);
    assert_eq!(run.condition("GuardsPassed"), "Unknown/NoResultYet");
    run.feed(&run.result(&digest(1), 0));
    assert!(run.wanted().is_empty());
    assert_eq!(run.condition("GuardsPassed"), "Unknown/GuardsRunning");
    run.pass_guards();
    assert_eq!(run.condition("GuardsPassed"), "True/AllGuardsPassed");
    assert_eq!(run.condition("ConsensusReached"), "Unknown/ReviewRunning");
    run.feed(&run.review("Approved"));
    assert_eq!(run.condition("ConsensusReached"), "True/PeersApproved");
    assert_eq!(run.condition("Approved"), "True/ApprovalNotRequired");
    assert_eq!(run.wanted(), ["fix-slugify-00000000-deliver-t1"]);
    run.feed(&run.delivered());
    assert_eq!(run.outcome(), Some((OutcomeKind::Complete, reasons::DELIVERED)));
    assert_eq!(run.condition("Complete"), "True/Delivered");
    assert!(run.wanted().is_empty());
    let result = run.view().result.unwrap();
    assert_eq!(
        (result.digest, result.branch.as_deref(), result.commit.as_deref()),
        (digest(1), Some("golden/x"), Some("beef"))
    );
    assert!(run.condition("Reconciling").is_empty() && run.condition("Stalled").is_empty());
}

#[test]
fn an_inline_task_without_delivery_needs_one_pod_only() {
    let mut run = Run::producing(&Setup::inline());
    run.feed(&run.result(&digest(1), 0));
    assert_eq!(run.state.stage, Stage::Reviewing, "no guard is required, so peers are asked at once");
    run.feed(&run.review("Approved"));
    assert_eq!(run.outcome(), Some((OutcomeKind::Complete, reasons::DELIVERED)));
    let result = run.view().result.unwrap();
    assert_eq!((result.branch, result.commit), (None, None));
}

#[test]
fn an_inline_source_that_cannot_be_stored_fails_with_its_reason() {
    let mut run = Run::new(&Setup::inline());
    run.feed(&Event::SlotGranted);
    assert!(run.wanted().is_empty(), "an inline source needs no pod");
    run.feed(&Event::InlineBase(Err(Why::new(reasons::INVALID_SPEC, "two files have one path"))));
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::INVALID_SPEC)));
}

#[test]
fn a_task_waits_for_its_dependencies_before_its_turn() {
    let mut setup = Setup::git();
    let uid = Uuid::from_u128(42);
    setup.depends_on = json!([Dependency { name: "add-fixtures".into(), uid }]);
    let mut run = Run::new(&setup);
    assert_eq!(run.condition("Admitted"), "False/DependencyPending");
    run.feed(&Event::SlotGranted);
    assert!(!run.state.slot && !run.state.wants_slot());
    run.feed(&Event::DependencyEnded { uid, outcome: "Complete".into() });
    assert!(run.state.wants_slot());
    run.feed(&Event::SlotGranted);
    assert_eq!(run.state.stage, Stage::Preparing);
}

#[test]
fn a_failed_dependency_fails_the_task() {
    let mut setup = Setup::git();
    let uid = Uuid::from_u128(42);
    setup.depends_on = json!([Dependency { name: "add-fixtures".into(), uid }]);
    let mut run = Run::new(&setup);
    run.feed(&Event::DependencyEnded { uid, outcome: "Cancelled".into() });
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::DEPENDENCY_FAILED)));
    assert!(run.message("Failed").contains("add-fixtures"));
}

#[test]
fn an_unreachable_git_server_stalls_the_task_and_is_tried_again() {
    let mut run = Run::new(&Setup::git());
    run.feed(&Event::SlotGranted);
    let failed = |reason: &str, retryable| JobResult::Failed {
        reason: reason.into(),
        message: "no route".into(),
        retryable,
    };
    run.feed(&run.job(failed("GitUnreachable", true)));
    assert_eq!(run.condition("Stalled"), "True/GitUnreachable");
    assert!(run.wanted().is_empty());
    assert!(!run.state.slot, "others may work meanwhile");
    run.later(5);
    run.feed(&Event::SlotGranted);
    assert_eq!(run.wanted(), ["fix-slugify-00000000-fetch-t2"]);
    run.feed(&run.fetched());
    assert_eq!(run.state.stage, Stage::Producing);
    assert!(run.condition("Stalled").is_empty());
}

#[test]
fn a_source_that_can_never_be_taken_fails() {
    let mut run = Run::new(&Setup::git());
    run.feed(&Event::SlotGranted);
    let failed =
        JobResult::Failed { reason: "SourceTooLarge".into(), message: "1 GiB".into(), retryable: false };
    run.feed(&run.job(failed));
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::SOURCE_TOO_LARGE)));
}

#[test]
fn a_failed_agent_costs_an_attempt_and_hands_its_words_on() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&run.result(&digest(1), 2));
    assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, 2));
    assert!(run.state.feedback.contains("did what I could") && run.state.feedback.contains("exit code 2"));
    assert_eq!(run.state.start, Some(digest(1)), "it goes on where the last one stopped");
    assert_eq!(run.wanted(), ["fix-slugify-00000000-a2-t1"]);
}

#[test]
fn a_result_without_a_change_is_not_judged_by_peers() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&run.result(BASE, 0));
    assert_eq!(run.state.attempt, 2);
    assert_eq!(run.state.last_failure.as_ref().unwrap().reason, reasons::NO_CHANGE);
}

#[test]
fn attempts_are_bounded_and_the_end_says_why() {
    let mut run = Run::producing(&Setup::git());
    for n in 1..=3 {
        run.feed(&run.result(&digest(n), 1));
    }
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::ATTEMPTS_EXHAUSTED)));
    assert!(run.message("Failed").contains("3 attempts were judged"), "{}", run.message("Failed"));
    assert_eq!(run.state.attempt, 3);
}

#[test]
fn a_result_may_come_before_or_after_its_pods_end() {
    for result_first in [true, false] {
        let mut run = Run::producing(&Setup::git());
        let (result, ended) = (run.result(&digest(1), 0), run.pod(PodPhase::Succeeded, "Completed", Some(0)));
        let (first, second) = if result_first { (result, ended) } else { (ended, result) };
        run.feed(&first).feed(&second);
        assert_eq!((run.state.stage, run.state.attempt), (Stage::Guarding, 1));
    }
}

#[test]
fn a_pod_that_leaves_no_result_is_a_failed_attempt_after_a_grace() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&run.pod(PodPhase::Failed, "OOMKilled", Some(137)));
    assert_eq!(run.state.attempt, 1, "its result may still come");
    run.later(15);
    assert_eq!(run.state.attempt, 2);
    assert_eq!(run.state.last_failure.as_ref().unwrap().reason, reasons::AGENT_OUT_OF_MEMORY);
}

#[test]
fn a_result_of_an_older_try_changes_nothing() {
    let mut run = Run::producing(&Setup::git());
    let old = run.result(&digest(1), 0);
    run.feed(&run.pod(PodPhase::Lost, "Evicted", None));
    run.later(60);
    assert_eq!(run.wanted(), ["fix-slugify-00000000-a1-t2"]);
    run.feed(&old);
    assert!(run.ignored());
    assert_eq!(run.state.stage, Stage::Producing);
}

#[test]
fn a_refused_tree_is_a_failed_attempt() {
    let mut run = Run::producing(&Setup::git());
    let Event::Attempt(mut ended) = run.result(&digest(1), 0) else { unreachable!() };
    ended.produced = Some(Err(Why::new(reasons::RESULT_REFUSED, "it holds a device")));
    run.feed(&Event::Attempt(ended));
    assert_eq!(run.state.attempt, 2);
    assert_eq!(run.state.start.as_deref(), Some(BASE), "it starts again from what is sound");
}

#[test]
fn what_a_person_can_mend_is_looked_at_again() {
    for reason in ["GitDenied", "GitRefNotFound", "SecretNotFound"] {
        let mut run = Run::new(&Setup::git());
        run.feed(&Event::SlotGranted);
        let failed = JobResult::Failed { reason: reason.into(), message: "403".into(), retryable: false };
        run.feed(&run.job(failed));
        assert_eq!(run.condition("Stalled"), format!("True/{reason}"));
        run.later(29);
        assert!(run.wanted().is_empty());
        run.later(1);
        run.feed(&Event::SlotGranted);
        assert_eq!(run.wanted(), ["fix-slugify-00000000-fetch-t2"]);
    }
}

#[test]
fn the_best_attempt_is_kept_though_a_later_one_was_worse() {
    let mut run = Run::guarding(&Setup::git());
    run.feed(&run.guard("unit", "Failed"));
    run.feed(&run.guard("lint", "Failed"));
    run.feed(&run.result(&digest(2), 0));
    run.pass_guards();
    run.feed(&run.review("ChangesRequested"));
    run.feed(&run.result(&digest(3), 0));
    assert!(run.view().best_attempt.is_none(), "something better may still come");
    run.feed(&run.guard("unit", "Passed"));
    run.feed(&run.guard("lint", "Failed"));
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::ATTEMPTS_EXHAUSTED)));
    assert!(run.message("Failed").ends_with("; the best was attempt 2"), "{}", run.message("Failed"));
    let best = run.view().best_attempt.unwrap();
    assert_eq!((best.attempt, best.digest.as_str(), best.failed_guards.len()), (2, digest(2).as_str(), 0));
    assert_eq!(best.approve_weight, 2);
    assert_eq!(run.record.last().unwrap().body["bestAttempt"]["attempt"], json!(2));
}

#[test]
fn a_complete_task_has_no_best_attempt_beside_its_result() {
    let mut run = Run::guarding(&Setup::git());
    run.feed(&run.guard("unit", "Failed"));
    run.feed(&run.guard("lint", "Passed"));
    run.feed(&run.result(&digest(2), 0));
    run.pass_guards();
    run.feed(&run.review("Approved"));
    run.feed(&run.delivered());
    assert_eq!(run.outcome(), Some((OutcomeKind::Complete, reasons::DELIVERED)));
    assert!(run.view().best_attempt.is_none());
}
