//! Faults of the world around the operator, each in a world of its own.

use crate::objects::{admitted, home, make_available, of_task, of_team, orchestrate, task, team, uid, view};
use crate::world::{GOLDEN, SOON, World};
use golden_crds::conditions::{READY, STALLED};
use golden_crds::{AgentTask, AgentTeam, GovernancePolicy};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use std::time::{Duration, Instant};

async fn leader(world: &World, within: Duration, name: &str) {
    world
        .until::<Lease>(GOLDEN, "golden-operator", within, |l| {
            l.spec.as_ref().and_then(|s| s.holder_identity.as_deref()) == Some(name)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_takes_over_at_once_after_a_stop_and_when_the_lease_expires_after_a_crash() {
    let world = World::start("failover").await;
    let first = world.operator("one").await;
    leader(&world, SOON, "one").await;
    let second = world.operator("two").await;
    world.namespace("before").await;
    world.apply(&team("before", "core")).await;
    world
        .until::<AgentTeam>("before", "core", SOON, |t| of_team(t, READY) == "False/ServiceUnavailable")
        .await;

    // An orderly stop hands the lease over.
    first.stop.cancel();
    first.task.await.unwrap().unwrap();
    let handed = Instant::now();
    leader(&world, Duration::from_secs(8), "two").await;
    assert!(handed.elapsed() < Duration::from_secs(8));
    world.namespace("between").await;
    world.apply(&team("between", "core")).await;
    world
        .until::<AgentTeam>("between", "core", SOON, |t| of_team(t, READY) == "False/ServiceUnavailable")
        .await;

    second.stop.cancel();
    second.task.await.unwrap().unwrap();

    // A leader that crashed holds its lease until it expires, and not longer.
    hold(&world, "ghost").await;
    let third = world.operator("three").await;
    let waiting = Instant::now();
    leader(&world, Duration::from_secs(40), "three").await;
    assert!(waiting.elapsed() > Duration::from_secs(12), "taken over after {:?}", waiting.elapsed());
    world.namespace("after").await;
    world.apply(&team("after", "core")).await;
    world
        .until::<AgentTeam>("after", "core", SOON, |t| of_team(t, READY) == "False/ServiceUnavailable")
        .await;

    // A leader that finds another in its place ends: two must not act.
    hold(&world, "usurper").await;
    let ended = tokio::time::timeout(SOON, third.task).await.expect("it ends").unwrap();
    assert!(ended.unwrap_err().to_string().contains("another operator may lead"));
}

/// Takes the lease as a process that then does nothing.
async fn hold(world: &World, name: &str) {
    let held = Patch::Merge(json!({"spec": {"holderIdentity": name, "leaseDurationSeconds": 15,
        "renewTime": k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime(jiff::Timestamp::now())}}));
    world.of::<Lease>(GOLDEN).patch("golden-operator", &PatchParams::default(), &held).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_that_are_away_are_named_and_work_goes_on_when_they_are_back() {
    let world = World::start("stores").await;
    let operator = world.operator("one").await;
    let home = home(&world, "stores").await;
    let (task, _) = admitted(&world, &home, "fix").await;
    let working = [
        ("Admitted", "True", "Admitted"),
        ("Complete", "False", "Producing"),
        ("Reconciling", "True", "Producing"),
    ];
    orchestrate(&world, &task, &view("Producing", &working)).await;

    world.servers.postgres.stop().unwrap();
    let patience = Duration::from_secs(90);
    world
        .until::<AgentTask>(&home, "fix", patience, |t| of_task(t, STALLED) == "True/DatabaseUnreachable")
        .await;
    world.servers.postgres.restart().unwrap();
    world.until::<AgentTask>(&home, "fix", patience, |t| of_task(t, STALLED) == "absent").await;

    world.servers.nats.stop().unwrap();
    world.apply(&team(&home, "second")).await;
    world
        .until::<AgentTeam>(&home, "second", patience, |t| of_team(t, STALLED) == "True/MessagingUnreachable")
        .await;
    world.servers.nats.restart().unwrap();
    let second =
        world.until::<AgentTeam>(&home, "second", patience, |t| of_team(t, STALLED) == "absent").await;
    make_available(&world, uid(&second)).await;
    world.until::<AgentTeam>(&home, "second", SOON, |t| of_team(t, READY) == "True/Available").await;

    // The apiserver too: the operator goes on without a restart.
    world.servers.api.kill().unwrap();
    world.servers.api.restart().unwrap();
    orchestrate(
        &world,
        &task,
        &view("Ended", &[("Admitted", "True", "Admitted"), ("Complete", "True", "Delivered")]),
    )
    .await;
    world.until::<AgentTask>(&home, "fix", patience, |t| of_task(t, "Complete") == "True/Delivered").await;
    operator.stop.cancel();
    operator.task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_read_blocks_no_other() {
    let world = World::start("unreadable").await;
    let operator = world.operator("one").await;
    // As an older version with a looser schema would have let it in.
    let crds: kube::Api<
        k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    > = kube::Api::all(world.client.clone());
    let loose = json!([{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema",
        "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}]);
    let patch: Patch<()> = Patch::Json(serde_json::from_value(loose).unwrap());
    crds.patch("agentteams.goldenarch.dev", &PatchParams::default(), &patch).await.unwrap();
    world.namespace("odd").await;
    // The looser schema is served a moment after it is written.
    let start = Instant::now();
    let odd = json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTeam",
        "metadata": {"name": "odd", "namespace": "odd"}, "spec": {"roles": "none"}});
    let resource = kube::core::ApiResource::erase::<AgentTeam>(&());
    let api: kube::Api<kube::core::DynamicObject> =
        kube::Api::namespaced_with(world.client.clone(), "odd", &resource);
    while let Err(error) =
        api.create(&kube::api::PostParams::default(), &serde_json::from_value(odd.clone()).unwrap()).await
    {
        assert!(start.elapsed() < SOON, "{error}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    world.apply(&team("odd", "even")).await;
    world.until::<AgentTeam>("odd", "even", SOON, |t| of_team(t, READY) == "False/ServiceUnavailable").await;
    world.told("odd", "Warning/InvalidSpec").await;
    operator.stop.cancel();
    operator.task.await.unwrap().unwrap();
}

/// As after a rollback: the kinds are newer than the operator, and a policy uses what only they know. (An operator that
/// runs while its kinds are replaced sees such a field when the apiserver ends the watches of the old ones, which
/// takes it a minute or two.)
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_with_a_field_that_is_not_served_blocks_tasks_and_says_so() {
    let world = World::start("unserved").await;
    let crds: kube::Api<
        k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    > = kube::Api::all(world.client.clone());
    let newer = json!([{"op": "add",
        "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/quarantine",
        "value": {"type": "boolean"}}]);
    let patch: Patch<()> = Patch::Json(serde_json::from_value(newer).unwrap());
    crds.patch("governancepolicies.goldenarch.dev", &PatchParams::default(), &patch).await.unwrap();
    let resource = kube::core::ApiResource::erase::<GovernancePolicy>(&());
    let api: kube::Api<kube::core::DynamicObject> = kube::Api::all_with(world.client.clone(), &resource);
    let policy = json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "GovernancePolicy",
        "metadata": {"name": "newer"}, "spec": {"quarantine": true}});
    let (start, patience) = (Instant::now(), Duration::from_mins(1));
    let mut made =
        api.create(&kube::api::PostParams::default(), &serde_json::from_value(policy.clone()).unwrap()).await;
    // The newer schema is served a moment after it is written; until then the field is left out.
    while made.as_ref().is_ok_and(|p| p.data["spec"].get("quarantine").is_none()) {
        assert!(start.elapsed() < patience);
        api.delete("newer", &kube::api::DeleteParams::default()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        made = api
            .create(&kube::api::PostParams::default(), &serde_json::from_value(policy.clone()).unwrap())
            .await;
    }
    made.unwrap();
    let operator = world.operator("one").await;
    let home = home(&world, "skew").await;
    let stalled = |p: &kube::core::DynamicObject| {
        let conditions = p.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|c| c["type"] == "Stalled")
    };
    let told = loop {
        if let Some(told) = stalled(&api.get("newer").await.unwrap()) {
            break told;
        }
        assert!(start.elapsed() < patience * 2, "the policy's conditions say nothing");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(told["reason"], "UnservedField");
    assert!(told["message"].as_str().unwrap().contains("spec.quarantine"), "{told}");

    world.apply(&task(&home, "waits", "core")).await;
    let refused = |t: &AgentTask| of_task(t, "Admitted") == "False/PolicyNotReady";
    world.until::<AgentTask>(&home, "waits", patience, refused).await;
    api.delete("newer", &kube::api::DeleteParams::default()).await.unwrap();
    let admitted = |t: &AgentTask| of_task(t, "Admitted") == "True/Admitted";
    world.until::<AgentTask>(&home, "waits", patience, admitted).await;
    operator.stop.cancel();
    operator.task.await.unwrap().unwrap();
}
