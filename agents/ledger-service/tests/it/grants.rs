//! Budgets that ask a person: what is granted ends with the period, is granted once, and is never exceeded.

use std::time::Duration;

use futures::future::join_all;
use golden_cluster::services::Postgres;
use golden_ledger_service::Leases;
use golden_platform::budget_questions::{Answer, Outcome, Question, answer, close, expire, open, put};
use golden_platform::ledger_accounts::{BudgetAccount, lock_balance, upsert_budget};
use golden_platform::wire::ReserveAnswer;
use sqlx::{Connection as _, PgPool};
use uuid::Uuid;

use crate::support::{World, granted, midnight, request, settlement};

/// A Budget that asks, for a day.
async fn asking(world: &World, uid: Uuid, limit: i64) {
    let account = BudgetAccount {
        uid,
        team_uid: None,
        namespace: "shop".into(),
        name: "asking".into(),
        parent_uid: None,
        on_exhausted: "Ask".into(),
        limit_cost: Some(limit),
        limit_tokens: None,
        period: "Day".into(),
        time_zone: "UTC".into(),
    };
    upsert_budget(&mut world.pool.acquire().await.unwrap(), &account).await.unwrap();
}

/// Asks for this much.
async fn ask(pool: &PgPool, uid: Uuid, cost: i64) -> Result<(), sqlx::Error> {
    let asked = Question {
        generation: 1,
        digest: format!("sha256:{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
        period_start_us: None,
        missing_cost: cost,
        missing_tokens: 0,
        grant_cost: cost,
        grant_tokens: 0,
        tasks: 1,
        asked_at_us: 0,
        deadline_us: None,
    };
    put(&mut *pool.acquire().await?, uid, &asked).await
}

/// One Decision's answer, in a transaction of its own as the operator makes it.
async fn decide(pool: &PgPool, uid: Uuid, decision_uid: Uuid, grants: bool) -> Result<bool, sqlx::Error> {
    let mut tx = pool.begin().await?;
    lock_balance(&mut tx, uid).await?;
    let given =
        Answer { decision_uid, decided_by: "bob@example".into(), grants, words: "bob@example".into() };
    let taken = answer(&mut tx, uid, &given).await?;
    tx.commit().await?;
    Ok(taken)
}

async fn approve(world: &World, uid: Uuid, cost: i64) {
    ask(&world.pool, uid, cost).await.unwrap();
    assert!(decide(&world.pool, uid, Uuid::new_v4(), true).await.unwrap());
}

async fn refusal(world: &World, task: Uuid, key: &str, cost: i64) -> (i64, String, Option<String>) {
    match world.reserve(task, key, cost).await {
        ReserveAnswer::Exhausted { missing_micro_usd, on_exhausted, denied, .. } => {
            (missing_micro_usd, on_exhausted, denied)
        }
        other => panic!("{other:?}"),
    }
}

/// What was granted by the account, and by the answers.
async fn grants(world: &World, uid: Uuid) -> (i64, i64) {
    let answered: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(grant_cost), 0)::bigint FROM budget_questions WHERE account_uid = $1 AND outcome = 'Granted'",
    )
    .bind(uid)
    .fetch_one(&world.pool)
    .await
    .unwrap();
    (world.balance(uid).await.granted_cost, answered)
}

