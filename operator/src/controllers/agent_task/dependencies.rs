//! Tasks that must be Complete before this one begins, while it is not admitted. Pure.
//!
//! A dependency is bound by its uid once it is admitted itself: from then on Postgres holds its end, also after its
//! object was deleted, and the orchestrator hears of it. Before that it may be deleted and made anew under its name (a
//! spec is immutable), so whoever depends on it waits for its admission; and one that ends without an admission has no
//! run whose end the orchestrator could hear of.

use super::inputs::Inputs;
use crate::models::Fault;
use golden_crds::AgentTask;
use golden_crds::conditions::agent_task as reason;
use golden_crds::conditions::{ADMITTED, FAILED, find};
use golden_platform::wire::Dependency;
use kube::ResourceExt;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A task of the namespace, as one that depends on it sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Other {
    uid: Option<Uuid>,
    depends_on: Vec<String>,
    /// The reason of its end, if that is not Complete.
    failed: Option<String>,
    /// Why it is not admitted, as far as it says so.
    lacks: Option<String>,
}

impl Other {
    pub(crate) fn of(task: &AgentTask) -> Self {
        let conditions = task.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
        let reason = |type_, status: &str| {
            find(conditions, type_).filter(|c| c.status == status).map(|c| c.reason.clone())
        };
        Self {
            uid: task.uid().and_then(|uid| uid.parse().ok()),
            depends_on: names(task),
            failed: reason(FAILED, "True"),
            lacks: reason(ADMITTED, "False"),
        }
    }

    pub(crate) fn uid(&self) -> Option<Uuid> {
        self.uid
    }
}

/// The names in `spec.dependsOn`.
pub(crate) fn names(task: &AgentTask) -> Vec<String> {
    task.spec.depends_on.iter().map(|d| d.name.clone()).collect()
}

/// The end of a task that has ended so before. It is for good: another task that takes the dependency's name later, or an
/// edit, changes nothing.
pub(crate) fn ended(task: &AgentTask) -> Option<Fault> {
    let own = task.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    find(own, FAILED)
        .filter(|c| c.status == "True" && c.reason == reason::DEPENDENCY_FAILED)
        .map(|c| Fault { reason: reason::DEPENDENCY_FAILED, message: c.message.clone() })
}

/// The end of a task one of whose dependencies can never be Complete, whatever else it lacks.
pub(crate) fn broken(inputs: &Inputs) -> Option<Fault> {
    let ended = |d: &String| inputs.tasks.get(d)?.failed.clone().map(|why| (d.clone(), why));
    let (name, why) = names(&inputs.task).iter().find_map(ended)?;
    let message =
        format!("dependency {name} ended with reason {why}; submit both again once its cause is mended");
    Some(Fault { reason: reason::DEPENDENCY_FAILED, message })
}

/// The dependencies by uid, once all of them are admitted.
pub(crate) fn resolve(inputs: &Inputs) -> Result<Vec<Dependency>, Fault> {
    circle(inputs)?;
    names(&inputs.task).into_iter().map(|name| one(name, inputs)).collect()
}

fn one(name: String, inputs: &Inputs) -> Result<Dependency, Fault> {
    if let Some(unreadable) = inputs.unreadable.dependencies.get(&name) {
        let message = format!("{unreadable}; this task waits for it");
        return Err(Fault { reason: reason::DEPENDENCY_PENDING, message });
    }
    let Some((uid, other)) = inputs.tasks.get(&name).and_then(|other| Some((other.uid?, other))) else {
        let namespace = inputs.task.namespace().unwrap_or_default();
        let message = format!(
            "AgentTask {name} of spec.dependsOn does not exist in namespace {namespace}; create it, or submit this \
             task again without it"
        );
        return Err(Fault { reason: reason::DEPENDENCY_NOT_FOUND, message });
    };
    if inputs.admitted.contains(&uid) {
        return Ok(Dependency { name, uid });
    }
    let lacks = other.lacks.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    let message =
        format!("waits for AgentTask {name} of spec.dependsOn, which is itself not admitted yet{lacks}");
    Err(Fault { reason: reason::DEPENDENCY_PENDING, message })
}

/// A way from the task back to itself.
fn circle(inputs: &Inputs) -> Result<(), Fault> {
    let start = inputs.task.name_any();
    let first = names(&inputs.task);
    let mut came_from: BTreeMap<String, String> = first.iter().map(|n| (n.clone(), start.clone())).collect();
    let mut open = first;
    while let Some(here) = open.pop() {
        let further = inputs.tasks.get(&here).map(|other| other.depends_on.as_slice()).unwrap_or_default();
        for next in further {
            if *next == start {
                let way = way(&start, &here, &came_from);
                let message = format!("tasks wait for each other: {way}; take one dependency out");
                return Err(Fault { reason: reason::DEPENDENCY_CYCLE, message });
            }
            if !came_from.contains_key(next) {
                came_from.insert(next.clone(), here.clone());
                open.push(next.clone());
            }
        }
    }
    Ok(())
}

fn way(start: &str, end: &str, came_from: &BTreeMap<String, String>) -> String {
    let mut names = vec![start, end];
    let mut here = end;
    while let Some(before) = came_from.get(here).filter(|b| *b != start) {
        names.push(before);
        here = before;
    }
    names.push(start);
    names.reverse();
    names.join(" → ")
}
