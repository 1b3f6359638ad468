use super::support::{Run, Setup, digest};
use crate::machine::{Event, Stage, weigh};
use golden_consensus::TrackRecords;
use serde_json::{Value, json};

fn setup() -> Setup {
    let mut setup = Setup::git();
    setup.policy["review"]["additionalReviewer"] =
        json!({"role": "arbiter", "modelRef": {"provider": "p", "model": "l"}});
    setup
}

fn entry(run: &Run, kind: &str) -> Value {
    run.record.iter().rfind(|e| e.kind == kind).unwrap().body.clone()
}

#[test]
fn after_a_tie_one_more_reviewer_is_asked_before_a_person_is() {
    let mut run = Run::reviewing(&setup());
    run.feed(&run.review("Tie"));
    assert_eq!(run.state.stage, Stage::Reviewing);
    let asked = run.review_requests();
    let (first, second) = (&asked[0], &asked[1]);
    assert_eq!((first.beside, second.beside, second.hears, second.round), (None, Some(1), None, 2));
    assert_eq!(first.digest, second.digest);
    let seats = second.rules["voters"].as_array().unwrap();
    assert_eq!((first.rules["voters"].as_array().unwrap().len(), seats.len()), (4, 5));
    let seat = json!({"role": "arbiter", "weight": 1, "additional": true, "modelRef": {"provider": "p", "model": "l"}});
    assert_eq!(seats[4], seat);
    let told = run.message("ConsensusReached");
    assert!(told.ends_with("arbiter is asked beside the voters, who came to no decision"), "{told}");
    let recorded = entry(&run, "ReviewRequested");
    assert_eq!((&recorded["beside"], &recorded["additionalReviewer"]), (&json!(1), &json!("arbiter")));
    run.feed(&run.review("Approved"));
    assert_eq!(run.state.stage, Stage::Delivering);
    assert!(!run.kinds().contains(&"EscalationRaised"));
}

#[test]
fn it_is_asked_with_the_weights_that_were_found_for_the_voters() {
    let mut setup = setup();
    setup.policy["review"]["weights"] = json!("TrackRecord");
    let mut run = Run::reviewing(&setup);
    let found = weigh(&run.task, &TrackRecords::default());
    run.feed(&found);
    run.feed(&run.review("Tie"));
    let asked = run.review_requests();
    assert_eq!((asked.len(), asked[1].beside), (2, Some(1)));
    assert_eq!(asked[0].weights, asked[1].weights);
    let roles = |list: &Value| -> Vec<Value> {
        list.as_array().unwrap().iter().map(|seat| seat["role"].clone()).collect()
    };
    let (weighed, seats) = (roles(&asked[1].weights), roles(&asked[1].rules["voters"]));
    assert_eq!((weighed.len(), &weighed[..]), (4, &seats[..4]), "its own track record is not looked at");
}

#[test]
fn what_it_leaves_open_is_for_a_person_who_learns_that_it_was_asked() {
    for (first, then) in [("Tie", "Tie"), ("QuorumMissing", "QuorumMissing"), ("VetoUnverified", "Vetoed")] {
        let mut run = Run::reviewing(&setup());
        run.feed(&run.review(first)).feed(&Event::Tick);
        run.feed(&run.review(then));
        assert_eq!(run.state.stage, Stage::Escalated, "{first}");
        let told = run.message("Approved");
        assert!(told.contains(&format!("they say {then}; arbiter was asked beside the voters")), "{told}");
        assert_eq!(entry(&run, "EscalationRaised")["evidence"]["evidence"]["additionalReviewer"], "arbiter");
    }
    let mut run = Run::reviewing(&setup());
    run.feed(&run.review("RequiredVoterMissing"));
    run.feed(&run.review("ChangesRequested"));
    assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, 2), "it may send it back");
}

#[test]
fn it_is_asked_once_in_a_task() {
    let mut run = Run::reviewing(&setup());
    run.feed(&run.review("Tie"));
    run.feed(&run.review("ChangesRequested"));
    run.feed(&run.result(&digest(2), 0));
    run.pass_guards();
    run.feed(&run.review("Tie"));
    assert_eq!(run.state.stage, Stage::Escalated);
    assert_eq!(run.review_requests().iter().filter(|r| r.beside.is_some()).count(), 1);
    assert!(!run.message("Approved").contains("arbiter"), "it was not asked about this result");
}

#[test]
fn it_is_not_asked_where_a_decision_stands_or_no_person_would_be() {
    for decided in ["Vetoed", "GuardMissing", "ChangesRequested", "GuardFailed", "Approved"] {
        let mut run = Run::reviewing(&setup());
        run.feed(&run.review(decided));
        assert_eq!(run.review_requests().len(), 1, "{decided}");
    }
    let mut sends_back = setup();
    sends_back.policy["review"]["onTie"] = json!("Reject");
    let mut run = Run::reviewing(&sends_back);
    run.feed(&run.review("Tie"));
    assert_eq!((run.state.attempt, run.review_requests().len()), (2, 1));
    let mut run = Run::reviewing(&Setup::git());
    run.feed(&run.review("Tie"));
    assert_eq!(run.state.stage, Stage::Escalated, "a policy without one");
}

#[test]
fn a_request_that_nobody_answers_is_made_again_beside_the_same_ballots() {
    let mut run = Run::reviewing(&setup());
    run.feed(&run.review("Tie"));
    for round in [3, 4] {
        run.later(120 + 60);
        let last = run.review_requests().pop().unwrap();
        assert_eq!((last.round, last.beside), (round, Some(1)));
    }
    run.later(120 + 60);
    assert_eq!(run.state.stage, Stage::Escalated);
    assert_eq!(run.view().escalation.unwrap().reason, "ReviewTimedOut");
}

#[test]
fn rounds_of_the_voters_come_first_and_none_follows_it() {
    let mut setup = setup();
    setup.policy["review"]["rounds"] = json!({"max": 3});
    let mut run = Run::reviewing(&setup);
    run.feed(&run.objected("Tie", true));
    run.feed(&run.objected("VetoUnverified", true));
    run.feed(&run.objected("Approved", true));
    let asked: Vec<_> = run.review_requests().iter().map(|r| (r.round, r.hears, r.beside)).collect();
    assert_eq!(asked, [(1, None, None), (2, Some(1), None), (3, None, Some(2))]);
    assert_eq!(run.state.stage, Stage::Delivering);
}
