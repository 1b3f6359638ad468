//! Names and ids of what a task makes: deterministic, so that making it twice is making it once.

use super::task::Task;
use golden_crds::labels::{child_name, try_name};
use golden_platform::wire::DesiredKind;
use uuid::Uuid;

/// The name of a pod of a task.
pub fn pod_name(task: &Task, kind: DesiredKind, attempt: u32, try_no: u32) -> String {
    let uid = task.uid.to_string();
    match kind {
        DesiredKind::AttemptPod => try_name(&task.name, &uid, attempt, try_no),
        DesiredKind::FetchPod => child_name(&task.name, &uid, &format!("-fetch-t{try_no}")),
        DesiredKind::DeliveryPod => child_name(&task.name, &uid, &format!("-deliver-t{try_no}")),
    }
}

/// The name of the SandboxRun of a guard. A further run of the same guard, after one that could not be judged, gets
/// its number.
pub fn guard_run_name(task: &Task, attempt: u32, try_no: u32, guard: &str, run: u32) -> String {
    let again = if run > 1 { format!("-r{run}") } else { String::new() };
    child_name(&task.name, &task.uid.to_string(), &format!("-a{attempt}-t{try_no}-{guard}{again}"))
}

/// The id of a message: `‹task›/‹attempt›/‹what›`. JetStream drops a repeated one.
pub fn message_id(task: Uuid, attempt: u32, what: &str) -> String {
    format!("{task}/{attempt}/{what}")
}

/// The id of a question to a person, one per attempt and reason.
pub(super) fn escalation_id(task: Uuid, attempt: u32, reason: &str) -> Uuid {
    Uuid::new_v5(&task, format!("escalation/{attempt}/{reason}").as_bytes())
}
