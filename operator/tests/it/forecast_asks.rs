//! A policy that asks before a task begins that will probably cost more than there is. A bound of 132,000 micro-USD
//! (`priced_home`) meets a Budget with 100,000 left.

use crate::dependencies::{after, comes_to};
use crate::forecast::{priced_home, spend};
use crate::objects::{budget, of_task, shown, task, uid};
use crate::world::{SOON, World, shared};
use golden_crds::conditions::{ACCEPTED, ADMITTED, APPROVED, FAILED, STALLED, find};
use golden_crds::{AgentTask, AgentTeam, Budget, Decision};
use kube::api::DeleteParams;
use serde_json::{Value, json};
use uuid::Uuid;

const OPEN: &str = "SELECT count(*) FROM escalations WHERE task_uid = $1 AND state = 'Open'";
const ALL: &str = "SELECT count(*) FROM escalations WHERE task_uid = $1";
const FACTS: &str = "SELECT count(*) FROM facts WHERE object_uid = $1";

/// A namespace whose policy asks, and whose Budget has too little.
async fn asking_home(world: &World, name: &str, more: &Value) -> String {
    let home = priced_home(world, name).await;
    let mut spec = json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": home}},
        "forecast": {"onExceeds": "Ask"},
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world
        .apply(&json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "GovernancePolicy",
            "metadata": {"name": home}, "spec": spec}))
        .await;
    limit(world, &home, 200_000).await;
    let account = uid(&world.of::<Budget>(&home).get("all").await.unwrap());
    world.count("SELECT limit_cost FROM accounts WHERE account_uid = $1", account, 200_000).await;
    spend(world, account, 100_000).await;
    home
}

async fn limit(world: &World, home: &str, cost: i64) {
    let mut edited = budget(home, "all");
    edited["spec"]["limits"]["costMicroUSD"] = json!(cost);
    world.apply(&edited).await;
}

/// A task about which a person is asked, with the digest.
async fn asked(world: &World, home: &str, name: &str) -> (Uuid, String) {
    world.apply(&task(home, name, "core")).await;
    let task = world
        .until::<AgentTask>(home, name, SOON, |t| of_task(t, APPROVED) == "False/EscalationPending")
        .await;
    (uid(&task), task.status.unwrap().escalation.unwrap().digest)
}

async fn answer(
    world: &World,
    home: &str,
    target: (&str, Uuid, &str),
    verdict: &Value,
    by: &str,
) -> Decision {
    let (task, uid, digest) = target;
    let name = format!("{task}-{by}-{}", &digest[7..15]);
    let mut spec = json!({
        "target": {"kind": "AgentTask", "name": task, "uid": uid, "digest": digest}, "decidedBy": by, "note": "as agreed",
    });
    spec.as_object_mut().unwrap().extend(verdict.as_object().unwrap().clone());
    world
        .apply(&json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "Decision",
            "metadata": {"name": name, "namespace": home}, "spec": spec}))
        .await;
    let settled = |d: &Decision| !verdict_of(d).starts_with("Unknown") && verdict_of(d) != "absent";
    world.until::<Decision>(home, &name, SOON, settled).await
}

