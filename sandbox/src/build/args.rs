//! Arguments of the pod's programs. Everything the runner needs is in its arguments and nothing in the environment,
//! so that a run's own `env` can change what the command sees but never how it is held.

use golden_crds::SandboxRunSpec;
use golden_crds::sandbox_run::SandboxLimits;
use k8s_openapi::api::core::v1::Container;

/// Where the binary is in the pod.
pub(crate) const BINARY: &str = "/golden-bin/golden";

/// The runner's arguments, with the command last.
pub(super) fn runner(spec: &SandboxRunSpec, upload: bool) -> Vec<String> {
    let SandboxLimits { memory_bytes, pids, timeout_seconds, output_bytes, .. } = spec.limits;
    let mut args: Vec<String> = vec![
        format!("--timeout-seconds={timeout_seconds}"),
        format!("--memory-bytes={memory_bytes}"),
        format!("--pids={pids}"),
        format!("--output-bytes={output_bytes}"),
    ];
    args.extend(spec.outputs.iter().map(|path| format!("--output={}", escape(path))));
    args.extend(spec.env.iter().map(|v| format!("--env={}={}", v.name, escape(&v.value))));
    if upload {
        args.push("--upload".into());
    }
    args.push("--".into());
    args.extend(spec.command.iter().map(|word| escape(word)));
    args
}

/// Kubernetes expands `$(NAME)` in commands, arguments and variables; a doubled dollar is a literal one.
pub fn escape(text: &str) -> String {
    text.replace('$', "$$")
}

/// The `outputs` a `run` container was built for, in order.
pub fn output_paths(container: &Container) -> Vec<String> {
    let command = container.command.iter().chain(&container.args).flatten();
    command
        .take_while(|arg| *arg != "--")
        .filter_map(|arg| arg.strip_prefix("--output="))
        .map(|path| path.replace("$$", "$"))
        .collect()
}
