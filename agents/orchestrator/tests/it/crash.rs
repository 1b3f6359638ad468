//! The process dies after every single write, commit and publish in turn; another one takes over.

use super::stories::{assert_nothing_is_left, inline};
use super::world::{Script, World};
use golden_orchestrator::engine::{Error, Faults, Point};
use golden_platform::CancellationToken;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use uuid::Uuid;

/// Dies at the n-th place, and stays dead.
struct DieAt {
    left: AtomicI64,
    dead: AtomicBool,
    hit: std::sync::Mutex<Option<Point>>,
}

impl DieAt {
    fn new(n: i64) -> Self {
        Self { left: AtomicI64::new(n), dead: AtomicBool::new(false), hit: std::sync::Mutex::new(None) }
    }
}

impl Faults for DieAt {
    fn dies(&self, at: Point) -> bool {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
            *self.hit.lock().unwrap() = Some(at);
            self.dead.store(true, Ordering::SeqCst);
        }
        self.dead.load(Ordering::SeqCst)
    }
}

/// What others saw of a task's run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trace {
    outcome: String,
    record: Vec<String>,
    pods: Vec<String>,
    messages: Vec<String>,
}

async fn trace(world: &World, task: Uuid, outcome: String) -> Trace {
    let record = world.record(task).await;
    golden_record::verify(&record[0].prev, &record).unwrap();
    let names = |statement: &'static str| async move {
        let found: Vec<String> =
            sqlx::query_scalar(statement).bind(task).fetch_all(&world.pool).await.unwrap();
        let uid = task.to_string();
        found.into_iter().map(|n| n.replace(&uid, "T").replace(&uid[..8], "T")).collect::<Vec<_>>()
    };
    Trace {
        outcome,
        record: record.into_iter().map(|e| e.kind).collect(),
        pods: names("SELECT name FROM desired WHERE task_uid = $1 ORDER BY name").await,
        messages: names("SELECT msg_id FROM outbox WHERE task_uid = $1 ORDER BY msg_id").await,
    }
}

/// Plays a story in which the first engine dies at place `n`. Where it died, if it came so far.
async fn play(world: &mut World, n: i64, change: fn(&mut Value, &mut Value)) -> (Trace, Option<Point>) {
    let task = world.admit("crash", change).await;
    if world.script.held {
        world.purse(task, 0).await;
    }
    let faults = Arc::new(DieAt::new(n));
    let pool = golden_platform::db::connect(&world.url, 3).unwrap();
    let (mortal, heir) = (world.engine_with(pool.clone(), faults.clone()), world.engine());
    let stop = CancellationToken::new();
    for _ in 0..40 {
        match mortal.settle(&stop).await {
            Ok(()) => {}
            Err(Error::Died(_)) => break,
            Err(e) => panic!("{e}"),
        }
        // A death inside the driving of one task is that task's error and shows only in the mark.
        if faults.dead.load(Ordering::SeqCst) || world.outcome(task).await.is_some() {
            break;
        }
        if !world.react().await && !world.person(task).await {
            world.later(400);
        }
    }
    // A dead process holds no connection: what it had locked is free, once its server has noticed.
    pool.close().await;
    until_unlocked(world).await;
    let outcome = world.play(&heir, task).await;
    world.react().await;
    assert_nothing_is_left(world, task).await;
    let hit = *faults.hit.lock().unwrap();
    (trace(world, task, outcome).await, hit)
}

/// Waits until nobody else has a transaction open in this database. Else the heir passes over what the dead engine had
/// locked, and what is asked twice then is the story's clock, not a fault.
async fn until_unlocked(world: &World) {
    for _ in 0..1000 {
        let open: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                              AND pid <> pg_backend_pid() AND xact_start IS NOT NULL)",
        )
        .fetch_one(&world.pool)
        .await
        .unwrap();
        if !open {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("a transaction stays open");
}

/// Worlds played side by side; each takes every fourth place.
const WORLDS: i64 = 4;

/// Dies at every place of a story in turn, and gives the trace of an undisturbed run and the places died at.
async fn die_everywhere(script: Script, change: fn(&mut Value, &mut Value)) -> (Trace, BTreeSet<String>) {
    let mut world = World::new(script.clone()).await;
    world.allow_secrets();
    let (whole, none) = Box::pin(play(&mut world, i64::MAX, change)).await;
    assert_eq!(none, None);
    let whole = &whole;
    let worlds = (0..WORLDS).map(|first| {
        let script = script.clone();
        async move {
            let mut world = World::new(script).await;
            world.allow_secrets();
            let mut died = BTreeSet::new();
            for n in (first..).step_by(usize::try_from(WORLDS).unwrap()) {
                // That no message comes twice is asserted by the world, over all its runs.
                let (trace, hit) = Box::pin(play(&mut world, n, change)).await;
                let Some(point) = hit else { break };
                assert_eq!(&trace, whole, "died at {point:?}, place {n}");
                died.insert(format!("{point:?}"));
            }
            died
        }
    });
    let died = futures::future::join_all(worlds).await.into_iter().flatten().collect();
    (whole.clone(), died)
}

