//! What is decided from memory holds only while nobody else has changed what it rests on.

use golden_ledger_service::{Error, Leases, Ledger};
use golden_platform::db;
use golden_platform::ledger_accounts::mark_deleted;
use golden_platform::telemetry::Metrics;
use golden_platform::wire::{Bound, ReserveAnswer, ReserveRequest};
use uuid::Uuid;

use crate::support::{World, granted, postgres, request, settlement};

/// A ledger whose batches are counted.
struct Counted {
    world: World,
    metrics: Metrics,
}

impl Counted {
    async fn new() -> Self {
        let world = World::on(postgres(), Leases::default()).await;
        let metrics = Metrics::new("ledger").unwrap();
        let ledger = Ledger::measured(world.pool.clone(), Leases::default(), &metrics).unwrap();
        Self { world: World { ledger, ..world }, metrics }
    }

    /// Batches that were decided from memory, with locks, and in vain.
    fn batches(&self) -> [u64; 3] {
        let text = self.metrics.render().unwrap();
        ["remembered", "locked", "vain"].map(|how| {
            let name = format!("golden_ledger_batches_total{{decided=\"{how}\"");
            let line = text.lines().find(|line| line.starts_with(&name));
            line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
        })
    }

    /// One call that is paid, so that its accounts are remembered. Returns the Budget and the task.
    async fn begun(&self, limit: i64) -> (Uuid, Uuid) {
        let root = self.world.budget(Uuid::new_v4(), None, Some(limit)).await;
        let task = self.world.task(&[root], None).await;
        assert_eq!(self.world.reserve(task, &format!("first-{task}"), 10).await, granted("Reserved"));
        (root, task)
    }
}

fn exhausted(answer: &ReserveAnswer) -> bool {
    matches!(answer, ReserveAnswer::Exhausted { .. })
}

#[tokio::test]
async fn a_call_of_a_known_task_takes_one_statement() {
    let counted = Counted::new().await;
    let (root, task) = counted.begun(100).await;
    assert_eq!(counted.batches(), [0, 1, 0]);
    assert_eq!(counted.world.reserve(task, "a", 20).await, granted("Reserved"));
    counted.world.ledger.dispatch("a").await.unwrap();
    counted.world.ledger.settle(&settlement("a", 15)).await.unwrap();
    assert_eq!(counted.batches(), [3, 1, 0]);
    assert_eq!(counted.world.money(root).await, (15, 10, 0));
    assert_eq!(counted.world.sums().await, (15, 10));
}

#[tokio::test]
async fn an_edit_takes_effect_on_the_next_call() {
    let counted = Counted::new().await;
    let (root, task) = counted.begun(100).await;
    let world = &counted.world;
    world.budget(root, None, Some(20)).await;
    assert!(exhausted(&world.reserve(task, "a", 20).await), "the limit is lower now");
    assert_eq!(counted.batches()[2], 1, "what was remembered did not hold");
    world.budget(root, None, Some(30)).await;
    assert_eq!(world.reserve(task, "a", 20).await, granted("Reserved"), "and higher again");
    // Also one that went past Golden.
    sqlx::query("UPDATE accounts SET limit_cost = 31 WHERE account_uid = $1")
        .bind(root)
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(world.reserve(task, "b", 1).await, granted("Reserved"));
    assert!(exhausted(&world.reserve(task, "c", 1).await));
    mark_deleted(&mut world.pool.acquire().await.unwrap(), root).await.unwrap();
    assert_eq!(world.reserve(task, "d", 0).await, ReserveAnswer::NoAccount);
    assert_eq!(world.money(root).await, (0, 31, 0));
}

#[tokio::test]
async fn a_held_call_that_was_granted_from_memory_in_vain_keeps_its_turn() {
    let counted = Counted::new().await;
    let (root, task) = counted.begun(100).await;
    let world = &counted.world;
    assert_eq!(world.reserve(task, "large", 90).await, granted("Reserved"));
    for held in ["held first", "held second"] {
        assert!(exhausted(&world.reserve(task, held, 50).await));
    }
    world.ledger.release("large").await.unwrap();
    let spend = async |spent: i64| {
        let spending = sqlx::query(
            "UPDATE accounts SET spent_cost = $2, revision = revision + 1 WHERE account_uid = $1",
        );
        spending.bind(root).bind(spent).execute(&world.pool).await.unwrap();
    };
    // As another ledger does it. What is remembered would pay for one of the two.
    spend(60).await;
    let vain = counted.batches()[2];
    assert!(exhausted(&world.reserve(task, "held first", 50).await));
    assert_eq!(counted.batches()[2], vain + 1, "it was granted from memory");
    spend(40).await;
    assert!(exhausted(&world.reserve(task, "held second", 50).await), "it is not next");
    assert_eq!(world.reserve(task, "held first", 50).await, granted("Reserved"));
}

