//! Documented reasons: the ones used here, and the translation of what others report.

pub(super) use golden_crds::conditions::agent_task::*;

/// Kind of the entry whose hash a delivered commit names.
pub(super) const APPROVED_ENTRY: &str = "Approved";

/// `reason` if it is a documented one, else the documented one it stands for.
pub(super) fn documented(reason: &str, fallback: &'static str) -> String {
    let known = ALL.iter().chain(shared::ALL).any(|r| r.name == reason);
    let meant = match reason {
        _ if known => reason,
        "GitAuthFailed" | "AuthFailed" => GIT_DENIED,
        "BranchMoved" | "NonFastForward" => DELIVERY_CONFLICT,
        "PushRejected" | "PushRefused" => DELIVERY_REFUSED,
        "DigestMismatch" => DELIVERY_DIGEST_MISMATCH,
        "TooLarge" => SOURCE_TOO_LARGE,
        "Evicted" | "Preempted" | "Preempting" => POD_EVICTED,
        "NodeShutdown" | "Terminated" => NODE_LOST,
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ImageError" => IMAGE_PULL_FAILED,
        "Unschedulable" => POD_UNSCHEDULABLE,
        "CreateContainerError" | "CreateContainerConfigError" | "RunContainerError" => CONTAINER_START_FAILED,
        _ => fallback,
    };
    meant.to_owned()
}

/// At most `max` bytes of `text`, cut at a character, without what a database or a terminal would choke on.
pub(super) fn bounded(text: &str, max: usize) -> String {
    let clean = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    let mut out = String::with_capacity(text.len().min(max));
    for c in text.chars().filter(clean) {
        if out.len() + c.len_utf8() > max {
            break;
        }
        out.push(c);
    }
    out
}
