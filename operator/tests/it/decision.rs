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

async fn settled(world: &World, namespace: &str, name: &str, want: &str) -> Decision {
    world
        .until::<Decision>(namespace, name, SOON, |d| {
            shown(d.status.as_ref().map(|s| s.conditions.as_slice()), ACCEPTED) == want
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_answer_becomes_one_fact_and_a_wrong_one_none() {
    let world = &shared().await;
    let home = home(world, "decision").await;
    let (task, id) = admitted(world, &home, "fix").await;
    let digest = |c: &str| format!("sha256:{}", c.repeat(64));
    let early = decision(&home, "early", id, &digest("a"), "bob");
    world.apply(&early).await;
    settled(world, &home, "early", "False/NothingToDecide").await;

    let mut asks =
        view("Escalated", &[("Admitted", "True", "Admitted"), ("Approved", "False", "EscalationPending")]);
    asks["escalation"] = json!({"reason": "ReviewTied", "options": ["Accept", "Reject"], "deadline": "2099-01-01T00:00:00Z",
        "defaultOption": "Reject", "digest": digest("a")});
    orchestrate(world, &task, &asks).await;
    world.apply(&decision(&home, "stale", id, &digest("b"), "bob")).await;
    settled(world, &home, "stale", "False/DigestStale").await;
    world.apply(&decision(&home, "own", id, &digest("a"), "alice")).await;
    settled(world, &home, "own", "False/SelfApproval").await;
    world.apply(&decision(&home, "other", Uuid::nil(), &digest("a"), "bob")).await;
    settled(world, &home, "other", "False/TargetReplaced").await;
    world.apply(&decision(&home, "right", id, &digest("a"), "bob")).await;
    let right = settled(world, &home, "right", "True/Accepted").await;
    world.apply(&decision(&home, "again", id, &digest("a"), "bob")).await;
    settled(world, &home, "again", "False/AlreadyDecided").await;

    let told: Vec<(Uuid, Value)> =
        sqlx::query_as("SELECT object_uid, body FROM facts WHERE task_uid = $1 AND kind = 'Decided'")
            .bind(id)
            .fetch_all(&world.pool)
            .await
            .unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, uid(&right));
    assert_eq!(told[0].1["decidedBy"], "bob");
}
