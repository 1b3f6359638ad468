use crate::objects::shown;
use crate::world::{SOON, shared};
use golden_crds::SandboxRun;
use golden_crds::conditions::{COMPLETE, FAILED, STALLED};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};

fn run(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "SandboxRun",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"image": "golden-python", "command": ["python3", "-c", "print('hello')"]},
    })
}

fn of(run: &SandboxRun, type_: &str) -> String {
    shown(run.status.as_ref().map(|s| s.conditions.as_slice()), type_)
}

fn ended(report: &Value) -> Value {
    json!({"phase": "Succeeded", "containerStatuses": [{
        "name": "run", "image": "golden-python", "imageID": "sha256:abc", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": 0, "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z",
            "message": report.to_string()}},
    }]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_becomes_a_pod_and_its_result_outlives_the_pod() {
    let world = &shared().await;
    let home = world.namespace("run-life").await;
    world.apply(&run(&home, "hello")).await;
    let pod = world.until::<Pod>(&home, "hello", SOON, |_| true).await;
    assert_eq!(pod.spec.unwrap().runtime_class_name.as_deref(), Some("gvisor"));
    world.until::<SandboxRun>(&home, "hello", SOON, |r| of(r, COMPLETE) == "False/Pending").await;
    let report = json!({"exitCode": 0, "reason": "Completed", "message": "", "tail": "hello", "cpuMillis": 12,
        "peakMemoryBytes": 4096, "durationMillis": 34});
    world.kubelet(&home, "hello", &ended(&report)).await;
    let done = world.until::<SandboxRun>(&home, "hello", SOON, |r| of(r, COMPLETE) == "True/Completed").await;
    let status = done.status.unwrap();
    assert_eq!((status.exit_code, status.output_tail.as_deref()), (Some(0), Some("hello")));
    assert_eq!(
        (status.image_id.as_deref(), status.isolation.as_deref()),
        (Some("sha256:abc"), Some("gvisor"))
    );
    world.gone::<Pod>(&home, "hello").await;
    assert_eq!(world.status_writes("sandboxruns", &home, "hello"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_asks_for_an_isolation_that_is_not_there_fails_and_makes_no_pod() {
    let world = &shared().await;
    let home = world.namespace("run-class").await;
    let mut strong = run(&home, "strong");
    strong["spec"]["runtimeClassName"] = json!("kata");
    world.apply(&strong).await;
    world.until::<SandboxRun>(&home, "strong", SOON, |r| of(r, FAILED) == "True/IsolationUnavailable").await;
    assert!(world.of::<Pod>(&home).get_opt("strong").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_cannot_be_pulled_stalls_the_run_and_it_goes_on_when_it_can() {
    let world = &shared().await;
    let home = world.namespace("run-image").await;
    world.apply(&run(&home, "image")).await;
    world.until::<Pod>(&home, "image", SOON, |_| true).await;
    let waiting = json!({"phase": "Pending", "containerStatuses": [{"name": "run", "image": "i", "imageID": "", "ready": false,
        "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]});
    world.kubelet(&home, "image", &waiting).await;
    world.until::<SandboxRun>(&home, "image", SOON, |r| of(r, STALLED) == "True/ImageError").await;
    let report = json!({"exitCode": 3, "reason": "NonZeroExit", "message": "exit code 3", "tail": ""});
    world.kubelet(&home, "image", &ended(&report)).await;
    let done = world.until::<SandboxRun>(&home, "image", SOON, |r| of(r, FAILED) == "True/NonZeroExit").await;
    assert_eq!(done.status.unwrap().exit_code, Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_taken_away_is_no_verdict() {
    let world = &shared().await;
    let home = world.namespace("run-lost").await;
    world.apply(&run(&home, "lost")).await;
    let pod = world.until::<Pod>(&home, "lost", SOON, |_| true).await;
    world.until::<SandboxRun>(&home, "lost", SOON, |r| of(r, COMPLETE) == "False/Pending").await;
    world
        .of::<Pod>(&home)
        .delete(&pod.name_any(), &DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() })
        .await
        .unwrap();
    world.until::<SandboxRun>(&home, "lost", SOON, |r| of(r, FAILED) == "True/PodEvicted").await;
    assert!(world.of::<Pod>(&home).get_opt("lost").await.unwrap().is_none(), "a run is made once");
}
