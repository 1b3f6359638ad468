//! Facts are kept once, and wake their team.

use futures::StreamExt as _;
use golden_platform::wire::{Fact, NewFact};
use golden_platform::{db, facts};
use uuid::Uuid;

use crate::support::database;

fn fact(team: Uuid) -> NewFact {
    let uid = Uuid::new_v4();
    NewFact {
        team_uid: team,
        task_uid: uid,
        object_uid: uid,
        fact_key: "deleted".into(),
        fact: Fact::Deleted,
    }
}

#[tokio::test]
async fn a_fact_written_twice_is_one_and_wakes_once_and_only_with_its_commit() {
    let url = database().await;
    let pool = db::connect(&url, 2).unwrap();
    let mut notices = db::listen(&url, &["golden_facts"]);
    notices.next().await.unwrap();
    let team = Uuid::new_v4();
    let (lost, kept) = (fact(team), fact(team));
    let mut tx = pool.begin().await.unwrap();
    assert!(facts::insert(&mut tx, &lost).await.unwrap());
    tx.rollback().await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    assert!(facts::insert(&mut tx, &kept).await.unwrap());
    tx.commit().await.unwrap();
    let mut conn = pool.acquire().await.unwrap();
    assert!(!facts::insert(&mut conn, &kept).await.unwrap());
    let end = Uuid::new_v4();
    assert!(facts::insert(&mut conn, &fact(end)).await.unwrap());
    let mut heard = Vec::new();
    while heard.last() != Some(&end.to_string()) {
        if let Some(db::Notice::Message { payload, .. }) = notices.next().await {
            heard.push(payload);
        }
    }
    assert_eq!(heard, [team.to_string(), end.to_string()], "once, and not for what was rolled back");
    let (kind, body): (String, serde_json::Value) =
        sqlx::query_as("SELECT kind, body FROM facts WHERE team_uid = $1")
            .bind(team)
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(facts::decode(&kind, body).unwrap(), Fact::Deleted);
}

#[tokio::test]
async fn a_fact_too_large_is_refused() {
    let pool = db::connect(&database().await, 1).unwrap();
    let mut new = fact(Uuid::new_v4());
    new.fact = Fact::BudgetResumed { op_key: "x".repeat(facts::MAX_BYTES), moved: false };
    let mut conn = pool.acquire().await.unwrap();
    assert!(facts::insert(&mut conn, &new).await.unwrap_err().to_string().contains("at most"));
}
