use super::*;
use crate::build::{BuildContext, pod as build};
use crate::report::Kept;
use golden_crds::SandboxRun;
use serde_json::{Value, json};

fn pod(status: Value) -> Pod {
    let mut run = SandboxRun::new(
        "r",
        serde_json::from_value(json!({"image": "i", "command": ["true"], "outputs": ["a", "b/c"]})).unwrap(),
    );
    run.metadata.uid = Some("u".into());
    let context = BuildContext {
        golden_image: "g".into(),
        image_pull_policy: "IfNotPresent".into(),
        sandbox_url: Some("http://s".into()),
        service_account: "golden-run".into(),
        placement: None,
    };
    let mut pod = build(&run, &context);
    pod.status = Some(serde_json::from_value(status).unwrap());
    pod
}

fn container(name: &str, state: &Value) -> Value {
    json!({"name": name, "image": "i", "imageID": "docker.io/i@sha256:0", "ready": false, "restartCount": 0,
           "state": state})
}

fn run_ended(exit: i32, reason: &str, message: &str) -> Value {
    json!({"phase": "Running", "containerStatuses": [container("run", &json!({"terminated": {
        "exitCode": exit, "reason": reason, "message": message, "startedAt": "2026-01-01T00:00:00Z"}}))]})
}

fn finished(status: Value) -> RunOutcome {
    match outcome(&pod(status)) {
        Outcome::Finished(outcome) => *outcome,
        other => panic!("not finished: {other:?}"),
    }
}

fn report(reason: &str, exit: i32) -> String {
    let report = Report {
        exit_code: Some(exit),
        tail: "2 failed".into(),
        artifacts: vec![
            Kept { of: "stdout".into(), digest: "sha256:1".into(), bytes: 1 },
            Kept { of: "1".into(), digest: "sha256:2".into(), bytes: 2 },
            Kept { of: "9".into(), digest: "sha256:3".into(), bytes: 3 },
        ],
        ..Report::not_run(reason, "it ended")
    };
    report.to_message()
}

#[test]
fn a_runs_end_is_read_as_soon_as_its_container_has_ended() {
    let outcome = finished(run_ended(0, "Completed", &report("NonZeroExit", 1)));
    assert_eq!((outcome.reason.as_str(), outcome.exit_code), ("NonZeroExit", Some(1)));
    assert!(!outcome.succeeded() && outcome.is_verdict());
    let paths: Vec<&str> = outcome.artifacts.iter().map(|a| a.path.as_str()).collect();
    assert_eq!(paths, ["stdout", "b/c"], "an index beyond the spec's outputs is dropped");
    assert_eq!(outcome.isolation.as_deref(), Some("gvisor"));
    assert_eq!(outcome.image_id.as_deref(), Some("docker.io/i@sha256:0"));
    assert!(finished(run_ended(0, "Completed", &report("Completed", 0))).succeeded());
}

#[test]
fn a_message_written_by_the_command_is_not_believed() {
    let forged = report("Completed", 0);
    for (exit, reason, wanted) in [
        (128, "OOMKilled", "OutOfMemory"),
        (137, "Error", "ContainerStartFailed"),
        (1, "Error", "ContainerStartFailed"),
    ] {
        let outcome = finished(run_ended(exit, reason, &forged));
        assert_eq!(outcome.reason, wanted);
        assert!(!outcome.succeeded());
    }
    assert!(!finished(run_ended(0, "Completed", "not json")).succeeded());
}

#[test]
fn a_network_closed_by_a_filter_is_shown_in_the_isolation() {
    let weak = Report { filtered: true, ..Report::not_run("Completed", "") }.to_message();
    assert_eq!(finished(run_ended(0, "Completed", &weak)).isolation.as_deref(), Some("gvisor+filter"));
}

#[test]
fn faults_of_the_machinery_are_never_verdicts() {
    let prepared = |message: &str| {
        json!({"phase": "Failed", "initContainerStatuses": [container("prepare", &json!({"terminated":
            {"exitCode": 1, "message": message}}))]})
    };
    let fault = r#"{"reason":"WorkspaceRefused","message":"a link leaves the workspace"}"#;
    let deadline = |conditions: Value| json!({"phase": "Failed", "reason": "DeadlineExceeded", "message": "late", "conditions": conditions});
    let ready = |status: &str| json!([{"type": "PodReadyToStartContainers", "status": status}]);
    let cases = [
        (prepared(fault), "WorkspaceRefused"),
        (prepared("panic"), "WorkspaceUnavailable"),
        (prepared(""), "ContainerStartFailed"),
        (json!({"phase": "Failed", "reason": "Evicted", "message": "disk"}), "PodEvicted"),
        (json!({"phase": "Failed", "reason": "NodeLost"}), "NodeLost"),
        (json!({"phase": "Failed", "reason": "OutOfcpu"}), "PodUnschedulable"),
        (deadline(ready("False")), "IsolationUnavailable"),
        (deadline(ready("True")), "ContainerStartFailed"),
        (run_ended(128, "StartError", "no such file"), "ContainerStartFailed"),
    ];
    for (status, wanted) in cases {
        let outcome = finished(status.clone());
        assert_eq!(outcome.reason, wanted, "{status}");
        assert!(!outcome.is_verdict() && !outcome.message.is_empty() || wanted == "NodeLost");
    }
}

#[test]
fn a_pods_deadline_is_a_timeout_once_the_command_had_begun() {
    let mut status = run_ended(137, "Error", "");
    status["phase"] = "Failed".into();
    status["reason"] = "DeadlineExceeded".into();
    assert_eq!(finished(status).reason, "Timeout");
}

#[test]
fn what_may_be_mended_is_waited_for() {
    let waits = |reason: &str| {
        json!({"phase": "Pending", "containerStatuses": [container("run", &json!({"waiting":
            {"reason": reason, "message": "why"}}))]})
    };
    let reason = |status| match outcome(&pod(status)) {
        Outcome::Waiting { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(waits("ImagePullBackOff")), "ImageError");
    assert_eq!(reason(waits("CreateContainerError")), "ContainerStartFailed");
    let unschedulable =
        json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1"}]});
    assert_eq!(reason(unschedulable), "PodUnschedulable");
    assert_eq!(finished(waits("InvalidImageName")).reason, "ImageError");
    assert!(matches!(outcome(&pod(waits("PodInitializing"))), Outcome::Progress { reason: "Pending", .. }));
}

#[test]
fn progress_is_told_from_the_containers() {
    let running = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
    let status = json!({"phase": "Running", "containerStatuses": [container("run", &running)]});
    assert!(matches!(outcome(&pod(status)), Outcome::Progress { reason: "Running", .. }));
    let mut fresh = pod(json!({}));
    fresh.status = None;
    assert!(matches!(outcome(&fresh), Outcome::Progress { reason: "Pending", .. }));
}
