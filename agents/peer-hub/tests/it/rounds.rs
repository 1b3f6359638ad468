//! Rounds that hear the objections of the one before.

use crate::reviews::APPROVE;
use crate::world::{World, conversation, request};
use golden_consensus::{OutcomeKind, Verdict};
use golden_crds::governance_policy::ReviewRules;
use golden_governance::with_additional;
use golden_model::Fault;
use golden_platform::wire::Envelope;
use serde_json::json;

const OBJECTION: &str = r#"{"verdict":"Reject","severity":"Minor","confidence":70,"evidence":
    [{"file":"decision.md","startLine":1,"endLine":1,"quote":"SKIP LOCKED"}],"rationale":"it couples consumers"}"#;

/// Architect rejects, the others approve; security gives in once it hears why.
fn story() -> String {
    [
        "name: mine\ncontains: [\"my own goal\"]\nconversations:\n".to_owned(),
        conversation("architect", "", OBJECTION),
        conversation(
            "security",
            "it couples consumers",
            &OBJECTION.replace("it couples", "true, it couples"),
        ),
        conversation("security", "", APPROVE),
        conversation("tester", "", APPROVE),
    ]
    .concat()
}

/// The first round, decided; and the request of the second.
async fn first_round(world: &World, seconds: i64) -> Envelope {
    let voters = json!([{"role": "architect"}, {"role": "security"}, {"role": "tester"}]);
    let rules = json!({"voters": voters, "rounds": {"max": 2}, "timeoutSeconds": 60});
    let mut envelope = world.request("my own goal", rules, 60).await;
    world.open(&envelope).await;
    world.publish(&envelope, "first").await;
    assert_eq!(world.decided().await.decision, OutcomeKind::Approved);
    let second = request(&mut envelope);
    (second.round, second.hears) = (2, Some(1));
    second.closes_at = (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)).to_string();
    world.open(&envelope).await;
    envelope
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_round_shows_the_objections_to_those_who_did_not_object() {
    let world = World::new(&story()).await;
    let _replica = world.replica();
    let second = first_round(&world, 60).await;
    let blind = world.calls.asked();
    assert!(blind.len() == 3 && blind.iter().all(|call| !call.user.contains("couples")));
    world.publish(&second, "second").await;
    let decision = world.decided_in(2).await;
    assert_eq!(decision.decision, OutcomeKind::ChangesRequested, "{}", decision.reason);
    assert_eq!((decision.tally.approve_weight, decision.tally.reject_weight), (1, 2));
    let heard = world.calls.asked().split_off(3);
    assert_eq!(heard.len(), 2, "who objected is not asked again");
    for call in heard {
        assert!(!call.system.contains("Role: architect"));
        assert!(call.user.contains("- Minor: it couples consumers\n  decision.md:"), "{}", call.user);
        assert!(!call.user.contains("architect"), "not who objects");
    }
    // The round's ballots are whole: the decision can be computed again from them alone.
    let verdicts: Vec<(String, Verdict)> =
        world.ballots_of(2).await.into_iter().map(|b| (b.voter, b.verdict)).collect();
    let want = [("architect", Verdict::Reject), ("security", Verdict::Reject), ("tester", Verdict::Approve)];
    assert_eq!(verdicts, want.map(|(voter, verdict)| (voter.to_owned(), verdict)));
    assert_eq!(world.ballots_of(1).await.len(), 3, "the blind round stays as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_a_second_round_stands_by_the_first_ballot() {
    let world = World::new(&story()).await;
    let _replica = world.replica();
    let second = first_round(&world, 3).await;
    world.model.order(Fault { next: 1000, status: Some(503), ..Fault::default() });
    world.publish(&second, "second").await;
    let decision = world.decided_in(2).await;
    assert_eq!(decision.decision, OutcomeKind::Approved, "{}", decision.reason);
    assert_eq!(world.ballots_of(2).await, world.ballots_of(1).await);
}

/// What is taken over from the round before is nobody's answer in this one.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_round_that_closed_before_anybody_was_asked_is_left_to_the_orchestrator() {
    let world = World::new(&story()).await;
    let _replica = world.replica();
    let second = first_round(&world, -5).await;
    // Delivered twice, as after a crash: the first one took the objection over.
    for message in ["second", "again"] {
        world.publish(&second, message).await;
        world.worked_off().await;
        assert_eq!(world.decision(2).await, None);
        assert_eq!(world.ballots_of(2).await.len(), 1, "the objection");
    }
    assert_eq!(world.calls.asked().len(), 3, "those of the first round");
}

/// Architect and security reject, tester and reviewer approve; a fifth one is asked beside them.
#[tokio::test(flavor = "multi_thread")]
async fn an_additional_reviewer_is_asked_blind_beside_what_the_others_said() {
    let story = [
        "name: mine\ncontains: [\"my own goal\"]\nconversations:\n".to_owned(),
        conversation("architect", "", OBJECTION),
        conversation("security", "", OBJECTION),
        conversation("tester", "", APPROVE),
        conversation("reviewer", "", APPROVE),
        conversation("arbiter", "", APPROVE),
    ];
    let world = World::new(&story.concat()).await;
    let _replica = world.replica();
    let rules: ReviewRules = serde_json::from_value(json!({
        "voters": [{"role": "architect"}, {"role": "security"}, {"role": "tester"}, {"role": "reviewer"}],
        "additionalReviewer": {"role": "arbiter"}, "timeoutSeconds": 60,
    }))
    .unwrap();
    let mut envelope = world.request("my own goal", json!(rules), 60).await;
    world.open(&envelope).await;
    world.publish(&envelope, "first").await;
    assert_eq!(world.decided().await.decision, OutcomeKind::Tie);
    let asked = world.calls.asked().len();
    let second = request(&mut envelope);
    (second.round, second.beside) = (2, Some(1));
    second.rules = with_additional(&rules).unwrap();
    world.open(&envelope).await;
    world.publish(&envelope, "second").await;
    let decision = world.decided_in(2).await;
    assert_eq!(decision.decision, OutcomeKind::Approved, "{}", decision.reason);
    assert_eq!((decision.tally.approve_weight, decision.tally.reject_weight), (3, 2));
    let calls = world.calls.asked().split_off(asked);
    assert_eq!(calls.len(), 1, "who voted is not asked again");
    assert!(
        calls[0].system.contains("Role: arbiter") && !calls[0].user.contains("couples"),
        "{}",
        calls[0].user
    );
    assert_eq!((world.ballots_of(1).await.len(), world.ballots_of(2).await.len()), (4, 5));
}
