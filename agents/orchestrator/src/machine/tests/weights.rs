//! Weights by track record: found before a review opens, and never again for the same result.

use super::support::{Run, Setup};
use crate::machine::{Event, Stage, needs_weights};
use golden_consensus::{SeatWeight, TrackRecord};
use serde_json::{Value, json};

fn setup() -> Setup {
    let voters = json!([{"role": "security"}, {"role": "reviewer"}, {"role": "architect"}]);
    Setup::git()
        .with("/policy/review", json!({"voters": voters, "rounds": {"max": 2}, "weights": "TrackRecord"}))
}

fn weighed(right_ppm: u32) -> Event {
    let record = TrackRecord { right_ppm, observations: 100 };
    Event::Weighed(vec![SeatWeight::of("security", "p/m", record, 800_000)])
}

#[test]
fn nobody_is_asked_before_it_is_known_what_opinions_weigh() {
    let mut run = Run::reviewing(&setup());
    assert!(needs_weights(&run.task, &run.state) && run.review_requests().is_empty());
    assert_eq!(run.condition("ConsensusReached"), "Unknown/ReviewRunning");
    assert!(run.message("ConsensusReached").contains("track records"));
    let wake = run.last.as_ref().unwrap().wake.unwrap();
    assert_eq!(wake.duration_since(run.now).as_secs(), 2, "the engine looks again");
    run.feed(&weighed(0));
    assert!(!needs_weights(&run.task, &run.state));
    let request = run.review_requests()[0];
    assert_eq!(
        (&request.weights[0]["role"], &request.weights[0]["perMille"]),
        (&json!("security"), &json!(500))
    );
    let entry = run.record.iter().find(|e| e.kind == "ReviewRequested").unwrap();
    assert_eq!(entry.body["weights"], request.weights, "the record says what they were");
}

#[test]
fn later_records_move_no_round_of_the_same_result() {
    let mut run = Run::reviewing(&setup());
    run.feed(&weighed(0));
    run.feed(&weighed(1_000_000));
    assert!(run.ignored());
    run.feed(&run.objected("Tie", true));
    run.feed(&weighed(1_000_000));
    let asked = run.review_requests();
    assert_eq!(asked.len(), 2, "another round");
    assert_eq!(asked[0].weights, asked[1].weights);
    run.feed(&run.review("ChangesRequested"));
    assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, 2));
    assert!(run.state.weights.is_none(), "the next result is weighed anew");
}

#[test]
fn a_policy_of_its_own_weights_waits_for_nothing() {
    let mut run = Run::reviewing(&Setup::git());
    assert_eq!(run.review_requests()[0].weights, Value::Null);
    run.feed(&weighed(0));
    assert!(run.ignored() && run.state.weights.is_none());
}