#[tokio::test]
async fn a_crash_after_every_write_changes_nothing_that_others_see() {
    let (whole, died) = die_everywhere(Script::default(), |_, _| {}).await;
    assert_eq!(whole.outcome, "Complete");
    assert_eq!(whole.pods, ["crash-T-a1-t1", "crash-T-a2-t1", "crash-T-deliver-t1", "crash-T-fetch-t1"]);
    assert_eq!(whole.messages, ["T/1/guard/unit/1", "T/2/guard/unit/1", "T/2/review/1"]);
    let all = [
        "AfterCommit",
        "AfterPublish",
        "ArtifactStored",
        "BeforeCommit",
        "BeforePublish",
        "DesiredWritten",
        "EntryWritten",
        "FactsConsumed",
        "OutboxWritten",
        "PublishMarked",
        "ReviewWritten",
        "TaskWritten",
    ];
    assert_eq!(died.iter().map(String::as_str).collect::<Vec<_>>(), all, "every kind of place was died at");
}

#[tokio::test]
async fn a_crash_around_a_persons_decision_asks_and_takes_it_once() {
    let (whole, died) = die_everywhere(Script { person: Some("bob"), ..Script::tie() }, inline).await;
    assert_eq!(whole.outcome, "Complete");
    assert_eq!(whole.messages, ["T/1/escalation/ReviewTied", "T/1/guard/unit/1", "T/1/review/1"]);
    assert!(died.contains("EscalationWritten"), "it died while the question was written");
}

#[tokio::test]
async fn a_crash_around_an_approval_waits_for_it_and_takes_it_once() {
    let script = Script { work: |_| Some("whole"), person: Some("bob"), ..Script::default() };
    let (whole, _) = die_everywhere(script, |spec, policy| {
        inline(spec, policy);
        policy["approvals"] = serde_json::json!([{"origin": "code", "when": "Always", "count": 1}]);
    })
    .await;
    assert_eq!(whole.outcome, "Complete");
    let last: Vec<&str> = whole.record.iter().rev().take(4).rev().map(String::as_str).collect();
    assert_eq!(last, ["Reviewed", "DecisionTaken", "Approved", "Ended"]);
}

#[tokio::test]
async fn a_crash_while_voters_are_weighed_asks_them_once() {
    let script = Script { work: |_| Some("whole"), ..Script::default() };
    let (whole, _) = die_everywhere(script, |spec, policy| {
        inline(spec, policy);
        policy["review"]["weights"] = serde_json::json!("TrackRecord");
    })
    .await;
    assert_eq!(whole.outcome, "Complete");
    assert_eq!(whole.messages, ["T/1/guard/unit/1", "T/1/review/1"]);
}

#[tokio::test]
async fn a_crash_around_an_additional_review_asks_it_once_and_no_person() {
    let with_arbiter = |spec: &mut Value, policy: &mut Value| {
        inline(spec, policy);
        policy["review"]["additionalReviewer"] = serde_json::json!({"role": "arbiter"});
    };
    let (whole, died) = die_everywhere(Script::tie(), with_arbiter).await;
    assert_eq!(whole.outcome, "Complete");
    assert_eq!(whole.messages, ["T/1/guard/unit/1", "T/1/review/1", "T/1/review/2"]);
    assert_eq!(whole.record.iter().filter(|kind| *kind == "Reviewed").count(), 2);
    assert!(died.contains("ReviewWritten"), "it died while the review was opened");
}

#[tokio::test]
async fn a_crash_around_a_pause_saves_frees_and_resumes_once() {
    let script = Script { work: |_| Some("whole"), held: true, ..Script::default() };
    let (whole, died) = die_everywhere(script, inline).await;
    assert_eq!(whole.outcome, "Complete");
    assert_eq!(whole.pods, ["crash-T-a1-t1", "crash-T-a1-t2"]);
    let kinds: Vec<&str> = whole.record.iter().map(String::as_str).collect();
    let pause = ["BudgetHeld", "AttemptSaved", "AttemptResumed", "TryStarted"];
    assert!(kinds.windows(pause.len()).any(|w| w == pause), "{kinds:?}");
    assert!(died.contains("DesiredWritten") && died.contains("FactsConsumed"), "{died:?}");
}
