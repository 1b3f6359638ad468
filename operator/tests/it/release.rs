//! What stands before an uninstall, in a world of its own: the operator of the shared one would put all back.

use crate::objects::{of_team, team, uid};
use crate::world::{GOLDEN, SOON, World};
use golden_crds::AgentTeam;
use golden_crds::conditions::READY;
use golden_crds::labels::service_name;
use golden_operator::{ReleaseArgs, Released, release_by};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

const OPERATOR: &str = "golden-operator";

fn args(timeout_seconds: u64) -> ReleaseArgs {
    ReleaseArgs { namespace: GOLDEN.into(), timeout_seconds }
}

/// The operator's Deployment and a pod of it, as the chart names them.
fn chart() -> [Value; 2] {
    let labels = json!({"app.kubernetes.io/name": "golden", "app.kubernetes.io/component": "operator"});
    let spec = json!({"containers": [{"name": "operator", "image": "golden:test"}]});
    [
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": OPERATOR, "namespace": GOLDEN},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec}}}),
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": OPERATOR, "namespace": GOLDEN, "labels": labels}, "spec": spec}),
    ]
}

async fn finalizers(world: &World, home: &str) -> Vec<String> {
    world.of::<AgentTeam>(home).get("core").await.unwrap().finalizers().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_waits_for_the_operator_and_leaves_nothing_that_hangs() {
    let world = World::start("release").await;
    let home = world.namespace("released").await;
    world.apply(&team(&home, "core")).await;
    let operator = world.operator("one").await;
    let made = world
        .until::<AgentTeam>(&home, "core", SOON, |t| of_team(t, READY) == "False/ServiceUnavailable")
        .await;
    let others = Patch::Merge(json!({"metadata": {"finalizers": ["example/backup", "goldenarch.dev/team"]}}));
    world.of::<AgentTeam>(&home).patch("core", &PatchParams::default(), &others).await.unwrap();
    for object in chart() {
        world.apply(&object).await;
    }

    // While a pod of the operator is there it could put the finalizer back, so nothing is taken off.
    let early = release_by(args(2), world.client.clone()).await.unwrap_err().to_string();
    assert!(early.contains(OPERATOR), "{early}");
    assert!(finalizers(&world, &home).await.contains(&"goldenarch.dev/team".to_owned()));
    let scaled = world.of::<Deployment>(GOLDEN).get(OPERATOR).await.unwrap();
    assert_eq!(scaled.spec.unwrap().replicas, Some(0));

    operator.stop.cancel();
    operator.task.await.unwrap().unwrap();
    world.of::<Pod>(GOLDEN).delete(OPERATOR, &DeleteParams::default().grace_period(0)).await.unwrap();
    let done = release_by(args(60), world.client.clone()).await.unwrap();
    assert_eq!(
        done,
        Released { teams: 1, children: 8 },
        "four services, each with a Deployment and a Service"
    );
    assert_eq!(finalizers(&world, &home).await, ["example/backup"]);
    let service = service_name("orchestrator", "core", &uid(&made).to_string());
    world.gone::<Service>(GOLDEN, &service).await;
    // What is no team's is the release's own business.
    assert!(world.of::<Deployment>(GOLDEN).get_opt(OPERATOR).await.unwrap().is_some());

    let again = release_by(args(60), world.client.clone()).await.unwrap();
    assert_eq!(again, Released::default(), "a second run finds nothing to do");
    let others = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    world.of::<AgentTeam>(&home).patch("core", &PatchParams::default(), &others).await.unwrap();
    world.of::<AgentTeam>(&home).delete("core", &DeleteParams::default()).await.unwrap();
    world.gone::<AgentTeam>(&home, "core").await;
}
