//! Pods whose calls wait too long for money.

use super::outside::{held, spec};
use super::support::{Run, Setup, digest};
use crate::machine::{Event, OutcomeKind, Stage, needs_money};
use golden_crds::conditions::agent_task as reasons;
use golden_platform::wire::PodPhase;
use serde_json::json;

const NONE: Event = Event::Money { ask_again: false };
const THERE: Event = Event::Money { ask_again: true };

fn resumed(op: &str) -> Event {
    Event::BudgetResumed { op_key: op.into(), moved: false }
}

/// A task whose pod was asked to save, after a minute.
fn asked() -> Run {
    let mut run = Run::producing(&Setup::git().with("/policy/pause", json!({"graceSeconds": 60})));
    run.feed(&run.pod(PodPhase::Running, "", None)).feed(&held("op1", "Pause"));
    run.later(60).feed(&NONE);
    run
}

fn is_asked(run: &Run) -> bool {
    run.state.pod.as_ref().is_some_and(|p| p.saving.is_some())
}

/// The same, and it did.
fn freed() -> Run {
    let mut run = asked();
    run.feed(&run.saved(&digest(5)));
    assert!(run.state.freed.is_some());
    run
}

#[test]
fn a_pod_is_asked_to_save_after_its_grace_and_only_without_money_in_sight() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&held("op1", "Pause"));
    let wake = run.last.as_ref().unwrap().wake.unwrap();
    assert_eq!(wake.duration_since(run.now).as_secs(), 600, "the built-in grace");
    run.later(599);
    assert!(!needs_money(&run.task, &run.state, run.now));
    run.feed(&NONE);
    assert!(run.ignored() && !is_asked(&run));
    run.later(1);
    assert!(needs_money(&run.task, &run.state, run.now));
    run.feed(&THERE);
    assert!(!is_asked(&run), "the gateway lets the call go on any moment");
    let wake = run.last.as_ref().unwrap().wake.unwrap();
    assert_eq!(wake.duration_since(run.now).as_secs(), 5, "it looks again");
    run.feed(&NONE);
    assert!(is_asked(&run));
    assert!(!needs_money(&run.task, &run.state, run.now), "asked once");
    assert_eq!(run.wanted().len(), 1, "nothing is taken away before it is safe");
}

#[test]
fn money_that_comes_before_the_work_is_saved_takes_the_wish_back() {
    let mut run = asked();
    run.feed(&resumed("op1"));
    assert!(!is_asked(&run));
    assert_eq!(run.condition("BudgetAvailable"), "True/BudgetAvailable");
    run.feed(&run.result(&digest(1), 0));
    assert_eq!(run.state.stage, Stage::Guarding);
}

#[test]
fn other_calls_that_wait_begin_anew_when_one_goes_on() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&held("op1", "Pause")).feed(&held("op2", "Pause"));
    run.later(500).feed(&resumed("op1"));
    run.later(599).feed(&NONE);
    assert!(!is_asked(&run));
    run.later(1).feed(&NONE);
    assert!(is_asked(&run));
}

#[test]
fn a_hold_that_moves_to_another_account_is_the_same_wait() {
    let moved = |op: &str| Event::BudgetResumed { op_key: op.into(), moved: true };
    let mut run = Run::producing(&Setup::git());
    run.feed(&held("op1", "Pause"));
    run.later(599).feed(&moved("op1"));
    run.later(1);
    assert!(!needs_money(&run.task, &run.state, run.now), "nothing is asked for until it is told again");
    run.feed(&held("op2", "Pause")).feed(&NONE);
    assert!(is_asked(&run), "it waited for its grace");
    run.feed(&moved("op2")).feed(&held("op3", "Pause"));
    assert!(is_asked(&run), "there is no more money than before");
    run.feed(&resumed("op3"));
    assert!(!is_asked(&run) && run.state.held.is_empty());

    let mut run = freed();
    run.feed(&moved("op1"));
    assert!(
        run.state.freed.is_none() && run.state.wants_slot(),
        "no call of a freed pod is left to tell more"
    );
}

fn left(op: &str) -> Event {
    Event::BudgetHoldLeft { op_key: op.into() }
}

