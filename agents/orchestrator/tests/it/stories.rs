use super::world::{GOLDEN, NAMESPACE, Script, World};
use golden_platform::CancellationToken;
use golden_platform::wire::{Fact, HeldCall};
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test]
async fn a_failing_change_is_repaired_reviewed_and_delivered() {
    let mut world = World::new(Script::default()).await;
    world.allow_secrets();
    let task = world.admit("fix-slugify", |_, _| {}).await;
    let engine = world.engine();
    assert_eq!(world.play(&engine, task).await, "Complete");
    let view = world.view(task).await;
    assert_eq!(
        (view["attempt"].as_u64(), view["result"]["branch"].as_str()),
        (Some(2), Some("golden/fix-slugify"))
    );
    assert_eq!(view["review"]["decision"], "Approved");
    let record = world.record(task).await;
    let head = golden_record::verify(&record[0].prev, &record).unwrap();
    assert_eq!(json!({"head": head.head, "entries": head.entries}), view["record"]);
    let reviewed = record.iter().find(|e| e.kind == "Reviewed").unwrap();
    assert_eq!(reviewed.body["ballots"].as_array().map(Vec::len), Some(4), "{}", reviewed.body);
    assert_eq!(reviewed.body["result"]["dissent"][0]["voter"], "architect");
    // The patch shows the agent's change to the test too, which the guard did not see.
    let patch = world.store.get(NAMESPACE, view["result"]["patch"].as_str().unwrap()).await.unwrap();
    let patch = String::from_utf8(patch.to_vec()).unwrap();
    assert!(
        patch.contains("-old") && patch.contains("+whole") && patch.contains("+nothing is tested"),
        "{patch}"
    );
    assert_nothing_is_left(&world, task).await;
    // Credentials go to Golden's own namespace only.
    let places: Vec<(String, String)> =
        sqlx::query_as("SELECT DISTINCT kind, namespace FROM desired WHERE task_uid = $1 ORDER BY kind")
            .bind(task)
            .fetch_all(&world.pool)
            .await
            .unwrap();
    let place = |kind: &str, namespace: &str| (kind.to_owned(), namespace.to_owned());
    assert_eq!(
        places,
        [place("AttemptPod", NAMESPACE), place("DeliveryPod", GOLDEN), place("FetchPod", GOLDEN)]
    );
}

/// Nothing is wanted, sent or waited for once a task has ended.
pub(crate) async fn assert_nothing_is_left(world: &World, task: Uuid) {
    let counts: (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM desired WHERE task_uid = $1 AND wanted),
                (SELECT count(*) FROM outbox WHERE task_uid = $1 AND published_at IS NULL),
                (SELECT count(*) FROM escalations WHERE task_uid = $1 AND state = 'Open'),
                (SELECT count(*) FROM tasks WHERE task_uid = $1 AND (ended_at IS NULL OR wake_at IS NOT NULL))",
    )
    .bind(task)
    .fetch_one(&world.pool)
    .await
    .unwrap();
    assert_eq!(counts, (0, 0, 0, 0));
}

/// From inline files, to an artifact, judged by four equal voters.
pub(crate) fn inline(spec: &mut Value, policy: &mut Value) {
    let files = json!([{"path": "slug.py", "content": "old"}, {"path": "tests/test.py", "content": "the base's test"}]);
    spec["source"] = json!({"inline": {"files": files}});
    spec.as_object_mut().unwrap().remove("delivery");
    policy["review"]["voters"] =
        json!([{"role": "security"}, {"role": "reviewer"}, {"role": "architect"}, {"role": "tester"}]);
}

#[tokio::test]
async fn a_tie_over_inline_sources_is_decided_by_a_person() {
    let mut world = World::new(Script::tie()).await;
    let task = world.admit("adr-queue", inline).await;
    let engine = world.engine();
    for _ in 0..12 {
        engine.settle(&CancellationToken::new()).await.unwrap();
        world.react().await;
    }
    assert_eq!(world.condition(task, "Approved").await, "False/EscalationPending");
    let (state, digest): (String, String) =
        sqlx::query_as("SELECT state, digest FROM escalations WHERE task_uid = $1")
            .bind(task)
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!(
        (state.as_str(), &digest),
        ("Open", &world.view(task).await["escalation"]["digest"].as_str().unwrap().to_owned())
    );
    world.decide(task, "alice", "Approve").await;
    engine.settle(&CancellationToken::new()).await.unwrap();
    assert_eq!(world.condition(task, "Approved").await, "False/EscalationPending", "alice submitted it");
    world.decide(task, "bob", "Approve").await;
    assert_eq!(world.play(&engine, task).await, "Complete");
    let (state, by): (String, Option<String>) =
        sqlx::query_as("SELECT state, resolved_by FROM escalations WHERE task_uid = $1")
            .bind(task)
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!((state.as_str(), by.as_deref()), ("Resolved", Some("bob")));
    assert_nothing_is_left(&world, task).await;
}

