use crate::objects::{admitted, home, of_task, orchestrate, view};
use crate::world::{SOON, shared};
use golden_crds::AgentTask;
use golden_crds::conditions::{ADMITTED, APPROVED, COMPLETE, FAILED, RECONCILING, STALLED};
use kube::api::DeleteParams;
use serde_json::json;
use std::time::Duration;

const WORKING: [(&str, &str, &str); 3] = [
    ("Admitted", "True", "Admitted"),
    ("Complete", "False", "Producing"),
    ("Reconciling", "True", "Producing"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_task_costs_few_status_writes_however_often_its_stage_changes() {
    let world = &shared().await;
    let home = home(world, "status-writes").await;
    let (task, _) = admitted(world, &home, "fix").await;
    for n in 0..20 {
        let mut flap = view(if n % 2 == 0 { "Producing" } else { "Guarding" }, &WORKING);
        flap["attempt"] = json!(n / 5 + 1);
        orchestrate(world, &task, &flap).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    orchestrate(
        world,
        &task,
        &view("Ended", &[("Admitted", "True", "Admitted"), ("Complete", "True", "Delivered")]),
    )
    .await;
    let done =
        world.until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, COMPLETE) == "True/Delivered").await;
    assert_eq!(of_task(&done, RECONCILING), "absent");
    assert_eq!(done.status.unwrap().usage.unwrap().cost, "$0.00");
    let writes = world.status_writes("agenttasks", &home, "fix");
    assert!((2..=4).contains(&writes), "{writes} status writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_to_a_person_is_shown_at_once() {
    let world = &shared().await;
    let home = home(world, "status-asks").await;
    let (task, _) = admitted(world, &home, "fix").await;
    orchestrate(world, &task, &view("Producing", &WORKING)).await;
    let digest = format!("sha256:{}", "a".repeat(64));
    let mut asks = view(
        "Approving",
        &[
            ("Admitted", "True", "Admitted"),
            ("Approved", "False", "ApprovalPending"),
            ("Complete", "False", "AwaitingPerson"),
            ("Reconciling", "True", "AwaitingPerson"),
        ],
    );
    asks["result"] = json!({"digest": digest});
    orchestrate(world, &task, &asks).await;
    let shown = world
        .until::<AgentTask>(&home, "fix", Duration::from_secs(5), |t| {
            of_task(t, APPROVED) == "False/ApprovalPending"
        })
        .await;
    assert_eq!(shown.status.unwrap().result.unwrap().digest, digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_team_ends_its_tasks() {
    let world = &shared().await;
    let home = home(world, "status-team").await;
    let (task, id) = admitted(world, &home, "fix").await;
    orchestrate(world, &task, &view("Producing", &WORKING)).await;
    // One that the orchestrator never took in.
    let (_, unseen) = admitted(world, &home, "unseen").await;
    world.of::<golden_crds::AgentTeam>(&home).delete("core", &DeleteParams::default()).await.unwrap();
    let ended =
        world.until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, FAILED) == "True/TeamDeleted").await;
    assert_eq!(of_task(&ended, STALLED), "True/TeamDeleted");
    world.until::<AgentTask>(&home, "unseen", SOON, |t| of_task(t, FAILED) == "True/TeamDeleted").await;
    for uid in [id, unseen] {
        let ended =
            "SELECT count(*) FROM tasks WHERE task_uid = $1 AND ended_at IS NOT NULL AND outcome = 'Failed'";
        world.count(ended, uid, 1).await;
        let recorded = "SELECT count(*) FROM task_events WHERE task_uid = $1 AND kind = 'Ended'
                          AND body->>'reason' = 'TeamDeleted'";
        world.count(recorded, uid, 1).await;
    }
    // A later task finds no team, and says so.
    world.apply(&crate::objects::task(&home, "late", "core")).await;
    world.until::<AgentTask>(&home, "late", SOON, |t| of_task(t, ADMITTED) == "False/TeamNotFound").await;
}
