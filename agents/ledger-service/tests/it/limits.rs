//! No account of a path is ever overdrawn.

use futures::future::join_all;
use golden_platform::wire::ReserveAnswer;
use uuid::Uuid;

use crate::support::{World, granted, request, settlement};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_callers_at_once_never_exceed_a_shared_limit() {
    let world = World::new().await;
    let root = world.budget(Uuid::new_v4(), None, Some(1000)).await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        tasks.push(world.task(&[root], None).await);
    }
    let calls = (0..64).map(|n| {
        let (ledger, team, task) = (world.ledger.clone(), world.team, tasks[n % 8]);
        // Every third call ends, so that money moves while others ask for it.
        async move {
            let key = format!("k{n}");
            let answer = ledger.reserve(&request(team, task, &key, 70)).await.unwrap();
            let ok = matches!(answer, ReserveAnswer::Granted { .. });
            if ok && n % 3 == 0 {
                ledger.dispatch(&key).await.unwrap();
                ledger.settle(&settlement(&key, 40)).await.unwrap();
            }
            ok
        }
    });
    let done = join_all(calls.map(tokio::spawn)).await;
    let count = done.into_iter().filter(|ok| *ok.as_ref().unwrap()).count();
    let (spent, reserved, _) = world.money(root).await;
    assert!(spent + reserved <= 1000, "{spent} + {reserved}");
    assert!(count >= 14, "{count} granted: 14 fit even without any settlement");
    assert_eq!(world.sums().await, (spent, reserved), "the accounts are the sum of the rows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_callers_with_one_key_make_one_reservation() {
    let world = World::new().await;
    // Enough for one: nobody may be told that the money is gone because the same call took it.
    let root = world.budget(Uuid::new_v4(), None, Some(100)).await;
    let task = world.task(&[root], None).await;
    let calls = (0..64).map(|_| {
        let (ledger, request) = (world.ledger.clone(), request(world.team, task, "same", 70));
        tokio::spawn(async move { ledger.reserve(&request).await.unwrap() })
    });
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap(), granted("Reserved"));
    }
    assert_eq!(world.money(root).await, (0, 70, 0));
}

#[tokio::test]
async fn all_three_levels_pay_or_none_does_and_the_one_that_cannot_is_named() {
    let world = World::new().await;
    let root = world.budget(Uuid::new_v4(), None, Some(1000)).await;
    let middle = world.budget(Uuid::new_v4(), Some(root), Some(100)).await;
    let task = world.task(&[root, middle], Some(500)).await;
    assert_eq!(world.reserve(task, "a", 90).await, granted("Reserved"));
    for uid in [root, middle, task] {
        assert_eq!(world.money(uid).await, (0, 90, 0));
    }
    let refused = world.reserve(task, "b", 30).await;
    assert_eq!(
        refused,
        ReserveAnswer::Exhausted {
            account: "Budget shop/monthly".into(),
            account_uid: middle,
            missing_micro_usd: 20,
            missing_tokens: 0,
            on_exhausted: "Pause".into(),
            denied: None,
            overage: None,
        }
    );
    for uid in [root, middle, task] {
        assert_eq!(world.money(uid).await, (0, 90, 0), "nothing was taken from those that could pay");
    }
    world.budget(middle, Some(root), Some(120)).await;
    assert_eq!(
        world.reserve(task, "b", 30).await,
        granted("Reserved"),
        "the same call goes on once there is money"
    );
}

#[tokio::test]
async fn a_tasks_own_limit_is_told_as_the_tasks() {
    let world = World::new().await;
    let root = world.budget(Uuid::new_v4(), None, None).await;
    let task = world.task(&[root], Some(10)).await;
    let ReserveAnswer::Exhausted { account, account_uid, .. } = world.reserve(task, "a", 11).await else {
        panic!("granted");
    };
    assert_eq!((account.as_str(), account_uid), ("AgentTask shop/task", task));
}

#[tokio::test]
async fn a_limit_lowered_below_what_is_spent_stops_new_calls_and_lets_old_ones_end() {
    let world = World::new().await;
    let root = world.budget(Uuid::new_v4(), None, Some(100)).await;
    let task = world.task(&[root], None).await;
    for key in ["spent", "open", "freed"] {
        assert_eq!(world.reserve(task, key, 30).await, granted("Reserved"));
    }
    world.ledger.dispatch("spent").await.unwrap();
    world.ledger.settle(&settlement("spent", 30)).await.unwrap();
    world.ledger.dispatch("open").await.unwrap();
    world.budget(root, None, Some(40)).await;
    world.ledger.settle(&settlement("open", 30)).await.unwrap();
    world.ledger.release("freed").await.unwrap();
    assert_eq!(world.money(root).await, (60, 0, 0));
    let refused = world.reserve(task, "new", 1).await;
    assert!(
        matches!(refused, ReserveAnswer::Exhausted { missing_micro_usd: 21, .. }),
        "{refused:?}: what was freed under the old limit is not granted again"
    );
}

#[tokio::test]
async fn what_a_provider_charged_beyond_the_bound_is_kept_apart_and_blocks_until_somebody_looked() {
    let world = World::new().await;
    let root = world.budget(Uuid::new_v4(), None, Some(1000)).await;
    let task = world.task(&[root], None).await;
    world.reserve(task, "a", 50).await;
    world.ledger.dispatch("a").await.unwrap();
    world.ledger.settle(&settlement("a", 80)).await.unwrap();
    assert_eq!(world.money(root).await, (50, 0, 30));
    let blocked = world.reserve(task, "b", 1).await;
    let ReserveAnswer::Exhausted { account_uid, missing_micro_usd: 0, overage: Some(over), .. } = blocked
    else {
        panic!("{blocked:?}")
    };
    assert_eq!((account_uid, over.cost_micro_usd), (root, 30));
    world.budget(root, None, Some(1001)).await;
    assert_eq!(world.money(root).await, (80, 0, 0), "who edits the limit has seen it");
    // The task's own account has no limit, so that nothing was promised there and nobody could confirm it.
    assert_eq!(world.money(task).await, (50, 0, 30));
    assert_eq!(world.reserve(task, "b", 1).await, granted("Reserved"));
}

