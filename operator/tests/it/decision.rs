use crate::objects::{admitted, home, orchestrate, shown, uid, view};
use crate::world::{SOON, World, shared};
use golden_crds::Decision;
use golden_crds::conditions::ACCEPTED;
use serde_json::{Value, json};
use uuid::Uuid;

fn decision(namespace: &str, name: &str, target: Uuid, digest: &str, by: &str) -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "Decision",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"target": {"kind": "AgentTask", "name": "fix", "uid": target, "digest": digest},
            "verdict": "Approve", "decidedBy": by, "note": "fine"},
    })
}

fn escalation(id: &str, options: &[&str], digest: &str) -> Value {
    json!({"id": id, "reason": "ReviewTied", "options": options, "deadline": "2099-01-01T00:00:00Z",
        "defaultOption": "Reject", "digest": digest})
}

async fn settled(world: &World, namespace: &str, name: &str, want: &str) -> Decision {
    world
        .until::<Decision>(namespace, name, SOON, |d| {
            shown(d.status.as_ref().map(|s| s.conditions.as_slice()), ACCEPTED) == want
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_answer_becomes_one_fact_for_each_question_and_a_wrong_one_none() {
    let world = &shared().await;
    let home = home(world, "decision").await;
    let (task, id) = admitted(world, &home, "fix").await;
    let digest = |c: &str| format!("sha256:{}", c.repeat(64));
    let early = decision(&home, "early", id, &digest("a"), "bob");
    world.apply(&early).await;
    settled(world, &home, "early", "False/NothingToDecide").await;

    let mut asks =
        view("Escalated", &[("Admitted", "True", "Admitted"), ("Approved", "False", "EscalationPending")]);
    asks["escalation"] = escalation("first", &["Reject", "Retry"], &digest("a"));
    orchestrate(world, &task, &asks).await;
    world.apply(&decision(&home, "stale", id, &digest("b"), "bob")).await;
    settled(world, &home, "stale", "False/DigestStale").await;
    world.apply(&decision(&home, "own", id, &digest("a"), "alice")).await;
    settled(world, &home, "own", "False/SelfApproval").await;
    world.apply(&decision(&home, "other", Uuid::nil(), &digest("a"), "bob")).await;
    settled(world, &home, "other", "False/TargetReplaced").await;
    world.apply(&decision(&home, "useless", id, &digest("a"), "bob")).await;
    let useless = settled(world, &home, "useless", "False/OptionNotOffered").await;
    let message = &useless.status.unwrap().conditions[0].message;
    assert_eq!(message, "Accept is not offered; answer one of: Reject, Retry");
    let retry = |name| {
        let mut retry = decision(&home, name, id, &digest("a"), "bob");
        retry["spec"]["verdict"] = "Option".into();
        retry["spec"]["option"] = "Retry".into();
        retry
    };
    world.apply(&retry("right")).await;
    let right = settled(world, &home, "right", "True/Accepted").await;
    world.apply(&retry("again")).await;
    settled(world, &home, "again", "False/AlreadyDecided").await;

    // The new attempt came to the same tree, about which there is another question.
    asks["escalation"] = escalation("second", &["Accept", "Reject"], &digest("a"));
    orchestrate(world, &task, &asks).await;
    world.apply(&decision(&home, "second", id, &digest("a"), "bob")).await;
    let second = settled(world, &home, "second", "True/Accepted").await;

    let told: Vec<(Uuid, Value)> = sqlx::query_as(
        "SELECT object_uid, body FROM facts WHERE task_uid = $1 AND kind = 'Decided' ORDER BY id",
    )
    .bind(id)
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(told.len(), 2);
    assert_eq!((told[0].0, told[1].0), (uid(&right), uid(&second)));
    assert_eq!((&told[0].1["decidedBy"], &told[0].1["question"]), (&json!("bob"), &json!("first")));
    assert_eq!(told[1].1["question"], "second");
}