#[tokio::test]
async fn a_grant_of_nothing_rests_on_its_accounts_too() {
    let counted = Counted::new().await;
    let (root, task) = counted.begun(10).await;
    let world = &counted.world;
    let nothing = Bound { cost_micro_usd: 0, tokens: 0 };
    let call = |key: &str| ReserveRequest { least: Some(nothing), ..request(world.team, task, key, 20) };
    let granted = ReserveAnswer::Granted { state: "Reserved".into(), bound: Some(nothing) };
    assert_eq!(
        world.ledger.reserve(&call("a")).await.unwrap(),
        granted,
        "nothing is left, and it needs nothing"
    );
    world.budget(root, None, Some(5)).await;
    let lower = world.ledger.reserve(&call("b")).await.unwrap();
    assert!(exhausted(&lower), "more is committed than the limit is now: {lower:?}");
    assert_eq!(world.money(root).await, (0, 10, 0));
}

#[tokio::test]
async fn what_another_ledger_did_to_a_call_is_not_done_again() {
    let counted = Counted::new().await;
    let (root, task) = counted.begun(100).await;
    let world = &counted.world;
    let other = Ledger::new(world.pool.clone(), Leases::default());
    let first = format!("first-{task}");
    world.ledger.dispatch(&first).await.unwrap();
    other.settle(&settlement(&first, 7)).await.unwrap();
    assert_eq!(
        world.ledger.settle(&settlement(&first, 9)).await.unwrap().state,
        "Settled",
        "the first report counts"
    );
    assert_eq!(world.money(root).await, (7, 0, 0));
    assert_eq!(counted.batches()[2], 1);
    // Its key belongs to its request, whoever is asked.
    let mut again = request(world.team, task, &first, 10);
    again.request_hash = "sha256:another".into();
    assert_eq!(world.ledger.reserve(&again).await.unwrap(), ReserveAnswer::OtherRequest);
    assert_eq!(world.sums().await, (7, 0));
}

#[tokio::test]
async fn a_pod_that_is_no_longer_the_newest_try_is_not_paid_from_memory() {
    let counted = Counted::new().await;
    let (_, task) = counted.begun(100).await;
    let world = &counted.world;
    let pods = [Uuid::new_v4(), Uuid::new_v4()];
    let begin = async |n: usize| {
        sqlx::query(
            "INSERT INTO desired (namespace, name, team_uid, task_uid, kind, attempt, try, spec, object_uid)
             VALUES ('shop', $1, $2, $3, 'AttemptPod', 1, $4, '{}', $5)",
        )
        .bind(format!("{task}-{n}"))
        .bind(world.team)
        .bind(task)
        .bind(i32::try_from(n).unwrap())
        .bind(pods[n])
        .execute(&world.pool)
        .await
        .unwrap();
    };
    let call = |key: &str, pod: usize| {
        let mut call = request(world.team, task, key, 1);
        call.try_uid = Some(pods[pod]);
        call
    };
    begin(0).await;
    assert_eq!(world.ledger.reserve(&call("a", 0)).await.unwrap(), granted("Reserved"));
    begin(1).await;
    assert!(matches!(world.ledger.reserve(&call("b", 0)).await, Err(Error::StaleTry(pod)) if pod == pods[0]));
    assert_eq!(world.ledger.reserve(&call("c", 1)).await.unwrap(), granted("Reserved"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_ledgers_on_one_budget_lose_nothing_and_spend_nothing_twice() {
    const LIMIT: i64 = 300;
    let counted = Counted::new().await;
    let (root, task) = counted.begun(LIMIT).await;
    let world = &counted.world;
    // A process of its own, as far as the database can tell.
    let pool = db::connect(&world.url, 4).unwrap();
    let ledgers = [world.ledger.clone(), Ledger::new(pool, Leases::default())];
    let callers: Vec<_> = (0..32)
        .map(|caller| {
            let (ledgers, team) = (ledgers.clone(), world.team);
            tokio::spawn(async move {
                let mut granted = 0;
                for n in 0..10 {
                    let key = format!("{caller}-{n}");
                    let (mine, other) = (&ledgers[caller % 2], &ledgers[(caller + n) % 2]);
                    match mine.reserve(&request(team, task, &key, 10)).await.unwrap() {
                        ReserveAnswer::Granted { .. } => granted += 1,
                        ReserveAnswer::Exhausted { .. } => continue,
                        told => panic!("{told:?}"),
                    }
                    other.dispatch(&key).await.unwrap();
                    mine.settle(&settlement(&key, 3)).await.unwrap();
                }
                granted
            })
        })
        .collect();
    let mut granted = 0;
    for caller in callers {
        granted += caller.await.unwrap();
    }
    let (spent, held, overage) = world.money(root).await;
    assert_eq!((spent, held, overage), (granted * 3, 10, 0), "the first call is still under way");
    assert_eq!(world.sums().await, (spent, held));
    assert!(spent + held <= LIMIT && granted > 0, "{spent} + {held} of {granted} calls");
}

#[tokio::test]
async fn who_holds_an_account_for_long_holds_up_nobody_else() {
    let counted = Counted::new().await;
    let (held, _) = counted.begun(100).await;
    let (_, free) = counted.begun(100).await;
    let world = &counted.world;
    let mut tx = world.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM accounts WHERE account_uid = $1 FOR UPDATE")
        .bind(held)
        .execute(&mut *tx)
        .await
        .unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(world.reserve(free, "free", 1).await, granted("Reserved"));
    assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
    tx.rollback().await.unwrap();
}
