//! Whether a victim holds work right now: observed state, never a pause and a hope.

use crate::drill::Drill;
use crate::victim::containers;
use crate::world::{World, text};
use anyhow::Result;
use golden_scenarios::install::NAMESPACE;
use serde_json::Value;

/// One thing that must be seen. All signs of a kill must be seen in one look.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sign {
    /// A query has a row. `TASK` and `TEAM` stand for the drill's uids.
    Row(&'static str),
    /// The team's consumer of that name holds a message that is not acknowledged.
    Unacked(&'static str),
    /// A call of the task is Dispatched in the ledger and counted by the model: it is between the two.
    Upstream,
    /// A container of a pod of the task runs: component, container.
    Running(&'static str, &'static str),
    /// The operator holds its lease.
    Leader,
}

/// The task is open and its agent at work.
pub(crate) const PRODUCING: Sign =
    Sign::Row("SELECT stage, version FROM tasks WHERE task_uid = 'TASK' AND stage = 'Producing'");
/// Money is reserved for a call that has not ended.
pub(crate) const RESERVED: Sign = Sign::Row(
    "SELECT left(op_key, 24) AS op, state, role FROM reservations WHERE task_uid = 'TASK' AND state IN ('Reserved', 'Dispatched')",
);
/// Peers were asked and have not decided.
pub(crate) const REVIEW: Sign =
    Sign::Row("SELECT attempt, round FROM reviews WHERE task_uid = 'TASK' AND decision IS NULL");
/// A person was asked and has not answered.
pub(crate) const QUESTION: Sign =
    Sign::Row("SELECT reason, state FROM escalations WHERE task_uid = 'TASK' AND state = 'Open'");
/// The approved result is on its way.
pub(crate) const DELIVERING: Sign =
    Sign::Row("SELECT stage, version FROM tasks WHERE task_uid = 'TASK' AND stage = 'Delivering'");
/// golden-api reads the record and is kept from finishing.
pub(crate) const API_BUSY: Sign = Sign::Row(
    "SELECT pid, wait_event_type, left(query, 40) AS query FROM pg_stat_activity
     WHERE usename = 'golden_service' AND wait_event_type = 'Lock' AND query LIKE '%FROM install%'",
);

impl Sign {
    /// What is seen, if it is.
    pub(crate) fn look(self, world: &World, drill: &Drill) -> Result<Option<String>> {
        match self {
            Self::Row(query) => {
                let query = query.replace("TASK", &drill.uid).replace("TEAM", &drill.team_uid);
                Ok(world.sql(&query)?.first().map(Value::to_string))
            }
            Self::Unacked(consumer) => unacked(world, drill, consumer),
            Self::Upstream => upstream(world, drill),
            Self::Running(component, container) => {
                let pods = world.pods(&pod_label(drill, component))?;
                Ok(containers(&pods, container)
                    .into_iter()
                    .find(|c| c.running)
                    .map(|c| format!("pod {}/{} runs its {container}", c.namespace, c.pod)))
            }
            Self::Leader => leader(world),
        }
    }
}

/// All signs, in one look; none if one is missing.
pub(crate) fn look(world: &World, drill: &Drill, signs: &[Sign]) -> Result<Option<Vec<String>>> {
    signs.iter().map(|sign| sign.look(world, drill)).collect()
}

/// The label selector of the task's pods of one component.
pub(crate) fn pod_label(drill: &Drill, component: &str) -> String {
    use labels::{COMPONENT, TASK_UID};
    format!("{TASK_UID}={},{COMPONENT}={component}", drill.uid)
}

/// The labels a user selects by; the chaos crate looks from the outside and shares no code with what it breaks.
pub(crate) mod labels {
    pub(crate) const TASK_UID: &str = "goldenarch.dev/task-uid";
    pub(crate) const TEAM_UID: &str = "goldenarch.dev/team-uid";
    pub(crate) const COMPONENT: &str = "goldenarch.dev/component";
}

fn unacked(world: &World, drill: &Drill, consumer: &str) -> Result<Option<String>> {
    let team: String = drill.team_uid.chars().filter(|c| *c != '-').collect();
    for stream in world.streams()?.iter().filter(|s| text(&s["name"]).contains(&team)) {
        for found in stream["consumer_detail"].as_array().into_iter().flatten() {
            let held = found["num_ack_pending"].as_i64().unwrap_or(0);
            if text(&found["name"]) == consumer && held > 0 {
                return Ok(Some(format!("consumer {consumer} of {} holds {held}", text(&stream["name"]))));
            }
        }
    }
    Ok(None)
}

fn upstream(world: &World, drill: &Drill) -> Result<Option<String>> {
    let open = world.sql(&format!(
        "SELECT op_key, role FROM reservations WHERE task_uid = '{}' AND state = 'Dispatched'",
        drill.uid
    ))?;
    let tally = world.tally()?;
    let under_way = open.iter().find(|row| !tally["byOp"][text(&row["op_key"])].is_null());
    Ok(under_way
        .map(|row| format!("a call by {} is Dispatched and the model works on it", text(&row["role"]))))
}

fn leader(world: &World) -> Result<Option<String>> {
    let leases = world.list(&["leases", "-n", NAMESPACE])?;
    Ok(leases.iter().find_map(|lease| {
        let holder = lease["spec"]["holderIdentity"].as_str().filter(|h| h.contains("operator"))?;
        Some(format!("lease {} is held by {holder}", text(&lease["metadata"]["name"])))
    }))
}