#[tokio::test]
async fn a_task_with_limits_of_its_own_that_were_broken_waits_until_they_are_raised() {
    let world = World::new().await;
    let root = world.budget(Uuid::new_v4(), None, None).await;
    let task = world.task(&[root], Some(1000)).await;
    world.reserve(task, "a", 50).await;
    world.ledger.dispatch("a").await.unwrap();
    world.ledger.settle(&settlement("a", 80)).await.unwrap();
    let blocked = world.reserve(task, "b", 1).await;
    assert!(
        matches!(blocked, ReserveAnswer::Exhausted { account_uid, .. } if account_uid == task),
        "{blocked:?}"
    );
    world.limit(task, Some(2000)).await;
    assert_eq!(world.reserve(task, "b", 1).await, granted("Reserved"));
}

#[tokio::test]
async fn a_task_without_accounts_or_with_a_deleted_budget_is_not_paid() {
    let world = World::new().await;
    assert_eq!(world.reserve(Uuid::new_v4(), "a", 1).await, ReserveAnswer::NoAccount);
    let missing = world.task(&[Uuid::new_v4()], None).await;
    assert_eq!(
        world.reserve(missing, "b", 1).await,
        ReserveAnswer::NoAccount,
        "a missing account cannot say yes"
    );
    let root = world.budget(Uuid::new_v4(), None, None).await;
    let task = world.task(&[root], None).await;
    let mut conn = world.pool.acquire().await.unwrap();
    golden_platform::ledger_accounts::mark_deleted(&mut conn, root).await.unwrap();
    assert_eq!(world.reserve(task, "c", 1).await, ReserveAnswer::NoAccount);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_that_share_accounts_in_other_orders_do_not_stop_each_other() {
    let world = World::new().await;
    let (a, b) =
        (world.budget(Uuid::new_v4(), None, None).await, world.budget(Uuid::new_v4(), None, None).await);
    let (one, two) = (world.task(&[a, b], None).await, world.task(&[b, a], None).await);
    let calls = (0..60).map(|n| {
        let request = request(world.team, if n % 2 == 0 { one } else { two }, &format!("k{n}"), 1);
        let ledger = world.ledger.clone();
        tokio::spawn(async move { ledger.reserve(&request).await })
    });
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap().unwrap(), granted("Reserved"));
    }
    assert_eq!(world.money(a).await, (0, 60, 0));
}

#[tokio::test]
async fn a_call_that_cannot_be_paid_waits_for_no_lock() {
    let world = World::new().await;
    let root = world.budget(Uuid::new_v4(), None, Some(10)).await;
    let task = world.task(&[root], None).await;
    let mut busy = world.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM accounts WHERE account_uid = $1 FOR UPDATE")
        .bind(root)
        .execute(&mut *busy)
        .await
        .unwrap();
    let asking = world.reserve(task, "a", 11);
    let answer = tokio::time::timeout(std::time::Duration::from_secs(10), asking).await.expect("waited");
    assert!(matches!(answer, ReserveAnswer::Exhausted { missing_micro_usd: 1, .. }), "{answer:?}");
    busy.rollback().await.unwrap();
}

#[tokio::test]
async fn one_busy_account_holds_up_only_who_needs_it() {
    let world = World::new().await;
    let (held, free) = (
        world.budget(Uuid::new_v4(), None, Some(10)).await,
        world.budget(Uuid::new_v4(), None, Some(10)).await,
    );
    let (waits, goes_on) = (world.task(&[held], None).await, world.task(&[free], None).await);
    let mut busy = world.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM accounts WHERE account_uid = $1 FOR UPDATE")
        .bind(held)
        .execute(&mut *busy)
        .await
        .unwrap();
    let (ledger, asked) = (world.ledger.clone(), request(world.team, waits, "waits", 1));
    let waiting = tokio::spawn(async move { ledger.reserve(&asked).await });
    for n in 0..5 {
        let key = format!("k{n}");
        let asking = world.reserve(goes_on, &key, 1);
        let answer = tokio::time::timeout(std::time::Duration::from_secs(5), asking).await.expect("held up");
        assert_eq!(answer, granted("Reserved"));
    }
    assert!(!waiting.is_finished());
    busy.rollback().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), granted("Reserved"));
    assert_eq!((world.money(held).await, world.money(free).await), ((0, 1, 0), (0, 5, 0)));
}

#[tokio::test]
async fn a_grant_that_goes_upstream_at_once_is_dispatched_in_one_step() {
    let world = World::new().await;
    let root = world.budget(Uuid::new_v4(), None, Some(10)).await;
    let task = world.task(&[root], None).await;
    let mut both = request(world.team, task, "a", 4);
    both.dispatch = true;
    for _ in 0..2 {
        assert_eq!(world.ledger.reserve(&both).await.unwrap(), granted("Dispatched"));
    }
    assert!(world.ledger.release("a").await.is_err(), "the money may be spent");
    world.ledger.settle(&settlement("a", 3)).await.unwrap();
    assert_eq!(world.money(root).await, (3, 0, 0));
}
