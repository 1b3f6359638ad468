//! Deletions: with a drill in every stage, the tasks, their team or their namespace go. Within a bound nothing is
//! stuck, nothing is left over, money is resolved, and the record can still be read.

use crate::drill::Drill;
use crate::evidence;
use crate::home::{Home, TEAM};
use crate::invariants;
use crate::probe::labels::TEAM_UID;
use crate::snapshot::Snapshot;
use crate::stages;
use crate::world::{World, text};
use anyhow::{Result, bail};
use golden_scenarios::install::NAMESPACE;
use golden_scenarios::tools::wait_for;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Until the objects are gone from the apiserver.
const GONE: Duration = Duration::from_secs(90);
/// Until nothing is left and every call is settled: a lease of a minute, and the sweeps between.
const CLEAN: Duration = Duration::from_mins(4);

/// What is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Tasks,
    Team,
    Namespace,
}

/// Runs it; says each step.
pub(crate) fn run(world: &World, name: &str, what: What, say: &mut dyn FnMut(&str)) -> Result<()> {
    let home = Home::build(world, name)?;
    let (drills, git) = stages::every(world, &home)?;
    say(&format!("{} tasks, one in every stage", drills.len()));
    let start = Instant::now();
    delete(world, &home, what)?;
    wait_for("the deleted objects to be gone", GONE, || gone(world, &home, what))?;
    say(&format!("gone from the apiserver after {} s", start.elapsed().as_secs()));
    // Who fetches or delivers was held by it; what is on its way out may arrive.
    drop(git);
    let mut faults = Vec::new();
    for drill in &drills {
        match clean(world, drill, what) {
            Ok(outcome) => say(&format!("{}: {outcome} after {} s", drill.name, start.elapsed().as_secs())),
            Err(error) => {
                say(&format!("{}: evidence is in {}", drill.name, evidence::keep(world, drill).display()));
                faults.push(format!("{}: {error:#}", drill.name));
            }
        }
    }
    if what != What::Tasks
        && let Err(error) = wait_for("nothing of the team to be left", CLEAN, || team_is_gone(world, &home))
    {
        faults.push(format!("{error:#}"));
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Home::raze(world, &home.namespace)
}

fn delete(world: &World, home: &Home, what: What) -> Result<()> {
    let args: &[&str] = match what {
        What::Tasks => &["delete", "agenttasks", "--all", "-n", &home.namespace, "--wait=false"],
        What::Team => &["delete", "agentteam", TEAM, "-n", &home.namespace, "--wait=false"],
        What::Namespace => &["delete", "namespace", &home.namespace, "--wait=false"],
    };
    world.tools.kubectl(args).map(drop)
}

fn gone(world: &World, home: &Home, what: What) -> Result<Option<()>> {
    let ns = &home.namespace[..];
    let left = match what {
        What::Tasks => world.list(&["agenttasks", "-n", ns])?,
        What::Team => world.list(&["agentteams", "-n", ns])?,
        What::Namespace => {
            let all = world.list(&["namespaces"])?;
            all.into_iter().filter(|n| text(&n["metadata"]["name"]) == ns).collect()
        }
    };
    if left.is_empty() {
        return Ok(Some(()));
    }
    let names: Vec<&str> = left.iter().map(|o| text(&o["metadata"]["name"])).collect();
    bail!("still there: {names:?}")
}

/// Waits until the task has its end, nothing is left of it, and its record is whole. Returns the outcome.
fn clean(world: &World, drill: &Drill, what: What) -> Result<String> {
    let outcome = wait_for("its end", CLEAN, || {
        let mut seen = Snapshot::take(world, drill)?;
        if what != What::Tasks {
            // With its team goes whoever would take in what a pod still told, or send what was still to be asked.
            (seen.unconsumed, seen.unpublished) = (0, 0);
        }
        let mut broken = invariants::broken(&seen);
        if what != What::Team {
            broken.extend(invariants::orphans(&seen));
        }
        if broken.is_empty() {
            let outcome = seen.outcome.as_deref().unwrap_or_default();
            return Ok(Some(format!("{outcome}; {}", seen.figures())));
        }
        bail!("{}", broken.join("; "))
    })?;
    let record = drill.verify_record(world)?;
    Ok(format!("{outcome}; {record}"))
}

/// No Deployment, no pod, no stream that is not marked with how long it is kept.
fn team_is_gone(world: &World, home: &Home) -> Result<Option<()>> {
    let label = format!("{TEAM_UID}={}", home.team_uid);
    let left =
        world.list(&["deployments,services,poddisruptionbudgets,pods", "-n", NAMESPACE, "-l", &label])?;
    // Ended pods of a task that is still there are the task's, and keep their logs for an hour.
    let ended = |o: &Value| ["Succeeded", "Failed"].contains(&text(&o["status"]["phase"]));
    let mut faults: Vec<String> = left
        .iter()
        .filter(|o| text(&o["kind"]) != "Pod" || !ended(o))
        .map(|o| format!("{} {}", text(&o["kind"]), text(&o["metadata"]["name"])))
        .collect();
    let team: String = home.team_uid.chars().filter(|c| *c != '-').collect();
    for stream in world.streams()?.iter().filter(|s| text(&s["name"]).contains(&team)) {
        let marked =
            stream["config"]["metadata"].as_object().is_some_and(|m| m.keys().any(|k| k.contains("retain")));
        if !marked {
            faults.push(format!("stream {} without a mark how long it is kept", text(&stream["name"])));
        }
    }
    if faults.is_empty() {
        return Ok(Some(()));
    }
    bail!("left: {}", faults.join(", "))
}
