//! A drill held in each stage, so that a deletion can meet it there.

use crate::drill::{Drill, Order};
use crate::home::Home;
use crate::victim::FrozenGit;
use crate::world::World;
use anyhow::{Context as _, Result};
use golden_scenarios::tools::wait_for;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(3);

/// A stage, how a drill is brought there, and how that is seen.
struct Hold {
    name: &'static str,
    order: Order,
    /// A query with a row once the drill is there. `TASK` stands for its uid.
    there: &'static str,
}

const HOLDS: [Hold; 7] = [
    Hold {
        name: "producing",
        order: Order { words: "The developer thinks for minutes.", ..Order::PLAIN },
        there: "SELECT 1 FROM reservations WHERE task_uid = 'TASK' AND state = 'Dispatched'",
    },
    Hold {
        name: "guarding",
        order: Order { guard_seconds: Some(240), ..Order::PLAIN },
        there: "SELECT 1 FROM tasks WHERE task_uid = 'TASK' AND stage = 'Guarding'",
    },
    Hold {
        name: "reviewing",
        order: Order { words: "Security thinks for minutes.", ..Order::PLAIN },
        there: "SELECT 1 FROM reservations WHERE task_uid = 'TASK' AND state = 'Dispatched' AND role LIKE '%security%'",
    },
    Hold {
        name: "escalated",
        order: Order { words: "Peers disagree.", ..Order::PLAIN },
        there: "SELECT 1 FROM escalations WHERE task_uid = 'TASK' AND state = 'Open'",
    },
    Hold {
        name: "approving",
        order: Order { approval: true, ..Order::PLAIN },
        there: "SELECT 1 FROM tasks WHERE task_uid = 'TASK' AND stage = 'Approving'",
    },
    Hold {
        name: "paused",
        order: Order { small_purse: true, ..Order::PLAIN },
        there: "SELECT 1 FROM tasks WHERE task_uid = 'TASK' AND state->'held' <> '{}'::jsonb",
    },
    Hold {
        name: "complete",
        order: Order::PLAIN,
        there: "SELECT 1 FROM tasks WHERE task_uid = 'TASK' AND outcome = 'Complete'",
    },
];

/// Submitted last: it must have fetched and not delivered when the git server freezes.
const DELIVERING: Hold = Hold {
    name: "delivering",
    order: Order { git: true, words: "The developer thinks a while.", ..Order::PLAIN },
    there: "SELECT 1 FROM desired WHERE task_uid = 'TASK' AND kind = 'DeliveryPod' AND wanted AND object_uid IS NOT NULL",
};

const PREPARING: Hold = Hold {
    name: "preparing",
    order: Order { git: true, ..Order::PLAIN },
    there: "SELECT 1 FROM desired WHERE task_uid = 'TASK' AND kind = 'FetchPod' AND wanted AND object_uid IS NOT NULL",
};

/// One drill per stage, all of them there at once. Who delivers or fetches waits for the frozen git server.
pub(crate) fn every(world: &World, home: &Home) -> Result<(Vec<Drill>, FrozenGit)> {
    let holds: Vec<&Hold> = HOLDS.iter().chain([&DELIVERING, &PREPARING]).collect();
    let mut drills = Vec::new();
    for hold in HOLDS.iter().chain([&DELIVERING]) {
        drills.push(Drill::submit(world, home, hold.name, hold.order)?);
    }
    let delivering = drills.last().context("there is no drill")?;
    wait_for("the delivering drill to be past its fetch", LIMIT, || {
        Ok(delivering.stage(world)?.is_some_and(|s| s != "Waiting" && s != "Preparing").then_some(()))
    })?;
    let git = FrozenGit::freeze(world)?;
    drills.push(Drill::submit(world, home, PREPARING.name, PREPARING.order)?);
    for (drill, hold) in drills.iter().zip(holds) {
        let query = hold.there.replace("TASK", &drill.uid);
        wait_for(&format!("a task to be {}", hold.name), LIMIT, || {
            Ok(world.sql(&query)?.first().map(|_| ()))
        })?;
    }
    Ok((drills, git))
}