#[tokio::test]
async fn a_held_call_goes_on_once_more_is_granted_and_the_next_day_has_the_limit_alone() {
    let world = World::new().await;
    let root = Uuid::new_v4();
    asking(&world, root, 100).await;
    let task = world.task(&[root], None).await;
    // Refused as the first of its day: the day begins all the same, since a question is about one.
    assert_eq!(refusal(&world, task, "large", 130).await, (30, "Ask".into(), None));
    assert!(world.balance(root).await.period_end_us.is_some());
    approve(&world, root, 30).await;
    assert_eq!(world.reserve(task, "large", 130).await, granted("Reserved"));
    assert_eq!(refusal(&world, task, "more", 1).await.0, 1);
    world.ledger.dispatch("large").await.unwrap();
    world.ledger.settle(&settlement("large", 125)).await.unwrap();
    assert_eq!(world.money(root).await, (125, 0, 0));

    midnight(&world, root).await;
    assert_eq!(refusal(&world, task, "tomorrow", 101).await.0, 1, "yesterday's grant is no money of today");
    assert_eq!(world.balance(root).await.granted_cost, 0);
    assert_eq!(world.reserve(task, "more", 1).await, granted("Reserved"), "it has waited since yesterday");
    assert_eq!(world.reserve(task, "fits", 99).await, granted("Reserved"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_question_is_worth_one_grant_however_many_answer_it_at_once() {
    let world = World::new().await;
    let root = Uuid::new_v4();
    asking(&world, root, 100).await;
    ask(&world.pool, root, 40).await.unwrap();
    let decisions: Vec<Uuid> = (0..4).map(|_| Uuid::new_v4()).collect();
    // Each of them twice, as after a crash.
    let answers = (0..8).map(|n| {
        let (pool, decision) = (world.pool.clone(), decisions[n % 4]);
        tokio::spawn(async move { decide(&pool, root, decision, true).await })
    });
    let taken =
        join_all(answers).await.into_iter().filter(|a| *a.as_ref().unwrap().as_ref().unwrap()).count();
    assert_eq!(taken, 1);
    assert_eq!(grants(&world, root).await, (40, 40));
    ask(&world.pool, root, 5).await.unwrap();
    let used: Uuid =
        sqlx::query_scalar("SELECT decision_uid FROM budget_questions WHERE decision_uid IS NOT NULL")
            .fetch_one(&world.pool)
            .await
            .unwrap();
    let again = decide(&world.pool, root, used, true).await.unwrap_err();
    assert!(
        again.to_string().contains("decision_uid"),
        "{again}: one Decision is one grant, by the table too"
    );
    assert_eq!(grants(&world, root).await, (40, 40));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_and_answers_at_once_never_spend_more_than_limit_and_grants() {
    let world = World::new().await;
    let root = Uuid::new_v4();
    asking(&world, root, 500).await;
    let task = world.task(&[root], None).await;
    let granting = {
        let pool = world.pool.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                ask(&pool, root, 50).await.unwrap();
                assert!(decide(&pool, root, Uuid::new_v4(), true).await.unwrap());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    };
    let calls = (0..64).map(|n| {
        let (ledger, team) = (world.ledger.clone(), world.team);
        tokio::spawn(async move {
            let key = format!("k{n}");
            // A held call asks again and again.
            for _ in 0..20 {
                let answer = ledger.reserve(&request(team, task, &key, 70)).await.unwrap();
                if matches!(answer, ReserveAnswer::Granted { .. }) {
                    ledger.dispatch(&key).await.unwrap();
                    ledger.settle(&settlement(&key, 60)).await.unwrap();
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    });
    for done in join_all(calls).await {
        done.unwrap();
    }
    granting.await.unwrap();
    let (spent, reserved, overage) = world.money(root).await;
    assert!(spent > 500, "{spent}: what was granted was used");
    assert!(spent + reserved <= 1000, "{spent} + {reserved}");
    assert_eq!((overage, grants(&world, root).await), (0, (500, 500)));
    assert_eq!(world.sums().await, (spent, reserved), "the accounts are the sum of the rows");
    let more = sqlx::query("UPDATE accounts SET reserved_cost = 1001 - spent_cost WHERE account_uid = $1")
        .bind(root)
        .execute(&world.pool)
        .await;
    assert!(more.unwrap_err().to_string().contains("cost_within_limit"), "the table itself refuses more");
}

#[tokio::test]
async fn a_refusal_fails_calls_until_the_limits_are_edited_or_the_day_ends() {
    let world = World::new().await;
    let root = Uuid::new_v4();
    asking(&world, root, 100).await;
    let task = world.task(&[root], None).await;
    assert_eq!(refusal(&world, task, "a", 120).await.1, "Ask");
    ask(&world.pool, root, 20).await.unwrap();
    assert!(decide(&world.pool, root, Uuid::new_v4(), false).await.unwrap());
    let denied = (20, "Fail".to_owned(), Some("bob@example".to_owned()));
    assert_eq!(refusal(&world, task, "a", 120).await, denied);
    assert_eq!(world.reserve(task, "small", 10).await, granted("Reserved"), "what can be paid still is");
    asking(&world, root, 101).await;
    assert_eq!(refusal(&world, task, "a", 120).await, (29, "Ask".into(), None), "the limits were edited");

    ask(&world.pool, root, 29).await.unwrap();
    expire(&mut world.pool.acquire().await.unwrap(), root, "nobody answered").await.unwrap();
    assert_eq!(refusal(&world, task, "a", 120).await.2.as_deref(), Some("nobody answered"));
    midnight(&world, root).await;
    assert_eq!(refusal(&world, task, "a", 120).await, (29, "Ask".into(), None), "another day");
    assert_eq!(world.balance(root).await.denied, None);
}

#[tokio::test]
async fn whoever_grants_more_has_seen_what_was_charged_beyond_the_bounds() {
    let world = World::new().await;
    let root = Uuid::new_v4();
    asking(&world, root, 100).await;
    let task = world.task(&[root], None).await;
    world.reserve(task, "a", 100).await;
    world.ledger.dispatch("a").await.unwrap();
    world.ledger.settle(&settlement("a", 115)).await.unwrap();
    assert_eq!(world.money(root).await, (100, 0, 15));
    let (task, _) = (world.task(&[root], None).await, task);
    assert_eq!(refusal(&world, task, "b", 10).await.0, 25);
    approve(&world, root, 25).await;
    assert_eq!(world.money(root).await, (115, 0, 0));
    assert_eq!(world.reserve(task, "b", 10).await, granted("Reserved"));
}

#[tokio::test]
async fn an_answer_that_dies_before_its_commit_grants_nothing_and_holds_nobody_up() {
    let world = World::new().await;
    let root = Uuid::new_v4();
    asking(&world, root, 100).await;
    let task = world.task(&[root], None).await;
    ask(&world.pool, root, 50).await.unwrap();
    let decision = Uuid::new_v4();
    let mut dying = sqlx::PgConnection::connect_with(&world.pool.connect_options()).await.unwrap();
    let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut dying).await.unwrap();
    let mut tx = dying.begin().await.unwrap();
    lock_balance(&mut tx, root).await.unwrap();
    let given = Answer {
        decision_uid: decision,
        decided_by: "bob@example".into(),
        grants: true,
        words: "bob@example".into(),
    };
    assert!(answer(&mut tx, root, &given).await.unwrap());
    sqlx::query("SELECT pg_terminate_backend($1)").bind(backend).execute(&world.pool).await.unwrap();
    assert!(tx.commit().await.is_err());
    assert_eq!(refusal(&world, task, "a", 150).await.0, 50);
    assert_eq!(grants(&world, root).await, (0, 0));
    // The same Decision again.
    assert!(decide(&world.pool, root, decision, true).await.unwrap());
    assert_eq!(world.reserve(task, "a", 150).await, granted("Reserved"));
    assert_eq!(grants(&world, root).await, (50, 50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_killed_under_answers_grants_exactly_what_was_answered() {
    let server = Postgres::start().unwrap();
    let world = World::on(&server, Leases::default()).await;
    let root = Uuid::new_v4();
    asking(&world, root, 100).await;
    let granting = {
        let pool = world.pool.clone();
        tokio::spawn(async move {
            let mut told = 0;
            while told < 60 {
                // Whatever the kill interrupts is done again, with the same Decision until it is known.
                let _ = ask(&pool, root, 3).await;
                let decision = Uuid::new_v4();
                for _ in 0..100 {
                    match decide(&pool, root, decision, true).await {
                        Ok(taken) => {
                            told += i64::from(taken);
                            break;
                        }
                        Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                    }
                }
            }
            told
        })
    };
    while world.balance(root).await.granted_cost < 60 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    server.kill().unwrap();
    server.restart().unwrap();
    let told = granting.await.unwrap();
    let (granted, answered) = grants(&world, root).await;
    assert_eq!(granted, answered, "the account has what the answers say");
    // An answer whose commit was not heard of may have been taken, and is not told again.
    assert!(granted / 3 == told || granted / 3 == told + 1, "{granted} of {told} answers");
}

#[tokio::test]
async fn a_question_is_open_once_and_ends_with_its_budget() {
    let world = World::new().await;
    let root = Uuid::new_v4();
    asking(&world, root, 100).await;
    ask(&world.pool, root, 10).await.unwrap();
    ask(&world.pool, root, 20).await.unwrap();
    let mut conn = world.pool.acquire().await.unwrap();
    assert_eq!(open(&mut conn, root).await.unwrap().unwrap().grant_cost, 20, "the open one was changed");
    close(&mut conn, root, Outcome::Withdrawn).await.unwrap();
    assert_eq!(open(&mut conn, root).await.unwrap(), None);
    drop(conn);
    ask(&world.pool, root, 30).await.unwrap();
    let mut conn = world.pool.acquire().await.unwrap();
    golden_platform::ledger_accounts::mark_deleted(&mut conn, root).await.unwrap();
    assert_eq!(open(&mut conn, root).await.unwrap(), None);
    drop(conn);
    assert!(!decide(&world.pool, root, Uuid::new_v4(), true).await.unwrap(), "nobody is asked");
}