#[test]
fn a_pod_whose_client_gave_up_works_on_and_is_not_freed() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&held("op1", "Pause")).feed(&left("op1"));
    assert!(run.state.held.is_empty());
    assert_eq!(run.condition("BudgetAvailable"), "True/BudgetAvailable");
    assert_eq!(run.kinds().last(), Some(&"BudgetHoldLeft"));
    run.later(6000);
    assert!(!needs_money(&run.task, &run.state, run.now), "it works on something else");
    run.feed(&left("op1"));
    assert!(run.ignored());
    run.feed(&held("op2", "Pause"));
    run.later(599).feed(&NONE);
    assert!(!is_asked(&run), "another call waits for a grace of its own");
    run.later(1).feed(&NONE);
    assert!(is_asked(&run));
}

#[test]
fn a_client_that_times_out_and_sends_again_has_waited_as_long_as_it_did() {
    for (pause, grace) in [(60, 240), (61, 600)] {
        let mut run = Run::producing(&Setup::git());
        run.feed(&held("op1", "Pause"));
        run.later(300).feed(&left("op1"));
        run.later(pause).feed(&held("op2", "Pause"));
        run.later(grace - 1).feed(&NONE);
        assert!(!is_asked(&run), "{pause}");
        run.later(1).feed(&NONE);
        assert!(is_asked(&run), "{pause}");
    }
}

#[test]
fn a_call_that_goes_on_after_its_client_gave_up_shows_that_there_is_money() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&held("op1", "Pause"));
    run.later(599).feed(&left("op1"));
    run.feed(&resumed("op1")).feed(&held("op2", "Pause"));
    run.later(599).feed(&NONE);
    assert!(!is_asked(&run));
}

#[test]
fn a_client_that_gives_up_while_its_pod_saves_does_not_take_the_wish_back() {
    let mut run = asked();
    run.feed(&left("op1"));
    assert!(is_asked(&run) && run.state.held.contains_key("op1"));
    run.feed(&run.saved(&digest(5)));
    assert!(run.state.freed.is_some());

    let mut run = asked();
    run.feed(&held("op2", "Pause")).feed(&left("op1"));
    run.feed(&run.not_saved());
    assert_eq!(run.state.held.keys().collect::<Vec<_>>(), ["op2"], "nobody waits for the other any more");
    run.feed(&left("op2"));
    assert_eq!(run.condition("BudgetAvailable"), "True/BudgetAvailable");

    let mut run = asked();
    run.feed(&held("op2", "Pause")).feed(&left("op1")).feed(&resumed("op2"));
    assert!(!is_asked(&run) && run.state.held.is_empty());
}

#[test]
fn the_holds_of_a_freed_pod_whose_calls_broke_off_are_what_it_waits_for() {
    let mut run = freed();
    run.feed(&left("op1"));
    assert!(run.state.freed.is_some() && run.state.held.contains_key("op1"));
    run.feed(&THERE);
    assert!(run.state.held.is_empty() && run.state.wants_slot());
}

#[test]
fn a_saved_pod_is_freed_and_gives_its_turn_to_others() {
    let run = freed();
    assert!(run.wanted().is_empty() && !run.state.slot);
    assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, 1));
    assert_eq!(run.condition("BudgetAvailable"), "False/BudgetExhausted");
    assert_eq!(run.condition("Stalled"), "True/PodFreed");
    let message = run.message("BudgetAvailable");
    assert!(
        message.contains("lacks $0.012345") && message.contains("its pod was freed at 2026-03-01"),
        "{message}"
    );
    assert!(run.state.held.contains_key("op1"), "whoever is asked for more sees what is missing");
    assert_eq!(run.kinds().last(), Some(&"AttemptSaved"));
}

#[test]
fn the_same_attempt_goes_on_from_what_was_saved_once_there_is_money() {
    let mut run = freed();
    run.later(3000).feed(&NONE);
    assert!(run.wanted().is_empty() && !run.state.wants_slot(), "it takes no turn while it cannot work");
    let wake = run.last.as_ref().unwrap().wake.unwrap();
    assert_eq!(wake.duration_since(run.now).as_secs(), 30, "the longer it took, the later it looks again");
    run.feed(&THERE);
    assert!(run.state.wants_slot() && run.state.held.is_empty());
    assert_eq!(run.condition("BudgetAvailable"), "True/BudgetAvailable");
    run.feed(&Event::SlotGranted);
    assert_eq!(run.wanted(), ["fix-slugify-00000000-a1-t2"]);
    let saved = run.state.saved.clone().unwrap();
    assert_eq!((saved.tree, saved.transcript), (digest(5), Some(digest(0x7a))));
    assert_eq!((run.state.tries.lost, run.state.tries.failures), (0, 0), "nothing failed");
    assert_eq!(run.kinds()[run.kinds().len() - 2..], ["AttemptResumed", "TryStarted"]);
    run.feed(&held("op1", "Pause"));
    assert!(run.ignored(), "a hold of the freed pod that is told late is not the new one's");
    run.feed(&run.result(&digest(6), 0));
    assert_eq!(run.state.stage, Stage::Guarding);
    assert!(run.state.saved.is_none());
}

