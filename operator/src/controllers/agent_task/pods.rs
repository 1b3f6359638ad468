//! What a pod's status means for its task. Pure.

use golden_crds::conditions::agent_task as reason;
use golden_platform::wire::PodPhase;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};

/// Bound on the node's words.
const MESSAGE_BYTES: usize = 1024;

/// What is seen of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodSeen {
    pub(crate) phase: PodPhase,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) exit_code: Option<i32>,
}

/// Whether the pod has ended by itself.
pub(crate) fn is_terminal(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Reads a pod.
pub(crate) fn read(pod: &Pod) -> PodSeen {
    let empty = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&empty);
    match status.phase.as_deref() {
        Some("Succeeded") => seen(PodPhase::Succeeded, "Completed", "", Some(0)),
        Some("Failed") => failed(status),
        _ if pod.metadata.deletion_timestamp.is_some() => deleted(status),
        Some("Running") => seen(PodPhase::Running, "Running", "", None),
        Some("Unknown") => seen(PodPhase::Blocked, reason::NODE_LOST, "the pod's node does not report", None),
        _ => pending(status),
    }
}

fn failed(status: &PodStatus) -> PodSeen {
    let why = status.reason.as_deref().unwrap_or_default();
    let words = status.message.as_deref().unwrap_or_default();
    if let Some(lost) = lost_reason(status) {
        return seen(PodPhase::Lost, lost, &format!("{why} {words}"), None);
    }
    // Only the regular container speaks for the work; a sidecar is stopped after it.
    let main = status.container_statuses.iter().flatten().find_map(|c| c.state.as_ref()?.terminated.as_ref());
    let said = main.and_then(|t| t.message.as_deref()).unwrap_or(words);
    let why = match (why, main.and_then(|t| t.reason.as_deref())) {
        ("DeadlineExceeded", _) => "DeadlineExceeded",
        (_, Some(why)) if !why.is_empty() => why,
        ("", _) => "Error",
        (why, _) => why,
    };
    seen(PodPhase::Failed, why, said, main.map(|t| t.exit_code))
}

/// Why the node or the cluster took the pod away, if it did.
fn lost_reason(status: &PodStatus) -> Option<&'static str> {
    let disrupted =
        status.conditions.iter().flatten().find(|c| c.type_ == "DisruptionTarget" && c.status == "True");
    match status.reason.as_deref().unwrap_or_default() {
        "Evicted" | "Preempting" | "Preempted" => Some(reason::POD_EVICTED),
        "NodeLost" | "NodeShutdown" | "Shutdown" | "Terminated" | "NodeAffinity" => Some(reason::NODE_LOST),
        why if why.starts_with("OutOf") || why.ends_with("AdmissionError") => Some(reason::POD_EVICTED),
        _ => match disrupted?.reason.as_deref() {
            // Taken off a node that does not report, or that is gone.
            Some("DeletionByTaintManager" | "DeletionByPodGC") => Some(reason::NODE_LOST),
            _ => Some(reason::POD_EVICTED),
        },
    }
}

fn deleted(status: &PodStatus) -> PodSeen {
    let why = lost_reason(status).unwrap_or(reason::POD_EVICTED);
    let told = status.conditions.iter().flatten().find(|c| c.type_ == "DisruptionTarget");
    let words = told.and_then(|c| c.message.as_deref()).unwrap_or("somebody deleted it");
    seen(PodPhase::Lost, why, &format!("the pod is being deleted ({words})"), None)
}

/// The pod was made just now.
pub(crate) fn created() -> PodSeen {
    seen(PodPhase::Created, "Created", "", None)
}

/// The pod is not there any more and had not ended.
pub(crate) fn vanished() -> PodSeen {
    seen(PodPhase::Lost, reason::POD_EVICTED, "the pod was deleted before it had ended", None)
}

fn pending(status: &PodStatus) -> PodSeen {
    let mut containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    if let Some((why, words)) = containers.find_map(blocked) {
        return seen(PodPhase::Blocked, why, &words, None);
    }
    let unscheduled = status.conditions.iter().flatten().find(|c| {
        c.type_ == "PodScheduled" && c.status == "False" && c.reason.as_deref() == Some("Unschedulable")
    });
    if let Some(c) = unscheduled {
        return seen(
            PodPhase::Blocked,
            reason::POD_UNSCHEDULABLE,
            c.message.as_deref().unwrap_or_default(),
            None,
        );
    }
    seen(PodPhase::Created, "Created", "", None)
}

fn blocked(container: &ContainerStatus) -> Option<(&'static str, String)> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let name = waiting.reason.as_deref()?;
    let why = match name {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => reason::IMAGE_PULL_FAILED,
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" | "CrashLoopBackOff" => {
            reason::CONTAINER_START_FAILED
        }
        _ => return None,
    };
    let words = waiting.message.as_deref().unwrap_or("the node gives no details");
    Some((why, format!("container {}: {name}: {words}", container.name)))
}

fn seen(phase: PodPhase, reason: &str, message: &str, exit_code: Option<i32>) -> PodSeen {
    let message = message.trim();
    let message = message[..message.floor_char_boundary(MESSAGE_BYTES)].to_owned();
    PodSeen { phase, reason: reason.into(), message, exit_code }
}
