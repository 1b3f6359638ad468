//! Weights by track record, from the database on.

use super::world::{NAMESPACE, Script, World};
use serde_json::json;
use sqlx::types::Json;
use uuid::Uuid;

impl World {
    /// A result of earlier times that these voters judged, each with its model.
    async fn judged(&self, namespace: &str, words: &[(&str, &str, &str)]) {
        let task = Uuid::new_v4();
        sqlx::query(
            "INSERT INTO tasks (task_uid, team_uid, namespace, name, submitted_by, spec, policy, models, state, view,
                                stage, outcome, version, ended_at)
             VALUES ($1, $2, $3, 'before', 'alice', '{}', '{}', '{}', '{}', '{}', 'Complete', 'Complete', 1, now())",
        )
        .bind(task)
        .bind(self.team)
        .bind(namespace)
        .execute(&self.pool)
        .await
        .unwrap();
        for (role, model, verdict) in words {
            sqlx::query(
                "INSERT INTO ballots (task_uid, attempt, round, voter, digest, team_uid, model, ballot, raw, prompt_digest)
                 VALUES ($1, 1, 1, $2, 'sha256:d', $3, $4, $5, '', '')",
            )
            .bind(task)
            .bind(role)
            .bind(self.team)
            .bind(model)
            .bind(Json(json!({"role": role, "verdict": verdict})))
            .execute(&self.pool)
            .await
            .unwrap();
        }
    }
}

#[tokio::test]
async fn opinions_weigh_what_the_namespaces_earlier_votes_say_when_the_review_opens() {
    let mut world = World::new(Script { work: |_| Some("whole"), ..Script::default() }).await;
    for n in 0..40 {
        let (good, bad) = if n % 2 == 0 { ("Approve", "Reject") } else { ("Reject", "Approve") };
        // The security voter of the policy's model is alone with what it says.
        let words = [("security", "p/m", bad), ("reviewer", "p/n", good), ("tester", "p/n", good)];
        world.judged(NAMESPACE, &words).await;
        world.judged("elsewhere", &[("security", "p/m", "Approve"), ("tester", "p/n", "Approve")]).await;
    }
    let task = world.admit("weighed", |_, policy| policy["review"]["weights"] = json!("TrackRecord")).await;
    world.allow_secrets();
    let engine = world.engine();
    assert_eq!(world.play(&engine, task).await, "Complete");
    let record = world.record(task).await;
    let opened = record.iter().find(|e| e.kind == "ReviewRequested").unwrap();
    let weights = opened.body["weights"].as_array().unwrap();
    assert_eq!(weights.len(), 4);
    assert_eq!((&weights[0]["role"], &weights[0]["observations"]), (&json!("security"), &json!(40)));
    assert_eq!(weights[0]["perMille"], 500, "{weights:?}");
    assert!(weights[1..].iter().all(|w| w["observations"] == 0 && w["perMille"] == 1000), "{weights:?}");
    let decided = record.iter().find(|e| e.kind == "Reviewed").unwrap();
    // Security's 2 weigh 1: it, the reviewer's 2 and the tester's 1 against the architect's.
    assert_eq!(decided.body["result"]["approveWeight"], 4000);
    assert_eq!(decided.body["result"]["rejectWeight"], 1000);
    let shown = &world.view(task).await["review"];
    assert_eq!((&shown["approveWeight"], &shown["scale"]), (&json!(4000), &json!(1000)));
}
