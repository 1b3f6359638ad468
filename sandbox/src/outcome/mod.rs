//! What a run's pod tells: still under way, waiting for something outside, or finished and how. Pure.
//!
//! The runner's termination message is believed only from a container that ended with exit code 0: the command can
//! write to that file while it runs, but only the runner writes last, and only the runner decides how pid 1 ends.

mod pending;
#[cfg(test)]
mod tests;

use crate::build::{PREPARE, RUN, output_paths};
use crate::report::{PrepareFault, Report, first_bytes};
use golden_crds::conditions::sandbox_run as reason;
use golden_crds::sandbox_run::ArtifactStatus;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodStatus};

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Under way. `reason` is `Pending` or `Running`.
    Progress {
        /// A constant of `golden_crds::conditions::sandbox_run`.
        reason: &'static str,
        /// What is being done, for a person.
        message: String,
    },
    /// Something outside keeps it from starting: an image, a node. It may be mended, so the caller decides how long
    /// to wait.
    Waiting {
        /// A constant of `golden_crds::conditions::sandbox_run`.
        reason: &'static str,
        /// The node's or scheduler's words.
        message: String,
    },
    /// It ended.
    Finished(Box<RunOutcome>),
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOutcome {
    /// The command's exit code, if it ended by itself.
    pub exit_code: Option<i32>,
    /// A constant of `golden_crds::conditions::sandbox_run`.
    pub reason: String,
    /// What happened, for a person.
    pub message: String,
    /// The last bytes of the output.
    pub output_tail: String,
    /// What was uploaded.
    pub artifacts: Vec<ArtifactStatus>,
    /// CPU time of the command, if it was measured.
    pub cpu_millis_used: Option<i64>,
    /// Most memory used at once, if it was measured.
    pub peak_memory_bytes: Option<i64>,
    /// How long the command ran.
    pub duration_millis: Option<i64>,
    /// The image as the node resolved it.
    pub image_id: Option<String>,
    /// The RuntimeClass, and `+pod-network` if the command was not cut off from the pod's network.
    pub isolation: Option<String>,
}

impl RunOutcome {
    /// Whether the command ended with exit code 0.
    pub fn succeeded(&self) -> bool {
        matches!(self.reason.as_str(), reason::COMPLETED | reason::OUTPUT_TRUNCATED)
    }

    /// Whether the end says something about the command, and not only about what should have run it.
    pub fn is_verdict(&self) -> bool {
        is_verdict(&self.reason)
    }
}

/// Whether `status.reason` of a run says something about the command.
pub fn is_verdict(reason: &str) -> bool {
    matches!(
        reason,
        reason::COMPLETED
            | reason::OUTPUT_TRUNCATED
            | reason::NON_ZERO_EXIT
            | reason::SIGNALLED
            | reason::TIMEOUT
            | reason::OUT_OF_MEMORY
            | reason::TOO_MANY_PROCESSES
            | reason::COMMAND_NOT_FOUND
    )
}

/// Reads a pod made by [`crate::build::pod`].
pub fn outcome(pod: &Pod) -> Outcome {
    let Some(status) = &pod.status else {
        return Outcome::Progress { reason: reason::PENDING, message: "waiting for a node".into() };
    };
    if let Some(ended) = terminated(status.container_statuses.as_deref(), RUN) {
        return finish(pod, from_run(pod, status, ended));
    }
    if let Some(lost) = pending::lost(status) {
        return finish(pod, lost);
    }
    let prepared = terminated(status.init_container_statuses.as_deref(), PREPARE);
    if let Some(fault) = prepared.filter(|t| t.exit_code != 0) {
        return finish(pod, from_prepare(fault));
    }
    if status.phase.as_deref() == Some("Failed") {
        return finish(pod, pending::failed(pod, status));
    }
    pending::under_way(status)
}

fn finish(pod: &Pod, mut outcome: RunOutcome) -> Outcome {
    let status = pod.status.as_ref().and_then(|s| named(s.container_statuses.as_deref(), RUN));
    outcome.image_id = status.map(|s| s.image_id.clone()).filter(|id| !id.is_empty());
    let class = pod.spec.as_ref().and_then(|s| s.runtime_class_name.clone());
    outcome.isolation = match (class, outcome.isolation.take()) {
        (Some(class), Some(weaker)) => Some(format!("{class}{weaker}")),
        (class, _) => class,
    };
    Outcome::Finished(Box::new(outcome))
}

fn from_run(pod: &Pod, status: &PodStatus, ended: &ContainerStateTerminated) -> RunOutcome {
    if ended.reason.as_deref() == Some("OOMKilled") {
        let message = "the command took more memory than spec.limits.memoryBytes and was killed";
        return plain(reason::OUT_OF_MEMORY, message.into());
    }
    let report = ended.message.as_deref().and_then(|m| serde_json::from_str::<Report>(m).ok());
    match report {
        Some(report) if ended.exit_code == 0 => from_report(pod, report),
        _ => pending::ended_without_report(status, ended),
    }
}

fn from_report(pod: &Pod, report: Report) -> RunOutcome {
    let containers = pod.spec.as_ref().map(|s| s.containers.as_slice()).unwrap_or_default();
    let paths = containers.iter().find(|c| c.name == RUN).map(output_paths).unwrap_or_default();
    let artifacts = report.artifacts.into_iter().filter_map(|kept| {
        let path = match kept.of.parse::<usize>() {
            Ok(index) => paths.get(index)?.clone(),
            Err(_) => kept.of,
        };
        Some(ArtifactStatus { path, digest: kept.digest, bytes: kept.bytes })
    });
    RunOutcome {
        artifacts: artifacts.collect(),
        exit_code: report.exit_code,
        reason: report.reason,
        message: report.message,
        output_tail: report.tail,
        cpu_millis_used: Some(report.cpu_millis),
        peak_memory_bytes: Some(report.peak_memory_bytes),
        duration_millis: Some(report.duration_millis),
        image_id: None,
        isolation: report.filtered.then(|| "+filter".into()),
    }
}

fn from_prepare(ended: &ContainerStateTerminated) -> RunOutcome {
    let fault = match ended.message.as_deref().map(str::trim).filter(|m| !m.is_empty()) {
        Some(message) => PrepareFault::parse(message),
        None => PrepareFault {
            reason: reason::CONTAINER_START_FAILED.into(),
            message: format!("the preparing container ended with exit code {}", ended.exit_code),
        },
    };
    plain(&fault.reason, first_bytes(&fault.message, 1024).into())
}

fn plain(reason: &str, message: String) -> RunOutcome {
    RunOutcome { reason: reason.into(), message, ..RunOutcome::default() }
}

fn named<'a>(statuses: Option<&'a [ContainerStatus]>, name: &str) -> Option<&'a ContainerStatus> {
    statuses.unwrap_or_default().iter().find(|s| s.name == name)
}

fn terminated<'a>(
    statuses: Option<&'a [ContainerStatus]>,
    name: &str,
) -> Option<&'a ContainerStateTerminated> {
    named(statuses, name)?.state.as_ref()?.terminated.as_ref()
}
