//! Kills: a part dies on the spot while it holds work of a drill; the drill still comes to its end, and every
//! promise holds.

use crate::drill::{Drill, Order};
use crate::evidence;
use crate::home::Home;
use crate::invariants;
use crate::people;
use crate::probe::{self, Sign};
use crate::seed::Seed;
use crate::snapshot::Snapshot;
use crate::victim::{FrozenGit, Victim};
use crate::world::World;
use anyhow::{Context as _, Result, bail};
use golden_scenarios::tools::{Final, wait_for};
use std::time::Duration;

/// Who votes in a home.
const VOTERS: [&str; 2] = ["security", "reviewer"];
/// Longest time between the first sight of held work and the kill, in milliseconds.
const SPREAD: u64 = 1500;
/// A call whose end nobody saw is settled when its lease ends; chaos installs a lease of a minute.
const SETTLED: Duration = Duration::from_secs(100);
const COMPLETE: Duration = Duration::from_mins(5);

/// One kill.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill {
    pub(crate) order: Order,
    /// Seen together at the moment of the kill.
    pub(crate) holds: &'static [Sign],
    pub(crate) victim: Victim,
    pub(crate) with: Extra,
}

/// What a kill needs beside the drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extra {
    Nothing,
    /// Somebody answers the question after the kill.
    Answer,
    /// The git server is frozen from this stage until the kill, so that whoever speaks to it still does.
    FrozenGit(&'static str),
    /// A reader's request waits in golden-api.
    Reader,
}

/// Somebody holds the table that golden-api reads for every record.
const LOCKED: &str = "SELECT l.pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
    WHERE c.relname = 'install' AND l.mode = 'AccessExclusiveLock' AND l.granted";

/// Runs it; says each step.
pub(crate) fn run(
    world: &World,
    home: &Home,
    name: &str,
    kill: &Kill,
    seed: u64,
    say: &mut dyn FnMut(&str),
) -> Result<()> {
    let drill = Drill::again(world, home, name, kill.order)?;
    let outcome = play(world, &drill, kill, &mut Seed::of(seed, name), say);
    if outcome.is_err() {
        let folder = evidence::keep(world, &drill);
        say(&format!("evidence is in {}", folder.display()));
    }
    outcome
}

fn play(
    world: &World,
    drill: &Drill,
    kill: &Kill,
    chance: &mut Seed,
    say: &mut dyn FnMut(&str),
) -> Result<()> {
    let mut props = Props::set(world, drill, kill.with)?;
    let pause = Duration::from_millis(chance.below(SPREAD));
    let seen = held(world, drill, kill.holds, pause)?;
    let killed = kill.victim.kill(world, drill)?;
    for sign in &seen {
        say(&format!("seen: {sign}"));
    }
    say(&format!("killed {} {} ms after work was seen", killed.words, pause.as_millis()));
    props.clear();
    kill.victim.back(world, drill, &killed)?;
    if kill.with == Extra::Answer {
        people::approve(world, drill)?;
        say("approved by a person");
    }
    drill.complete(world, COMPLETE)?;
    let seen = settle(world, drill)?;
    let record = drill.verify_record(world)?;
    say(&format!("Complete; {}; {record}", seen.figures()));
    Ok(())
}

/// Waits until all signs are seen, and seen again after the pause: work is held at the moment of the kill.
fn held(world: &World, drill: &Drill, signs: &[Sign], pause: Duration) -> Result<Vec<String>> {
    wait_for(&format!("{signs:?} of {}", drill.name), Duration::from_mins(2), || {
        if probe::look(world, drill, signs)?.is_none() {
            let rows = world.sql(&format!(
                "SELECT stage FROM tasks WHERE task_uid = '{}' AND ended_at IS NOT NULL",
                drill.uid
            ))?;
            return match rows.first() {
                Some(row) => Err(Final(format!("{} ended before it was held: {row}", drill.name)).into()),
                None => Ok(None),
            };
        }
        std::thread::sleep(pause);
        probe::look(world, drill, signs)
    })
}

/// Waits until every promise holds; the last ones that do not are the error.
fn settle(world: &World, drill: &Drill) -> Result<Snapshot> {
    wait_for(&format!("every promise about {}", drill.name), SETTLED, || {
        let seen = Snapshot::take(world, drill)?;
        let mut broken = invariants::broken(&seen);
        broken.extend(invariants::incomplete(&seen, &VOTERS));
        if broken.is_empty() {
            return Ok(Some(seen));
        }
        bail!("{}", broken.join("; "))
    })
}

/// What is put in place before a kill and taken away after it.
#[derive(Default)]
struct Props {
    git: Option<FrozenGit>,
    children: Vec<std::process::Child>,
}

impl Props {
    fn set(world: &World, drill: &Drill, extra: Extra) -> Result<Self> {
        let mut props = Self::default();
        match extra {
            Extra::Nothing | Extra::Answer => {}
            Extra::FrozenGit(stage) => {
                if stage != "Preparing" {
                    wait_for(
                        &format!("{} to be past its fetch", drill.name),
                        Duration::from_mins(2),
                        || {
                            let now = drill.stage(world)?;
                            Ok(now.is_some_and(|now| now != "Waiting" && now != "Preparing").then_some(()))
                        },
                    )?;
                }
                props.git = Some(FrozenGit::freeze(world)?);
            }
            Extra::Reader => {
                wait_for("the task to be admitted", Duration::from_mins(1), || drill.stage(world))?;
                let lock = "BEGIN; LOCK TABLE install IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(15); COMMIT";
                props.children.push(world.psql_meanwhile(lock)?);
                wait_for("the lock that keeps readers waiting", Duration::from_secs(10), || {
                    Ok(world.sql(LOCKED)?.first().map(|_| ()))
                })?;
                props.children.push(reader(world, drill)?);
            }
        }
        Ok(props)
    }

    fn clear(&mut self) {
        self.git = None;
        for mut child in self.children.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Props {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Somebody exports the record.
fn reader(world: &World, drill: &Drill) -> Result<std::process::Child> {
    let mut command = std::process::Command::new(&world.tools.golden);
    if let Some(path) = &world.tools.kubeconfig {
        command.env("KUBECONFIG", path);
    }
    command
        .args(["record", "export", &drill.name, "-n", &drill.namespace])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    command.spawn().context("cannot start golden")
}
