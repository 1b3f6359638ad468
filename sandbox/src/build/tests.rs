use super::*;
use crate::files;
use golden_crds::SandboxRunSpec;
use golden_crds::common::{EnvVar, InlineFile};
use golden_crds::sandbox_run::SandboxLimits;
use k8s_openapi::api::core::v1::Container;

fn spec() -> SandboxRunSpec {
    serde_json::from_value(serde_json::json!({
        "image": "golden-python", "command": ["python3", "-c", "print('$(HOME)')"],
    }))
    .unwrap()
}

fn a_run(spec: SandboxRunSpec) -> SandboxRun {
    let mut run = SandboxRun::new("fix-slugify-3f2a9c1d-a2-t1-unit-tests", spec);
    run.metadata.namespace = Some("checkout".into());
    run.metadata.uid = Some("3f2a9c1d-0000-4000-8000-000000000001".into());
    run.metadata.labels = Some(BTreeMap::from([
        (labels::TASK_UID.into(), "task".into()),
        (labels::TEAM_UID.into(), "team".into()),
        ("goldenarch.dev/run".into(), "false".into()),
        ("mine".into(), "not copied".into()),
    ]));
    run
}

fn context() -> BuildContext {
    BuildContext {
        golden_image: "golden:1".into(),
        image_pull_policy: "Always".into(),
        sandbox_url: Some("http://sandbox-core-1a2b3c4d.golden-system.svc:8080".into()),
        service_account: "golden-run".into(),
        placement: None,
    }
}

fn container<'a>(pod: &'a Pod, name: &str) -> &'a Container {
    let spec = pod.spec.as_ref().unwrap();
    spec.init_containers.iter().flatten().chain(&spec.containers).find(|c| c.name == name).unwrap()
}

fn mounts(container: &Container) -> Vec<(&str, bool)> {
    let mounts = container.volume_mounts.iter().flatten();
    mounts.map(|m| (m.mount_path.as_str(), m.read_only == Some(true))).collect()
}

#[test]
fn the_pod_is_owned_by_uid_and_named_like_its_run() {
    let pod = pod(&a_run(spec()), &context());
    let owner = &pod.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!(pod.metadata.name.as_deref(), Some("fix-slugify-3f2a9c1d-a2-t1-unit-tests"));
    assert_eq!(
        (owner.kind.as_str(), owner.uid.as_str()),
        ("SandboxRun", "3f2a9c1d-0000-4000-8000-000000000001")
    );
    assert_eq!(owner.controller, Some(true));
    let labels = pod.metadata.labels.unwrap();
    assert_eq!(labels[labels::RUN_POD], "true");
    assert_eq!((labels.get("mine"), labels.len()), (None, 5));
}

#[test]
fn no_container_can_gain_anything() {
    let pod = pod(&a_run(spec()), &context());
    let spec = pod.spec.as_ref().unwrap();
    assert_eq!(spec.automount_service_account_token, Some(false));
    assert_eq!(spec.enable_service_links, Some(false));
    assert_eq!(spec.runtime_class_name.as_deref(), Some("gvisor"));
    assert_eq!((spec.host_network, spec.host_pid, spec.host_ipc), (None, None, None));
    let all = spec.init_containers.iter().flatten().chain(&spec.containers);
    for container in all {
        let security = container.security_context.as_ref().unwrap();
        assert_eq!(security.allow_privilege_escalation, Some(false), "{}", container.name);
        assert_eq!(security.read_only_root_filesystem, Some(true));
        assert_eq!(security.capabilities.as_ref().unwrap().drop, Some(vec!["ALL".into()]));
        let limits = container.resources.as_ref().unwrap().limits.as_ref().unwrap();
        assert!(["cpu", "memory", "ephemeral-storage"].iter().all(|r| limits.contains_key(*r)));
    }
    for volume in spec.volumes.iter().flatten() {
        let bounded = volume.empty_dir.as_ref().is_some_and(|e| e.size_limit.is_some());
        assert!(bounded || volume.projected.is_some(), "{} is neither bounded nor the token", volume.name);
    }
}

#[test]
fn the_command_never_sees_the_token_and_cannot_change_the_runner() {
    let pod = pod(&a_run(spec()), &context());
    let run = container(&pod, RUN);
    assert_eq!(mounts(run), [("/golden-bin", true), ("/workspace", false), ("/tmp", false)]);
    assert_eq!(run.env, None);
    assert_eq!(mounts(container(&pod, UPLOADER)), [("/var/run/golden", true)]);
    assert_eq!(container(&pod, UPLOADER).restart_policy.as_deref(), Some("Always"));
}

