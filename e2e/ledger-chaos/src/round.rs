//! One round: a Postgres, a Redis, the service, callers, somebody who edits limits, faults; then the checks.

use crate::caller::{self, Crew, Told};
use crate::check::{self, Leases};
use crate::client::Client;
use crate::edits;
use crate::faults::{self, Fault};
use crate::history::{Answer, Clock, Event, History, Moment, Story, moment};
use crate::serve::LEASES;
use crate::service::Service;
use crate::world::World;
use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Questions between one fault of each kind and the next of it.
const STRETCH: u64 = 10_000;
/// After the last question: the longest lease, and the time to see that it ended.
const AFTERWARDS: Duration = Duration::from_secs(30);
/// Questions that find Redis away, each time that it is: enough for every service to find that out.
const AWAY: u64 = 150;
const POLL: Duration = Duration::from_millis(5);

/// What to play.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    /// Questions in all.
    pub operations: u64,
    pub callers: usize,
    /// Processes of the service, all on one database.
    pub replicas: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    pub operations: u64,
    pub calls: u64,
    pub edits: u64,
    pub faults: BTreeMap<Fault, u64>,
    /// How often each answer came.
    pub answers: BTreeMap<String, u64>,
    /// Calls that were told a bound below the whole.
    pub lowered: u64,
    /// How often a service found a call's end in Redis.
    pub recalled: u64,
    pub seconds: u64,
    pub problems: Vec<String>,
}

/// Plays a round with `program` (this crate's own binary) as the service.
pub async fn play(plan: Plan, program: &Path) -> Result<Outcome> {
    let begin = Instant::now();
    let world = World::new().await?;
    let mut services = vec![];
    for _ in 0..plan.replicas {
        services.push(Service::start(program, &world.url, &world.redis.url()).await?);
    }
    let clock = Clock::start();
    let crew = Arc::new(Crew {
        client: Client::new(services.iter().map(Service::address).collect(), clock, world.team)?,
        seed: plan.seed,
        tasks: std::array::from_fn(|task| world.task(task)),
        begun: (0..plan.callers).map(|_| AtomicU64::new(0)).collect(),
        asked: AtomicU64::new(0),
        operations: plan.operations,
    });
    let (over, hear) = watch::channel(false);
    let callers = (0..plan.callers).map(|n| tokio::spawn(caller::call(Arc::clone(&crew), n)));
    let playing = async {
        let callers: Vec<_> = callers.collect();
        let faults = break_things(&world, &mut services, &crew).await;
        // Callers would go on asking a ledger that could not be started again.
        let told = if faults.is_ok() { try_join_all(callers).await } else { Ok(vec![]) };
        over.send_replace(true);
        anyhow::Ok((faults?, told?))
    };
    let (played, edits) = tokio::join!(playing, edits::edit(&world, &crew, clock, hear));
    let (faults, told) = played?;
    let history = History { stories: stories(told.into_iter().flatten().collect()), edits };
    all_ended(&world).await?;
    let leases = Leases { reserved: nanos(LEASES.reserved), dispatched: nanos(LEASES.dispatched) };
    let problems = check::check(&history, &world.rows().await?, &world.books().await?, leases);
    for mut service in services {
        service.kill().await?;
    }
    let mut outcome = counted(&history);
    world.note_hits().await?;
    outcome.recalled = world.hits();
    outcome.faults = faults;
    outcome.seconds = begin.elapsed().as_secs();
    outcome.problems = problems;
    Ok(outcome)
}

fn nanos(of: Duration) -> Moment {
    moment(of)
}

/// Each fault once its number of questions has been asked.
async fn break_things(world: &World, services: &mut [Service], crew: &Crew) -> Result<BTreeMap<Fault, u64>> {
    let mut happened = BTreeMap::new();
    let mut turns = (0..services.len()).cycle();
    for (at, fault) in faults::plan(crew.seed, crew.operations, STRETCH) {
        asked(crew, at).await;
        // Only a killed service uses up its turn, so that each replica is killed as often.
        let turn = if fault == Fault::KillService { turns.next().unwrap_or(0) } else { 0 };
        let meanwhile = asked(crew, crew.asked() + AWAY);
        fault.happen(world, &mut services[turn], meanwhile).await.with_context(|| format!("{fault:?}"))?;
        *happened.entry(fault).or_default() += 1;
    }
    Ok(happened)
}

/// Until so many questions have been asked.
async fn asked(crew: &Crew, many: u64) {
    while crew.asked() < many && !crew.over() {
        tokio::time::sleep(POLL).await;
    }
}

/// Waits for the ends of the leases of all calls nobody speaks for any more.
async fn all_ended(world: &World) -> Result<()> {
    let begin = Instant::now();
    loop {
        let open = world.open().await?;
        if open == 0 {
            return Ok(());
        }
        ensure!(begin.elapsed() < AFTERWARDS, "{open} calls did not end, long after their leases");
        tokio::time::sleep(POLL * 20).await;
    }
}

/// What was told, by call.
fn stories(told: Told) -> Vec<Story> {
    let mut stories: BTreeMap<String, Story> = BTreeMap::new();
    for (call, event) in told {
        let key = call.key.clone();
        stories.entry(key).or_insert_with(|| Story { call, events: vec![] }).events.push(event);
    }
    stories.into_values().collect()
}

fn is_lowered(story: &Story) -> bool {
    let whole = story.call.whole;
    story.events.iter().any(|event| event.answer.bound(whole).is_some_and(|bound| bound != whole))
}

fn counted(history: &History) -> Outcome {
    let mut outcome = Outcome {
        calls: history.stories.len() as u64,
        edits: history.edits.len() as u64,
        lowered: history.stories.iter().filter(|story| is_lowered(story)).count() as u64,
        ..Outcome::default()
    };
    for Event { answer, .. } in history.stories.iter().flat_map(|story| &story.events) {
        let name = match (answer.state(), answer) {
            (Some(state), _) => format!("{state:?}"),
            (None, Answer::Strange(_)) => "Strange".to_owned(),
            (None, other) => format!("{other:?}"),
        };
        *outcome.answers.entry(name).or_default() += 1;
        outcome.operations += 1;
    }
    outcome
}