#[test]
fn a_pause_without_a_transcript_keeps_the_one_before() {
    let mut run = freed();
    run.feed(&THERE).feed(&Event::SlotGranted);
    run.feed(&held("op2", "Pause")).later(60).feed(&NONE);
    let Event::Saved(mut second) = run.saved(&digest(6)) else { panic!("nothing was saved") };
    second.transcript = None;
    run.feed(&Event::Saved(second));
    let saved = run.state.saved.clone().unwrap();
    assert_eq!((saved.tree, saved.transcript), (digest(6), Some(digest(0x7a))));
}

#[test]
fn pauses_are_no_lost_pods_however_many_there_are() {
    let mut run = asked();
    for n in 0..8 {
        run.feed(&run.saved(&digest(n)));
        run.feed(&THERE).feed(&Event::SlotGranted);
        run.feed(&held(&format!("op{}", n + 2), "Pause"));
        run.later(60).feed(&NONE);
    }
    assert_eq!((run.outcome(), run.state.attempt, run.state.tries.made), (None, 1, 9));
    assert_eq!(run.state.saved.as_ref().unwrap().tree, digest(7), "the newest counts");
}

#[test]
fn a_lost_pod_after_a_pause_begins_from_what_was_saved() {
    let mut run = freed();
    run.feed(&THERE).feed(&Event::SlotGranted);
    run.feed(&run.pod(PodPhase::Lost, "NodeLost", None));
    run.later(60);
    assert_eq!(run.wanted(), ["fix-slugify-00000000-a1-t3"]);
    assert_eq!(run.state.saved.as_ref().unwrap().tree, digest(5));
}

#[test]
fn work_that_cannot_be_saved_keeps_its_pod_and_says_why() {
    let mut run = asked();
    run.feed(&run.not_saved());
    assert_eq!(run.wanted().len(), 1);
    let message = run.message("BudgetAvailable");
    assert!(
        message.contains("its pod is kept, since its work cannot be saved: the workspace has"),
        "{message}"
    );
    run.later(6000).feed(&NONE);
    assert!(!is_asked(&run), "it is not asked again");
    run.feed(&resumed("op1"));
    run.feed(&run.result(&digest(1), 0));
    assert_eq!(run.state.stage, Stage::Guarding);
}

#[test]
fn a_pod_that_saved_is_over_even_if_its_call_went_on_meanwhile() {
    let mut run = asked();
    run.feed(&resumed("op1"));
    run.feed(&run.saved(&digest(5)));
    assert_eq!(run.wanted(), ["fix-slugify-00000000-a1-t2"], "at once, since nothing is missing");
    assert!(run.state.slot && run.state.freed.is_none());
}

#[test]
fn what_a_suspended_pod_saved_in_time_is_where_the_task_goes_on() {
    let mut run = asked();
    let saved = run.saved(&digest(5));
    run.feed(&spec(2, "Suspended")).feed(&saved);
    assert!(run.state.freed.is_none());
    run.feed(&spec(3, "Active")).feed(&Event::SlotGranted);
    assert_eq!(run.wanted(), ["fix-slugify-00000000-a1-t2"]);
    assert_eq!(run.state.saved.as_ref().unwrap().tree, digest(5));
}

#[test]
fn a_freed_task_can_be_suspended_and_goes_on_only_when_both_allow_it() {
    let mut run = freed();
    run.feed(&spec(2, "Suspended"));
    assert!(!needs_money(&run.task, &run.state, run.now));
    run.feed(&spec(3, "Active"));
    assert!(needs_money(&run.task, &run.state, run.now) && run.wanted().is_empty());
    run.feed(&THERE).feed(&Event::SlotGranted);
    assert_eq!(run.wanted().len(), 1);
}

#[test]
fn a_freed_task_still_has_its_deadline() {
    let mut run = freed();
    run.later(100_000);
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::DEADLINE_EXCEEDED)));
    assert!(run.state.freed.is_none() && run.state.saved.is_none());
    assert!(run.last.as_ref().unwrap().wake.is_none());
}

#[test]
fn the_last_hold_that_ends_by_itself_lets_a_freed_task_go_on() {
    let mut run = freed();
    run.feed(&resumed("op1"));
    assert!(run.state.freed.is_none() && run.state.wants_slot());
}