fn verdict_of(decision: &Decision) -> String {
    shown(decision.status.as_ref().map(|s| s.conditions.as_slice()), ACCEPTED)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_lets_a_task_start_all_the_same_and_their_answer_goes_into_its_record() {
    let world = &shared().await;
    let home = asking_home(world, "forecast-asks-start", &json!({})).await;
    let (id, digest) = asked(world, &home, "fix").await;
    let task = world.of::<AgentTask>(&home).get("fix").await.unwrap();
    assert_eq!(of_task(&task, ADMITTED), "False/ForecastExceedsBudget");
    assert_eq!(
        (of_task(&task, STALLED), of_task(&task, "Reconciling")),
        ("absent".into(), "True/AwaitingPerson".into())
    );
    let status = task.status.unwrap();
    let told = &find(&status.conditions, ADMITTED).unwrap().message;
    for part in
        ["$0.13", "Budget forecast-asks-start/all has $0.10 left, $0.03 too little", "golden approve fix"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    let evidence: Value = sqlx::query_scalar("SELECT evidence FROM escalations WHERE task_uid = $1")
        .bind(id)
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(
        evidence["lacks"],
        json!([{"account": format!("Budget {home}/all"), "availableMicroUSD": 100_000,
        "missingMicroUSD": 32_000}])
    );

    // Whoever wants money of others for their own work does not let it start.
    let own = answer(world, &home, ("fix", id, &digest), &json!({"verdict": "Approve"}), "alice").await;
    assert_eq!(verdict_of(&own), "False/SelfApproval");
    let stale = format!("sha256:{}", "0".repeat(64));
    let other = answer(world, &home, ("fix", id, &stale), &json!({"verdict": "Approve"}), "carol").await;
    assert_eq!(verdict_of(&other), "False/DigestStale");
    world.count(OPEN, id, 1).await;

    let right = answer(world, &home, ("fix", id, &digest), &json!({"verdict": "Approve"}), "bob").await;
    assert_eq!(verdict_of(&right), "True/Accepted");
    let begun =
        world.until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, ADMITTED) == "True/Admitted").await;
    assert_eq!(
        (begun.status.as_ref().unwrap().escalation.as_ref(), of_task(&begun, APPROVED)),
        (None, "absent".into())
    );
    let started: Value = sqlx::query_scalar("SELECT body->'startedAnyway' FROM facts WHERE object_uid = $1")
        .bind(id)
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(started["decision"]["decidedBy"], "bob");
    assert_eq!(started["decision"]["decisionUid"], json!(uid(&right)));
    assert_eq!(
        (&started["question"]["wantedMicroUSD"], &started["question"]["basis"]),
        (&json!(132_000), &json!(0))
    );
    world.count(ALL, id, 1).await;
    let late = answer(world, &home, ("fix", id, &digest), &json!({"verdict": "Deny"}), "dave").await;
    assert_eq!(verdict_of(&late), "False/NothingToDecide");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lets_it_wait_is_not_asked_again_and_it_begins_once_there_is_enough() {
    let world = &shared().await;
    let home = asking_home(world, "forecast-asks-wait", &json!({})).await;
    let (id, digest) = asked(world, &home, "fix").await;
    let wait = json!({"verdict": "Option", "option": "Wait"});
    let waits = answer(world, &home, ("fix", id, &digest), &wait, "bob").await;
    assert_eq!(verdict_of(&waits), "True/Accepted");
    let held = world
        .until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, STALLED) == "True/ForecastExceedsBudget")
        .await;
    assert_eq!(of_task(&held, APPROVED), "absent");
    assert!(find(&held.status.unwrap().conditions, ADMITTED).unwrap().message.contains("bob lets it wait"));
    // Still too little: nobody is asked a second time.
    limit(world, &home, 210_000).await;
    let tight = |t: &AgentTask| {
        let conditions = t.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
        find(conditions, ADMITTED).is_some_and(|c| c.message.contains("$0.11 left"))
    };
    world.until::<AgentTask>(&home, "fix", SOON * 2, tight).await;
    world.count(ALL, id, 1).await;
    limit(world, &home, 232_000).await;
    world.until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, ADMITTED) == "True/Admitted").await;
    let state: (String, Option<String>) =
        sqlx::query_as("SELECT state, chosen FROM escalations WHERE task_uid = $1")
            .bind(id)
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!(state, ("Resolved".into(), Some("Wait".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_task_ends_for_good_and_a_raised_budget_withdraws_the_question() {
    let world = &shared().await;
    let home = asking_home(world, "forecast-asks-refuse", &json!({})).await;
    let (refused, digest) = asked(world, &home, "refused").await;
    let (withdrawn, _) = asked(world, &home, "withdrawn").await;
    after(world, &home, "dependent", "refused").await;
    comes_to(world, &home, "dependent", ADMITTED, "False/DependencyPending").await;
    // Who submitted it may give it up.
    answer(world, &home, ("refused", refused, &digest), &json!({"verdict": "Deny"}), "alice").await;
    let ended = world
        .until::<AgentTask>(&home, "refused", SOON, |t| of_task(t, FAILED) == "True/EscalationDenied")
        .await;
    let message = &find(&ended.status.as_ref().unwrap().conditions, FAILED).unwrap().message;
    assert!(message.contains("alice refused to let it start"), "{message}");
    // Nobody is asked about a task that can never begin.
    let dependent = comes_to(world, &home, "dependent", FAILED, "True/DependencyFailed").await;
    world.count(ALL, uid(&dependent), 0).await;

    limit(world, &home, 500_000).await;
    world.until::<AgentTask>(&home, "withdrawn", SOON, |t| of_task(t, ADMITTED) == "True/Admitted").await;
    world.count(OPEN, withdrawn, 0).await;
    world
        .count("SELECT count(*) FROM escalations WHERE task_uid = $1 AND state = 'Withdrawn'", withdrawn, 1)
        .await;
    // There is enough now, and it was edited: a refusal stands.
    let mut edited = task(&home, "refused", "core");
    edited["spec"]["priority"] = json!(7);
    world.apply(&edited).await;
    let seen = |t: &AgentTask| t.status.as_ref().and_then(|s| s.observed_generation) == t.metadata.generation;
    let after = world.until::<AgentTask>(&home, "refused", SOON, seen).await;
    assert_eq!(of_task(&after, FAILED), "True/EscalationDenied");
    world.count(FACTS, refused, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_answers_and_the_policys_default_counts() {
    let world = &shared().await;
    let rules = json!({"forecast": {"onExceeds": "Ask", "onDeadline": "Refuse"}, "escalation": {"deadlineSeconds": 10}});
    let home = asking_home(world, "forecast-asks-deadline", &rules).await;
    let (id, digest) = asked(world, &home, "fix").await;
    world
        .until::<AgentTask>(&home, "fix", SOON * 2, |t| of_task(t, FAILED) == "True/EscalationExpired")
        .await;
    world.count("SELECT count(*) FROM escalations WHERE task_uid = $1 AND chosen = 'Refuse'", id, 1).await;
    let late = answer(world, &home, ("fix", id, &digest), &json!({"verdict": "Approve"}), "bob").await;
    assert_eq!(verdict_of(&late), "False/NothingToDecide");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_question_outlives_its_task_or_its_team() {
    let world = &shared().await;
    let home = asking_home(world, "forecast-asks-gone", &json!({})).await;
    let (deleted, _) = asked(world, &home, "deleted").await;
    world.of::<AgentTask>(&home).delete("deleted", &DeleteParams::default()).await.unwrap();
    world.count(OPEN, deleted, 0).await;
    let (cancelled, _) = asked(world, &home, "cancelled").await;
    let mut given_up = task(&home, "cancelled", "core");
    given_up["spec"]["desiredState"] = json!("Cancelled");
    world.apply(&given_up).await;
    world.count(OPEN, cancelled, 0).await;
    let (orphan, _) = asked(world, &home, "orphan").await;
    world.of::<AgentTeam>(&home).delete("core", &DeleteParams::default()).await.unwrap();
    world.gone::<AgentTeam>(&home, "core").await;
    world.count(OPEN, orphan, 0).await;
    let left = world
        .until::<AgentTask>(&home, "orphan", SOON, |t| of_task(t, ADMITTED) == "False/TeamNotFound")
        .await;
    assert_eq!(of_task(&left, APPROVED), "absent");
}
