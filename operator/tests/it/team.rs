use crate::objects::{make_available, of_team, team, uid};
use crate::world::{GOLDEN, SOON, shared};
use golden_crds::conditions::{READY, STALLED};
use golden_crds::labels::service_name;
use golden_crds::{AgentTeam, ModelProvider};
use golden_platform::subjects::{dlq_stream, escalations_stream, prc_stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use std::time::{Duration, Instant};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn a_team_becomes_its_services_and_streams_and_leaves_nothing_behind() {
    let world = &shared().await;
    let home = world.namespace("team-life").await;
    world.apply(&team(&home, "core")).await;
    let made = world
        .until::<AgentTeam>(&home, "core", SOON, |t| of_team(t, READY) == "False/ServiceUnavailable")
        .await;
    let id = uid(&made);
    let names = ["orchestrator", "peer-hub", "supervisor", "sandbox"]
        .map(|s| service_name(s, "core", &id.to_string()));
    for name in &names {
        world.until::<Deployment>(GOLDEN, name, SOON, |_| true).await;
        world.until::<Service>(GOLDEN, name, SOON, |_| true).await;
    }
    world.until::<ServiceAccount>(&home, "golden-run", SOON, |_| true).await;
    world.until::<ServiceAccount>(&home, "golden-reader", SOON, |_| true).await;
    world.until::<ServiceAccount>(&home, "golden-steward", SOON, |_| true).await;
    world.until::<NetworkPolicy>(&home, "golden-run-default-deny", SOON, |_| true).await;
    for stream in [prc_stream(id), escalations_stream(id), dlq_stream(id)] {
        world.js.get_stream(&stream).await.unwrap();
    }
    make_available(world, id).await;
    let ready =
        world.until::<AgentTeam>(&home, "core", SOON, |t| of_team(t, READY) == "True/Available").await;
    assert_eq!(ready.status.unwrap().services_ready.as_deref(), Some("4/4"));

    // What somebody changes by hand is put right.
    let scaled = Patch::Merge(json!({"spec": {"replicas": 0}}));
    world.of::<Deployment>(GOLDEN).patch(&names[0], &PatchParams::default(), &scaled).await.unwrap();
    world
        .until::<Deployment>(GOLDEN, &names[0], SOON, |d| d.spec.as_ref().unwrap().replicas == Some(1))
        .await;
    world.of::<Deployment>(GOLDEN).delete(&names[1], &DeleteParams::default()).await.unwrap();
    world.until::<Deployment>(GOLDEN, &names[1], SOON, |d| d.metadata.deletion_timestamp.is_none()).await;

    world.of::<AgentTeam>(&home).delete("core", &DeleteParams::default()).await.unwrap();
    world.gone::<AgentTeam>(&home, "core").await;
    for name in &names {
        world.gone::<Service>(GOLDEN, name).await;
        assert!(
            world
                .of::<Deployment>(GOLDEN)
                .get_opt(name)
                .await
                .unwrap()
                .is_none_or(|d| d.metadata.deletion_timestamp.is_some())
        );
    }
    assert!(world.js.get_stream(&prc_stream(id)).await.is_err());
    world.count("SELECT count(*) FROM teams WHERE team_uid = $1 AND deleted_at IS NOT NULL", id, 1).await;

    // As if NATS had been away when the team ended: the sweep ends its streams.
    golden_platform::streams::ensure(&world.js, id).await.unwrap();
    sqlx::query("UPDATE teams SET deleted_at = now() - interval '1 hour' WHERE team_uid = $1")
        .bind(id)
        .execute(&world.pool)
        .await
        .unwrap();
    let begun = Instant::now();
    while world.js.get_stream(&dlq_stream(id)).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_mins(1), "the streams of the ended team are still there");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(world.js.get_stream(&prc_stream(id)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teams_row_says_which_namespace_of_its_name_it_belongs_to() {
    let world = &shared().await;
    let home = world.namespace("team-of-which").await;
    world.apply(&team(&home, "core")).await;
    let made = world
        .until::<AgentTeam>(&home, "core", SOON, |t| of_team(t, READY) == "False/ServiceUnavailable")
        .await;
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let lives: Uuid = namespaces.get(&home).await.unwrap().metadata.uid.unwrap().parse().unwrap();
    world
        .count("SELECT count(*) FROM teams WHERE team_uid = $1 AND namespace_uid IS NOT NULL", uid(&made), 1)
        .await;
    world.count("SELECT count(*) FROM teams WHERE namespace_uid = $1", lives, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_messages_is_kept_when_its_team_goes() {
    let world = &shared().await;
    let home = world.namespace("team-kept").await;
    world.apply(&team(&home, "core")).await;
    let made = world
        .until::<AgentTeam>(&home, "core", SOON, |t| of_team(t, READY) == "False/ServiceUnavailable")
        .await;
    let id = uid(&made);
    world.js.publish(golden_platform::subjects::review(id), "work".into()).await.unwrap().await.unwrap();
    world.of::<AgentTeam>(&home).delete("core", &DeleteParams::default()).await.unwrap();
    world.gone::<AgentTeam>(&home, "core").await;
    assert_eq!(world.js.get_stream(prc_stream(id)).await.unwrap().cached_info().state.messages, 1);
    assert!(world.js.get_stream(escalations_stream(id)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_with_an_unknown_provider_stalls_and_recovers_when_it_is_made() {
    let world = &shared().await;
    let home = world.namespace("team-provider").await;
    let mut lacking = team(&home, "core");
    lacking["spec"]["roles"][0]["modelRef"]["provider"] = json!("own");
    world.apply(&lacking).await;
    world.until::<AgentTeam>(&home, "core", SOON, |t| of_team(t, STALLED) == "True/ProviderNotFound").await;
    // Its price is missing, then its Secret is not annotated, then all is well.
    let mut own = crate::objects::provider(&home, "own");
    own["spec"]["models"][0].as_object_mut().unwrap().remove("inputMicroUSDPerMToken");
    world.apply(&own).await;
    world.until::<AgentTeam>(&home, "core", SOON, |t| of_team(t, STALLED) == "True/ModelUnpriced").await;
    let mut own = crate::objects::provider(&home, "own");
    own["spec"]["secretRef"] = json!({"name": "key"});
    world
        .apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": home},
        "stringData": {"apiKey": "k"}}))
        .await;
    world.apply(&own).await;
    let stalled = |p: &ModelProvider, why: &str| {
        crate::objects::shown(p.status.as_ref().map(|s| s.conditions.as_slice()), STALLED)
            == format!("True/{why}")
    };
    world.until::<ModelProvider>(&home, "own", SOON, |p| stalled(p, "SecretNotAnnotated")).await;
    world.until::<AgentTeam>(&home, "core", SOON, |t| of_team(t, STALLED) == "True/ProviderNotReady").await;
    world
        .apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": home,
        "annotations": {"goldenarch.dev/use": "model", "goldenarch.dev/hosts": "model.example"}}}))
        .await;
    // Secrets are not watched: this takes the half-minute look.
    let patience = SOON * 2;
    world.until::<AgentTeam>(&home, "core", patience, |t| of_team(t, STALLED) == "absent").await;
}