#[tokio::test]
async fn a_call_without_money_shows_what_is_missing_until_it_goes_on() {
    let mut world = World::new(Script { work: |_| Some("whole"), ..Script::default() }).await;
    let task = world.admit("small-budget", inline).await;
    let engine = world.engine();
    engine.settle(&CancellationToken::new()).await.unwrap();
    let held = Fact::BudgetHeld {
        op_key: "op".into(),
        call: HeldCall {
            missing_micro_usd: 4200,
            account: "Budget checkout/experiments".into(),
            on_exhausted: "Pause".into(),
            ..HeldCall::default()
        },
    };
    world.tell(task, task, "held/op", held).await;
    engine.settle(&CancellationToken::new()).await.unwrap();
    assert_eq!(world.condition(task, "BudgetAvailable").await, "False/BudgetExhausted");
    assert_eq!(world.condition(task, "Stalled").await, "True/BudgetExhausted");
    world.tell(task, task, "resumed/op", Fact::BudgetResumed { op_key: "op".into(), moved: false }).await;
    engine.settle(&CancellationToken::new()).await.unwrap();
    assert_eq!(world.condition(task, "BudgetAvailable").await, "True/BudgetAvailable");
    assert_eq!(world.play(&engine, task).await, "Complete");
}

#[tokio::test]
async fn a_vanished_object_leaves_nothing_behind_at_any_stage() {
    for turns in 0..9 {
        let mut world = World::new(Script::default()).await;
        world.allow_secrets();
        let task = world.admit("gone", |_, _| {}).await;
        let engine = world.engine();
        for _ in 0..turns {
            engine.settle(&CancellationToken::new()).await.unwrap();
            world.react().await;
        }
        world.tell(task, task, "deleted", Fact::Deleted).await;
        engine.settle(&CancellationToken::new()).await.unwrap();
        // A delivery that has begun goes on to its end.
        let outcome = world.play(&engine, task).await;
        assert!(["Cancelled", "Complete"].contains(&outcome.as_str()), "after {turns} turns: {outcome}");
        assert_nothing_is_left(&world, task).await;
    }
}

#[tokio::test]
async fn facts_before_the_admission_wait_for_it() {
    let world = World::new(Script::default()).await;
    let task = Uuid::new_v4();
    world.tell(task, task, "deleted", Fact::Deleted).await;
    let engine = world.engine();
    engine.settle(&CancellationToken::new()).await.unwrap();
    let waiting: i64 =
        sqlx::query_scalar("SELECT count(*) FROM facts WHERE task_uid = $1 AND consumed_at IS NULL")
            .bind(task)
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!(waiting, 1);
}

#[tokio::test]
async fn a_message_that_no_server_takes_is_a_dead_letter_and_its_task_says_so() {
    let mut world = World::new(Script { work: |_| Some("whole"), ..Script::default() }).await;
    world.allow_secrets();
    // The reviewers' question repeats the goal, and a server takes 1 MiB.
    let goal = format!("Transliterate them. {}", "g".repeat(1_200_000));
    let task = world.admit("verbose", |spec, _| spec["goal"] = goal.into()).await;
    let engine = world.engine();
    assert_eq!(Box::pin(world.play(&engine, task)).await, "Failed");
    assert_eq!(world.condition(task, "Failed").await, "True/DeadLettered");
    let (reason, subject, letter): (String, String, serde_json::Value) =
        sqlx::query_as("SELECT reason, subject, payload FROM dead_letters WHERE team_uid = $1")
            .bind(world.team)
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert!(reason.contains("the server takes 1048576"), "{reason}");
    assert_eq!(subject, golden_platform::subjects::review(world.team));
    assert!(letter["bytes"].as_u64().unwrap() > 1_200_000 && letter["head"].as_str().unwrap().len() <= 4096);
    assert_eq!(letter["messageId"], format!("{task}/1/review/1"));
    assert!(letter["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_nothing_is_left(&world, task).await;
    // Others are not held up by it.
    let next = world.admit("brief", |_, _| {}).await;
    assert_eq!(Box::pin(world.play(&engine, next)).await, "Complete");
}
