//! Pods that have no result: not yet, or never.

use super::{Outcome, RunOutcome, named, plain};
use crate::build::{PREPARE, RUN};
use golden_crds::conditions::sandbox_run as reason;
use k8s_openapi::api::core::v1::{
    ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod, PodStatus,
};

/// The pod was taken away by its node or the cluster.
pub(super) fn lost(status: &PodStatus) -> Option<RunOutcome> {
    let message = status.message.clone().unwrap_or_default();
    let disrupted = condition(status, "DisruptionTarget").filter(|c| c.status == "True");
    match status.reason.as_deref() {
        Some("Evicted") => return Some(plain(reason::POD_EVICTED, message)),
        Some("NodeLost" | "NodeShutdown" | "Shutdown" | "Terminated") => {
            return Some(plain(reason::NODE_LOST, message));
        }
        _ => {}
    }
    let disrupted = disrupted.filter(|_| status.phase.as_deref() == Some("Failed"))?;
    Some(plain(reason::POD_EVICTED, disrupted.message.clone().unwrap_or(message)))
}

/// The pod failed before its command had a result.
pub(super) fn failed(pod: &Pod, status: &PodStatus) -> RunOutcome {
    let words = status.message.clone().unwrap_or_default();
    if status.reason.as_deref() != Some("DeadlineExceeded") {
        return match status.reason.as_deref() {
            Some(why) if why.starts_with("OutOf") || why.starts_with("Node") || why.contains("Admission") => {
                plain(reason::POD_UNSCHEDULABLE, format!("the node refused the pod ({why}): {words}"))
            }
            why => plain(
                reason::CONTAINER_START_FAILED,
                format!("the pod failed without a result ({}): {words}", why.unwrap_or("no reason given")),
            ),
        };
    }
    let sandboxed = condition(status, "PodReadyToStartContainers").is_none_or(|c| c.status == "True");
    if !sandboxed {
        let class = pod.spec.as_ref().and_then(|s| s.runtime_class_name.as_deref()).unwrap_or("default");
        let message = format!("the node could not start a sandbox of RuntimeClass {class} in time");
        return plain(reason::ISOLATION_UNAVAILABLE, message);
    }
    match waiting(status) {
        Some((_, why)) => blocked(why).map_or_else(
            || plain(reason::CONTAINER_START_FAILED, "the run did not start before its deadline".into()),
            |(reason, message)| plain(reason, message),
        ),
        None => plain(reason::CONTAINER_START_FAILED, "the run did not start before its deadline".into()),
    }
}

/// The `run` container ended, but not by the runner's own end: the pod's deadline, a start that failed, or the whole
/// sandbox was killed. None of these is a pass.
pub(super) fn ended_without_report(status: &PodStatus, ended: &ContainerStateTerminated) -> RunOutcome {
    if let Some(lost) = lost(status) {
        return lost;
    }
    let words = ended.message.as_deref().unwrap_or_default();
    let started = ended.started_at.is_some();
    if status.reason.as_deref() == Some("DeadlineExceeded") && started {
        return plain(reason::TIMEOUT, "the run's pod passed its deadline and was killed".into());
    }
    match ended.reason.as_deref() {
        Some("StartError" | "ContainerCannotRun" | "ContainerStatusUnknown") => plain(
            reason::CONTAINER_START_FAILED,
            format!("the container did not start: {}", crate::report::first_bytes(words, 1024)),
        ),
        other => plain(
            reason::CONTAINER_START_FAILED,
            format!(
                "the sandbox ended with exit code {} ({}) and without a result; it was killed from outside",
                ended.exit_code,
                other.unwrap_or("no reason given")
            ),
        ),
    }
}

/// Nothing has ended yet.
pub(super) fn under_way(status: &PodStatus) -> Outcome {
    if let Some((_, why)) = waiting(status)
        && let Some((reason, message)) = blocked(why)
    {
        if why.reason.as_deref() == Some("InvalidImageName") {
            return Outcome::Finished(Box::new(plain(reason, message)));
        }
        return Outcome::Waiting { reason, message };
    }
    if let Some(scheduled) = condition(status, "PodScheduled").filter(|c| c.status == "False") {
        let message = scheduled.message.clone().unwrap_or_else(|| "no node can take the pod".into());
        return Outcome::Waiting { reason: reason::POD_UNSCHEDULABLE, message };
    }
    if status.phase.as_deref() == Some("Unknown") {
        let message = "the pod's node does not report".into();
        return Outcome::Waiting { reason: reason::NODE_LOST, message };
    }
    let running = |statuses: Option<&[ContainerStatus]>, name| {
        named(statuses, name).and_then(|s| s.state.as_ref()).is_some_and(|s| s.running.is_some())
    };
    let (reason, message) = if running(status.container_statuses.as_deref(), RUN) {
        (reason::RUNNING, "the command runs")
    } else if running(status.init_container_statuses.as_deref(), PREPARE) {
        (reason::PENDING, "the workspace is being laid out")
    } else {
        (reason::PENDING, "the pod is being started")
    };
    Outcome::Progress { reason, message: message.into() }
}

fn waiting(status: &PodStatus) -> Option<(&str, &ContainerStateWaiting)> {
    let all = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    all.filter_map(|s| Some((s.name.as_str(), s.state.as_ref()?.waiting.as_ref()?)))
        .find(|(_, waiting)| blocked(waiting).is_some())
}

/// The documented reason for a container that waits for something outside.
fn blocked(waiting: &ContainerStateWaiting) -> Option<(&'static str, String)> {
    let name = waiting.reason.as_deref()?;
    let reason = match name {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => reason::IMAGE_ERROR,
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            reason::CONTAINER_START_FAILED
        }
        _ => return None,
    };
    let words = waiting.message.as_deref().unwrap_or("the node gives no details");
    Some((reason, format!("{name}: {}", crate::report::first_bytes(words, 1024))))
}

fn condition<'a>(status: &'a PodStatus, name: &str) -> Option<&'a k8s_openapi::api::core::v1::PodCondition> {
    status.conditions.iter().flatten().find(|c| c.type_ == name)
}
