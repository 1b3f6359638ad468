//! Opinions that weigh what was found when the review opened.

use crate::reviews::APPROVE;
use crate::world::{World, conversation, request};
use golden_consensus::{OutcomeKind, SeatWeight, TrackRecord};
use serde_json::json;

const REJECT: &str =
    r#"{"verdict":"Reject","severity":"Minor","confidence":70,"evidence":[],"rationale":"no"}"#;

/// Two voters of the same weight, one for and one against.
async fn world() -> World {
    let story = [
        "name: mine\ncontains: [\"my own goal\"]\nconversations:\n".to_owned(),
        conversation("architect", "", REJECT),
        conversation("tester", "", APPROVE),
    ];
    World::new(&story.concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_when_the_review_opened_settles_a_tie_and_stands_in_the_decision() {
    let world = world().await;
    let voters = json!([{"role": "architect"}, {"role": "tester"}]);
    let rules = json!({"voters": voters, "weights": "TrackRecord", "timeoutSeconds": 60});
    let mut envelope = world.request("my own goal", rules, 60).await;
    let record = TrackRecord { right_ppm: 950_000, observations: 180 };
    let weights = [
        SeatWeight::of("architect", "", TrackRecord::default(), 800_000),
        SeatWeight::of("tester", "", record, 800_000),
    ];
    request(&mut envelope).weights = json!(weights);
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    let decision = world.decided().await;
    assert_eq!(decision.decision, OutcomeKind::Approved, "{}", decision.reason);
    assert!(decision.reason.contains("approving weight 1.2 against rejecting 1 "), "{}", decision.reason);
    assert!(decision.reason.ends_with("by track record: tester × 1.2"), "{}", decision.reason);
    assert_eq!(decision.weights, weights);
    let power: Vec<String> = decision.power.iter().map(|seat| seat.shapley_shubik.to_string()).collect();
    assert_eq!(power, ["0/1", "1/1"], "the heavier of two decides alone");
    // The same ballots and rules decide the same from the record alone.
    let facts = world.facts().await;
    assert_eq!(facts[0]["decision"]["weights"][1]["perMille"], 1200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_word_about_weights_they_are_the_policys() {
    let world = world().await;
    let rules = json!({"voters": [{"role": "architect"}, {"role": "tester"}], "timeoutSeconds": 60});
    let mut envelope = world.request("my own goal", rules, 60).await;
    let record = TrackRecord { right_ppm: 950_000, observations: 180 };
    request(&mut envelope).weights = json!([SeatWeight::of("tester", "", record, 0)]);
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    let decision = world.decided().await;
    assert_eq!(decision.decision, OutcomeKind::Tie, "the rules do not ask for track records");
    assert!(decision.weights.is_empty());
}
