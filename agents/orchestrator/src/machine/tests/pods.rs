use super::support::{Run, Setup, digest};
use crate::machine::{Event, OutcomeKind, Stage};
use golden_crds::conditions::agent_task as reasons;
use golden_platform::wire::PodPhase;

#[test]
fn a_lost_pod_makes_a_new_try_not_an_attempt() {
    let mut run = Run::producing(&Setup::git());
    let lost = run.pod(PodPhase::Lost, "NodeLost", None);
    run.feed(&lost).feed(&lost);
    assert!(run.wanted().is_empty());
    assert_eq!(run.condition("Reconciling"), "True/Retrying");
    run.later(60);
    assert_eq!((run.state.attempt, run.state.tries.made), (1, 2));
    assert_eq!(run.wanted(), ["fix-slugify-00000000-a1-t2"]);
}

#[test]
fn pods_cannot_be_lost_without_end() {
    let mut run = Run::producing(&Setup::git());
    for _ in 0..5 {
        run.feed(&run.pod(PodPhase::Lost, "Evicted", None));
        run.later(300);
    }
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::TRIES_EXHAUSTED)));
    assert!(run.message("Failed").contains("Evicted it said"));
}

#[test]
fn a_pod_that_cannot_start_is_shown_and_recovers() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&run.pod(PodPhase::Blocked, "ImagePullBackOff", None));
    assert_eq!(run.condition("Stalled"), "True/ImagePullFailed");
    run.feed(&run.pod(PodPhase::Running, "", None));
    assert!(run.condition("Stalled").is_empty());
    assert_eq!(run.condition("Reconciling"), "True/Producing");
}

#[test]
fn a_pod_that_never_ran_its_agent_is_lost_not_failed() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&run.pod(PodPhase::Failed, "UnexpectedAdmissionError", None));
    run.later(15);
    assert_eq!((run.state.attempt, run.state.tries.lost), (1, 1));
}

#[test]
fn a_runner_that_could_not_hand_over_its_result_is_tried_again() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&run.pod(PodPhase::Failed, "Error", Some(75)));
    run.later(15);
    assert_eq!((run.state.attempt, run.state.tries.lost), (1, 1));
}

#[test]
fn a_pod_that_was_killed_from_outside_is_tried_again_and_costs_no_attempt() {
    for code in [128, 137] {
        let mut run = Run::producing(&Setup::git());
        run.feed(&run.pod(PodPhase::Failed, "Error", Some(code)));
        run.later(15);
        assert_eq!((run.state.attempt, run.state.tries.lost), (1, 1), "exit code {code}");
    }
    let mut run = Run::producing(&Setup::git());
    run.feed(&run.pod(PodPhase::Failed, "OOMKilled", Some(137)));
    run.later(15);
    assert_eq!((run.state.attempt, run.state.tries.lost), (2, 0), "memory is the agent's own matter");
}

#[test]
fn suspension_takes_the_pod_away_and_resuming_makes_a_new_try() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&super::outside::spec(2, "Suspended"));
    assert!(run.wanted().is_empty());
    assert_eq!(run.condition("Reconciling"), "True/Suspended");
    assert!(!run.state.slot, "a suspended task gives its turn to others");
    run.feed(&super::outside::spec(3, "Active"));
    assert!(run.state.wants_slot());
    run.feed(&Event::SlotGranted);
    assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, 1));
    assert_eq!(run.wanted(), ["fix-slugify-00000000-a1-t2"]);
}

#[test]
fn a_result_that_arrives_while_suspended_is_kept() {
    let mut run = Run::producing(&Setup::git());
    let result = run.result(&digest(1), 0);
    run.feed(&super::outside::spec(2, "Suspended")).feed(&result);
    assert_eq!(run.state.stage, Stage::Producing);
    run.feed(&super::outside::spec(3, "Active"));
    assert_eq!(run.state.stage, Stage::Guarding, "the work was done; no turn is needed to judge it");
}
