use super::act::Acted;
use super::observe::Seen;
use super::plan::{Effect, Plan, State, plan};
use super::report::status;
use super::validate::validate;
use golden_crds::SandboxRun;
use golden_crds::conditions::{COMPLETE, FAILED, KStatus, find, is_true, kstatus};
use golden_sandbox::BuildContext;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use std::sync::Arc;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn run() -> SandboxRun {
    serde_json::from_value(json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "SandboxRun",
        "metadata": {"name": "r", "namespace": "n", "uid": "u-1", "generation": 1},
        "spec": {"image": "i", "command": ["true"]},
    }))
    .unwrap()
}

fn seen(run: SandboxRun, pod: Option<Pod>) -> Seen {
    Seen {
        run: Arc::new(run),
        pod: pod.map(Arc::new),
        runtime_class_exists: true,
        build: BuildContext {
            golden_image: "golden".into(),
            image_pull_policy: "IfNotPresent".into(),
            sandbox_url: None,
            service_account: "golden-run".into(),
            placement: None,
        },
    }
}

fn pod_with(status: &Value) -> Pod {
    let mut pod = golden_sandbox::pod(&run(), &seen(run(), None).build);
    pod.metadata.uid = Some("p-1".into());
    pod.status = serde_json::from_value(status.clone()).unwrap();
    pod
}

fn image_error() -> Value {
    json!({"phase": "Pending", "containerStatuses": [{
        "name": "run", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}},
    }]})
}

fn finished() -> Value {
    let report = json!({
        "exitCode": 0, "reason": "Completed", "message": "", "tail": "ok", "cpuMillis": 1,
        "peakMemoryBytes": 2, "durationMillis": 3, "artifacts": [], "filtered": false,
    });
    json!({"phase": "Succeeded", "containerStatuses": [{
        "name": "run", "image": "i", "imageID": "sha256:1", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": 0, "message": report.to_string()}},
    }]})
}

fn step(seen: &Seen, now: Timestamp) -> Plan {
    plan(seen, validate(seen), now)
}

/// One round: plan at a time, then the run with the status that comes of it.
fn round(seen: &Seen, now: i64) -> (Plan, SandboxRun) {
    let plan = step(seen, at(now));
    let mut run = (*seen.run).clone();
    if let Some(status) = status(seen, &plan, &Ok(Acted::Done), at(now)) {
        run.status = Some(status);
    }
    (plan, run)
}

#[test]
fn a_run_without_its_runtime_class_fails_and_makes_no_pod() {
    let mut seen = seen(run(), None);
    seen.runtime_class_exists = false;
    let (plan, run) = round(&seen, 1);
    assert!(matches!(plan.effect, Effect::Nothing));
    let status = run.status.unwrap();
    assert_eq!(status.reason.as_deref(), Some("IsolationUnavailable"));
    assert!(is_true(&status.conditions, FAILED));
    assert_eq!(status.isolation, None);
}

#[test]
fn a_result_is_stored_before_the_pod_goes_and_its_ttl_counts_from_then() {
    let mut with_ttl = run();
    with_ttl.spec.ttl_seconds_after_finished = Some(60);
    let (plan, run) = round(&seen(with_ttl, Some(pod_with(&finished()))), 100);
    assert!(matches!(&plan.effect, Effect::DeletePodAfterReport { uid: Some(uid), .. } if uid == "p-1"));
    let status = run.status.clone().unwrap();
    assert!(is_true(&status.conditions, COMPLETE));
    assert_eq!((status.exit_code, status.output_tail.as_deref()), (Some(0), Some("ok")));
    assert_eq!(kstatus(&status.conditions, 1, status.observed_generation, false), KStatus::Current);
    // Not yet, and then the run itself.
    let over = seen(run, None);
    assert!(matches!(step(&over, at(159)).effect, Effect::Nothing));
    assert!(matches!(step(&over, at(160)).effect, Effect::DeleteRun));
}

#[test]
fn an_unpullable_image_stalls_at_first_and_fails_after_a_minute() {
    let (plan, run) = round(&seen(run(), Some(pod_with(&image_error()))), 100);
    assert!(matches!(plan.state, State::Stalled { reason: "ImageError", .. }));
    let again = seen(run, Some(pod_with(&image_error())));
    assert!(matches!(step(&again, at(159)).state, State::Stalled { .. }));
    let (plan, run) = round(&again, 160);
    assert!(matches!(plan.effect, Effect::DeletePodAfterReport { .. }));
    assert_eq!(run.status.unwrap().reason.as_deref(), Some("ImageError"));
}

#[test]
fn a_pod_that_vanished_is_no_verdict_and_is_not_made_again() {
    let (plan, run) = round(&seen(run(), None), 1);
    assert!(matches!(plan.effect, Effect::Create(_)));
    let (plan, run) = round(&seen(run, None), 2);
    assert!(matches!(plan.effect, Effect::Nothing));
    let status = run.status.unwrap();
    assert_eq!(status.reason.as_deref(), Some("PodEvicted"));
    assert!(!golden_sandbox::outcome::is_verdict("PodEvicted"));
}

#[test]
fn somebody_elses_pod_is_left_alone() {
    let mut unowned = pod_with(&finished());
    unowned.metadata.owner_references = None;
    // An owner can be written by whoever may edit pods; what a pod runs as cannot be changed.
    let mut forged = pod_with(&finished());
    forged.spec.as_mut().unwrap().service_account_name = Some("default".into());
    for pod in [unowned, forged] {
        let seen = seen(run(), Some(pod));
        let (plan, run) = round(&seen, 1);
        assert!(matches!(plan.effect, Effect::Nothing));
        let status = run.status.unwrap();
        assert_eq!(find(&status.conditions, COMPLETE).unwrap().reason, "ChildNameTaken");
        assert_eq!(status.isolation, None);
    }
}

#[test]
fn an_unchanged_world_changes_no_status() {
    let (_, run) = round(&seen(run(), Some(pod_with(&image_error()))), 100);
    let (_, same) = round(&seen(run.clone(), Some(pod_with(&image_error()))), 130);
    assert_eq!(run.status, same.status);
}