#[test]
fn a_command_that_compares_reads_the_base_and_cannot_change_it() {
    let digest = format!("sha256:{}", "b".repeat(64));
    let pod = pod(&a_run(SandboxRunSpec { base: Some(digest.clone()), ..spec() }), &context());
    assert!(mounts(container(&pod, RUN)).contains(&("/golden-base", true)));
    assert!(mounts(container(&pod, PREPARE)).contains(&("/golden-base", false)));
    let env = container(&pod, PREPARE).env.clone().unwrap();
    assert!(env.iter().any(|v| v.name == "GOLDEN_BASE" && v.value.as_ref() == Some(&digest)));
}

#[test]
fn kubernetes_expands_nothing_in_what_the_user_wrote() {
    let mut spec = spec();
    spec.env = vec![EnvVar { name: "A".into(), value: "$(B) $C $$".into() }];
    spec.outputs = vec!["a$b".into(), "dist".into()];
    let pod = pod(&a_run(spec), &context());
    let args = container(&pod, RUN).args.clone().unwrap();
    assert!(args.contains(&"--env=A=$$(B) $$C $$$$".to_owned()));
    assert_eq!(args.last().unwrap(), "print('$$(HOME)')");
    assert_eq!(output_paths(container(&pod, RUN)), ["a$b", "dist"]);
}

#[test]
fn words_of_the_command_are_never_options_of_the_runner() {
    let mut spec = spec();
    spec.command = vec!["--output=/etc".into(), "--timeout-seconds=9".into()];
    let pod = pod(&a_run(spec), &context());
    let args = container(&pod, RUN).args.clone().unwrap();
    assert_eq!(args[args.len() - 3..], ["--", "--output=/etc", "--timeout-seconds=9"]);
    assert!(output_paths(container(&pod, RUN)).is_empty());
}

#[test]
fn a_run_without_a_team_has_no_token_and_uploads_nothing() {
    let pod = pod(&a_run(spec()), &BuildContext { sandbox_url: None, ..context() });
    let spec = pod.spec.as_ref().unwrap();
    assert_eq!(spec.init_containers.as_ref().unwrap().len(), 1);
    assert!(spec.volumes.iter().flatten().all(|v| v.projected.is_none()));
    assert!(!container(&pod, RUN).args.as_ref().unwrap().contains(&"--upload".to_owned()));
}

#[test]
fn limits_become_the_pods() {
    let mut spec = spec();
    spec.limits = SandboxLimits {
        cpu_millis: 1500,
        memory_bytes: 1 << 30,
        pids: 7,
        timeout_seconds: 11,
        output_bytes: 2048,
    };
    let pod = pod(&a_run(spec), &context());
    let resources = container(&pod, RUN).resources.clone().unwrap();
    let (limits, requests) = (resources.limits.unwrap(), resources.requests.unwrap());
    assert_eq!(limits["cpu"].0, "1500m");
    assert_eq!(limits["memory"].0, ((1_i64 << 30) + containers::RUNNER_MEMORY_BYTES).to_string());
    assert_eq!((requests["cpu"].0.as_str(), requests["memory"].0.as_str()), ("50m", "67108864"));
    assert_eq!(pod.spec.as_ref().unwrap().active_deadline_seconds, Some(11 + DEADLINE_SLACK_SECONDS));
    let args = container(&pod, RUN).args.clone().unwrap();
    for flag in ["--timeout-seconds=11", "--pids=7", "--output-bytes=2048", "--memory-bytes=1073741824"] {
        assert!(args.contains(&flag.to_owned()), "{flag} in {args:?}");
    }
}

#[test]
fn inline_files_travel_in_variables_the_kernel_takes() {
    let mut spec = spec();
    let file = |i: usize| InlineFile { path: format!("f{i}"), content: "x".repeat(250_000) };
    spec.files = vec![file(0), file(1)];
    let pod = pod(&a_run(spec.clone()), &context());
    let env = container(&pod, PREPARE).env.clone().unwrap();
    let chunks: Vec<String> = env
        .iter()
        .filter(|v| v.name.starts_with("GOLDEN_FILES_"))
        .map(|v| v.value.clone().unwrap())
        .collect();
    assert!(chunks.len() > 1 && chunks.iter().all(|c| c.len() < 128 << 10));
    assert_eq!(files::decode(&chunks.concat()).unwrap(), spec.files);
}

#[test]
fn every_image_is_pulled_as_the_install_says() {
    let pod = pod(&a_run(spec()), &context());
    for name in [PREPARE, UPLOADER, RUN] {
        assert_eq!(container(&pod, name).image_pull_policy.as_deref(), Some("Always"), "{name}");
    }
}
