//! Changes that are too large for one question.

use crate::reviews::APPROVE;
use crate::world::{World, binding, conversation, request};
use golden_consensus::Verdict;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_change_is_judged_in_parts_whose_verdicts_become_one_ballot() {
    let large =
        |name: &str| (0..2000).fold(String::new(), |all, n| all + &format!("{name}_{n} = compute({n})\n"));
    let files = [("a.py", large("early")), ("b.py", large("late"))];
    let named: Vec<(&str, &str)> = files.iter().map(|(p, t)| (*p, t.as_str())).collect();
    let evidence =
        json!([{"file": "b.py", "startLine": 2000, "endLine": 2000, "quote": "late_1999 = compute(1999)"}]);
    let reject = json!({"verdict": "Reject", "severity": "Major", "confidence": 90, "evidence": evidence,
                        "rationale": "the last line"})
    .to_string();
    let story = [
        "name: mine\ncontains: [\"my own goal\"]\nconversations:\n".to_owned(),
        conversation("security", "+late_1999 =", &reject),
        conversation("security", "", APPROVE),
        conversation("tester", "", APPROVE),
        // Nobody answers it about the part with the first lines.
        conversation("architect", "+late_1500 =", APPROVE),
    ]
    .concat();
    let world = World::new(&story).await;
    let voters = json!([{"role": "security", "veto": true}, {"role": "tester"}, {"role": "architect"}]);
    let rules = json!({"voters": voters, "timeoutSeconds": 60});
    let mut envelope = world.request_on("my own goal", rules, 60, &named).await;
    for role in ["security", "tester", "architect"] {
        request(&mut envelope).models.insert(format!("voter:{role}"), binding(32 * 1024));
    }
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    let decision = world.decided().await;
    assert_eq!(decision.decision.as_str(), "Vetoed", "{}", decision.reason);
    let ballots = world.ballots().await;
    let of = |role: &str| ballots.iter().find(|b| b.role == role).unwrap();
    let (rejecting, approving, unsure) = (of("security"), of("tester"), of("architect"));
    assert_eq!((rejecting.verdict, rejecting.confidence), (Verdict::Reject, 90));
    assert!(rejecting.has_verified_evidence() && rejecting.rationale.contains("(b.py): the last line"));
    assert_eq!((approving.verdict, approving.confidence), (Verdict::Approve, 80));
    assert_eq!(unsure.verdict, Verdict::Abstain);
    assert!(unsure.rationale.starts_with("NotAnswered: part 1 of "), "{}", unsure.rationale);
    let raw: String = sqlx::query_scalar("SELECT raw FROM ballots WHERE voter = 'security'")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert!(raw.starts_with("== part 1 of ") && raw.contains("the last line"), "{raw}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voter_whose_model_cannot_be_shown_the_change_abstains_and_says_so() {
    let world = World::new("").await;
    let rules = json!({"voters": [{"role": "security"}], "timeoutSeconds": 60});
    let mut envelope = world.request("my own goal", rules, 60).await;
    request(&mut envelope).models.insert("voter:security".into(), binding(2048));
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    world.decided().await;
    let ballot = world.ballots().await.remove(0);
    assert_eq!(ballot.verdict, Verdict::Abstain);
    assert!(ballot.rationale.starts_with("WindowTooSmall: "), "{}", ballot.rationale);
    assert!(ballot.rationale.contains("modelRef") && world.calls.asked().is_empty());
}
