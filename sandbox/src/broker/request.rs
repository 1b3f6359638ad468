//! The SandboxRun of a guard request. Pure.

use crate::build::{BASE, BINARY, WORKSPACE};
use golden_crds::agent_task::{BuiltinGuard, GuardSpec};
use golden_crds::sandbox_run::{Egress, SandboxLimits};
use golden_crds::{GROUP, SandboxRun, SandboxRunSpec, VERSION, labels};
use golden_platform::wire::GuardRequest;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Memory of a guard where the policy sets no smaller bound.
const MEMORY_BYTES: i64 = 512 << 20;
/// How long a guard's run stays for people to look at: a day.
const KEPT_SECONDS: i64 = 86_400;

/// Longest part of a built-in guard's settings in one argument, in characters: a run's arguments are bounded.
const SETTINGS_PART: usize = 4000;

/// What a guard runs. A built-in one is a command of the binary that the pod has in any case.
pub(super) fn command(guard: &GuardSpec) -> Vec<String> {
    match &guard.builtin {
        Some(builtin) => builtin_command(builtin),
        None => guard.command.clone(),
    }
}

/// `golden guard KIND …`, where the kind is the one field that is set.
fn builtin_command(builtin: &BuiltinGuard) -> Vec<String> {
    let fields = serde_json::to_value(builtin).unwrap_or_default();
    let set = fields.as_object().and_then(|fields| fields.iter().next());
    let (kind, settings) =
        set.map(|(kind, settings)| (kind.clone(), settings.to_string())).unwrap_or_default();
    let mut words = vec![BINARY.into(), "guard".into(), kind, WORKSPACE.into(), format!("--base={BASE}")];
    let settings: Vec<char> = settings.chars().collect();
    words.extend(
        settings.chunks(SETTINGS_PART).map(|part| format!("--settings={}", part.iter().collect::<String>())),
    );
    words
}

/// Makes the run; a built-in guard's has Golden's own image. It is owned by its task, so it goes with it; the owner is no controller, since the run is Golden's.
pub fn sandbox_run(request: &GuardRequest, task: Uuid, team: Uuid, golden_image: &str) -> SandboxRun {
    let guard = &request.guard;
    let limits = SandboxLimits::default();
    let spec = SandboxRunSpec {
        image: guard.image.clone().unwrap_or_else(|| golden_image.to_owned()),
        command: command(guard),
        env: Vec::new(),
        files: Vec::new(),
        workspace: Some(request.tree.clone()),
        base: request.base.clone(),
        limits: SandboxLimits {
            timeout_seconds: guard.timeout_seconds.min(request.max_timeout_seconds.unwrap_or(i64::MAX)),
            memory_bytes: MEMORY_BYTES.min(request.max_memory_bytes.unwrap_or(i64::MAX)),
            ..limits
        },
        egress: Egress::None,
        runtime_class_name: request.runtime_class_name.clone(),
        outputs: Vec::new(),
        ttl_seconds_after_finished: Some(KEPT_SECONDS),
    };
    let mut run = SandboxRun::new(&request.run_name, spec);
    run.metadata.namespace = Some(request.namespace.clone());
    run.metadata.labels = Some(BTreeMap::from([
        (labels::TASK_UID.into(), task.to_string()),
        (labels::TEAM_UID.into(), team.to_string()),
        (labels::COMPONENT.into(), "sandbox".into()),
        (labels::MANAGED_BY.into(), "golden".into()),
    ]));
    run.metadata.owner_references = Some(vec![OwnerReference {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: "AgentTask".into(),
        name: request.task_name.clone(),
        uid: task.to_string(),
        controller: None,
        block_owner_deletion: None,
    }]);
    run
}

/// Whether a run that was there under the name is the one this request asks for.
pub(super) fn is_same(there: &SandboxRun, wanted: &SandboxRun) -> bool {
    let task = |run: &SandboxRun| run.metadata.labels.as_ref().and_then(|l| l.get(labels::TASK_UID)).cloned();
    there.spec == wanted.spec && task(there) == task(wanted)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use golden_crds::agent_task::PathLimits;

    pub(in crate::broker) fn request() -> GuardRequest {
        GuardRequest {
            namespace: "checkout".into(),
            task_name: "fix".into(),
            run_name: "fix-3f2a9c1d-a1-t1-unit".into(),
            guard: GuardSpec {
                name: "unit".into(),
                image: Some("golden-python".into()),
                command: vec!["pytest".into()],
                builtin: None,
                timeout_seconds: 300,
                retries: 0,
                restore_paths: vec!["tests/**".into()],
            },
            required: true,
            tree: format!("sha256:{}", "0".repeat(64)),
            base: None,
            runtime_class_name: "gvisor".into(),
            max_timeout_seconds: None,
            max_memory_bytes: None,
        }
    }

    #[test]
    fn a_guard_never_gets_more_than_the_policy_allows() {
        let (task, team) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let free = sandbox_run(&request(), task, team, "golden:1").spec.limits;
        assert_eq!((free.timeout_seconds, free.memory_bytes), (300, MEMORY_BYTES));
        let bound =
            GuardRequest { max_timeout_seconds: Some(60), max_memory_bytes: Some(64 << 20), ..request() };
        let run = sandbox_run(&bound, task, team, "golden:1");
        assert_eq!((run.spec.limits.timeout_seconds, run.spec.limits.memory_bytes), (60, 64 << 20));
        assert_eq!(run.spec.egress, Egress::None);
    }

    #[test]
    fn the_same_request_makes_the_same_run_and_anothers_is_told_apart() {
        let (task, team) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let run = sandbox_run(&request(), task, team, "golden:1");
        assert!(is_same(&sandbox_run(&request(), task, team, "golden:1"), &run));
        assert!(!is_same(&sandbox_run(&request(), Uuid::from_u128(3), team, "golden:1"), &run));
        let other = GuardRequest { tree: format!("sha256:{}", "1".repeat(64)), ..request() };
        assert!(!is_same(&sandbox_run(&other, task, team, "golden:1"), &run));
    }

    #[test]
    fn a_built_in_guard_is_goldens_own_command_on_both_trees_whatever_its_settings() {
        let globs: Vec<String> = (0..32).map(|n| format!("{n}{}", "\"$(x)/".repeat(36))).collect();
        let builtin = BuiltinGuard {
            path_limits: Some(PathLimits { allowed: vec![], denied: globs }),
            ..BuiltinGuard::default()
        };
        let (mut request, base) = (request(), format!("sha256:{}", "b".repeat(64)));
        request.guard = GuardSpec {
            image: None,
            command: vec![],
            builtin: Some(builtin.clone()),
            restore_paths: vec![],
            ..request.guard
        };
        request.base = Some(base.clone());
        let spec = sandbox_run(&request, Uuid::from_u128(1), Uuid::from_u128(2), "golden:1").spec;
        assert_eq!((spec.image.as_str(), spec.base.as_deref()), ("golden:1", Some(base.as_str())));
        assert_eq!(
            spec.command[..5],
            ["/golden-bin/golden", "guard", "pathLimits", "/workspace", "--base=/golden-base"]
        );
        assert!(spec.command.len() <= 64 && spec.command.iter().all(|w| w.chars().count() <= 4096));
        let settings: String =
            spec.command[5..].iter().filter_map(|w| w.strip_prefix("--settings=")).collect();
        let read: PathLimits = serde_json::from_str(&settings).unwrap();
        assert_eq!(Some(read), builtin.path_limits);
    }
}
