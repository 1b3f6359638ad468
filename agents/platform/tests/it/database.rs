//! Migrations and what the service's role may do.

use golden_platform::db;
use uuid::Uuid;

use crate::support::{as_role, database, pool, postgres, psql};

#[tokio::test]
async fn migrations_may_run_again_and_from_two_processes_at_once() {
    let url = postgres().create_database().unwrap();
    let (one, two) = tokio::join!(db::migrate_with(&url, None), db::migrate_with(&url, None));
    one.unwrap();
    two.unwrap();
    let pool = db::connect(&url, 1).unwrap();
    let first = db::install_id(&pool).await.unwrap();
    db::migrate_with(&url, None).await.unwrap();
    assert_eq!(db::install_id(&pool).await.unwrap(), first);
    let versions: Vec<i64> = sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(versions.get(..3), Some(&[1, 2, 3][..]));
}

#[tokio::test]
async fn a_migration_of_a_server_that_is_away_says_what_to_check() {
    let error = db::migrate_with("postgres://golden@127.0.0.1:1/x", None).await.unwrap_err().to_string();
    assert!(error.contains("GOLDEN_DATABASE_OWNER_URL"), "{error}");
}

#[tokio::test]
async fn a_pool_of_a_server_that_is_away_gives_up_in_bounded_time() {
    let pool = db::connect("postgres://golden@127.0.0.1:1/x", 1).unwrap();
    let start = std::time::Instant::now();
    assert!(db::ping(&pool).await.is_err());
    assert!(start.elapsed().as_secs() < 10);
}

#[tokio::test]
async fn the_service_role_adds_and_moves_on_but_rewrites_nothing() {
    let owner = database().await;
    let service = as_role(&owner, "golden_service");
    let (team, task) = (Uuid::new_v4(), Uuid::new_v4());
    let seed = format!(
        "INSERT INTO facts (team_uid, task_uid, object_uid, fact_key, kind, body)
             VALUES ('{team}', '{task}', '{task}', 'deleted', 'Deleted', 'null');
         INSERT INTO task_events VALUES ('{task}', 1, '{team}', 'now', 'k', '{{}}', 'p', 'h');
         INSERT INTO artifacts (namespace, digest, team_uid, bytes)
             VALUES ('n', 'sha256:{}', '{team}', 1);
         UPDATE facts SET consumed_at = now();",
        "0".repeat(64)
    );
    psql(&service, &seed).unwrap();
    let refused = [
        "UPDATE task_events SET body = '1'",
        "DELETE FROM task_events",
        "UPDATE facts SET body = '1'",
        "DELETE FROM facts",
        "UPDATE artifacts SET namespace = 'other'",
        "UPDATE task_accounts SET path = '{}'",
        "UPDATE reservations SET cost = 0",
        "DELETE FROM reservations",
        "UPDATE ballots SET raw = ''",
        "UPDATE install SET install_id = gen_random_uuid()",
        "UPDATE _sqlx_migrations SET success = false",
        "INSERT INTO prompt_updates (team_uid, role, digest, proposed_by, state) VALUES (gen_random_uuid(), 'r', '', 's', 'Approved')",
        "UPDATE prompt_updates SET state = 'Approved'",
        "UPDATE learning_limits SET requires_approval = false",
        "SELECT approve_prompt_update(1, 'admin', 'Approved')",
        "SELECT * FROM pg_authid",
        "CREATE TABLE mine (x int)",
    ];
    for statement in refused {
        let error = psql(&service, statement).expect_err(statement);
        assert!(error.contains("permission denied"), "{statement}: {error}");
    }
}

#[tokio::test]
async fn the_services_password_may_hold_any_character() {
    // Local connections are trusted: what is stored shows that the literal was quoted rightly.
    let url = database().await;
    let pool = db::connect(&url, 1).unwrap();
    let stored: Option<String> = sqlx::query_scalar(
        "SELECT rolpassword FROM pg_authid WHERE rolname = 'golden_service' AND rolcanlogin",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert!(stored.unwrap().starts_with("SCRAM-SHA-256$"));
}

#[tokio::test]
async fn listening_survives_a_lost_connection_and_says_so() {
    use db::Notice;
    use futures::StreamExt as _;
    let url = database().await;
    let pool = db::connect(&url, 1).unwrap();
    let mut notices = db::listen(&url, &["golden_facts"]);
    assert_eq!(notices.next().await, Some(Notice::Connected));
    sqlx::query("SELECT pg_notify('golden_facts', 'a')").execute(&pool).await.unwrap();
    let heard = Notice::Message { channel: "golden_facts".into(), payload: "a".into() };
    assert_eq!(notices.next().await, Some(heard));
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE pid <> pg_backend_pid() AND datname = current_database()",
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(notices.next().await, Some(Notice::Connected));
}

#[tokio::test]
async fn a_statement_that_is_stuck_ends() {
    let pool = pool().await;
    let bound: String = sqlx::query_scalar("SHOW statement_timeout").fetch_one(&pool).await.unwrap();
    assert_eq!(bound, "30s");
}

#[tokio::test]
async fn an_owner_who_is_no_superuser_can_migrate_and_approve() {
    psql(&postgres().url(), "CREATE ROLE plain_owner LOGIN CREATEROLE").unwrap();
    psql(&postgres().url(), "CREATE DATABASE plainly_owned OWNER plain_owner").unwrap();
    let url = as_role(&postgres().url(), "plain_owner").replace("/postgres", "/plainly_owned");
    db::migrate_with(&url, None).await.unwrap();
    let propose = format!(
        "INSERT INTO prompt_updates (team_uid, role, digest, proposed_by) VALUES ('{}', 'security', 'sha256:{}', 's')",
        Uuid::new_v4(),
        "0".repeat(64)
    );
    psql(&url, &propose).unwrap();
    assert_eq!(psql(&url, "SELECT approve_prompt_update(1,'admin','Approved')").unwrap(), "t");
}
