//! Shared stores, each test with a database and a team of its own.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use golden_cluster::services::{Nats, Postgres};
use golden_platform::wire::{Envelope, EscalationRaised, Message};
use golden_platform::{db, nats, streams};
use sqlx::PgPool;
use tokio::sync::OnceCell;
use uuid::Uuid;

pub(crate) fn postgres() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(|| Postgres::start().unwrap())
}

pub(crate) fn nats_server() -> &'static Nats {
    static SHARED: OnceLock<Nats> = OnceLock::new();
    SHARED.get_or_init(|| Nats::start().unwrap())
}

/// A migrated database: its address as the owner.
pub(crate) async fn database() -> String {
    // The role belongs to the server: its password is set once.
    static LOGIN: OnceCell<()> = OnceCell::const_new();
    LOGIN
        .get_or_init(|| async {
            let url = postgres().create_database().unwrap();
            db::migrate_with(&url, Some("it's a \"pass\\word\"")).await.unwrap();
        })
        .await;
    let url = postgres().create_database().unwrap();
    db::migrate_with(&url, None).await.unwrap();
    url
}

pub(crate) async fn pool() -> PgPool {
    db::connect(&database().await, db::POOL_SIZE).unwrap()
}

/// The same database as another role.
pub(crate) fn as_role(url: &str, role: &str) -> String {
    url.replace("golden@", &format!("{role}@"))
}

/// Runs one statement as a person would. The error is what psql printed.
pub(crate) fn psql(url: &str, statement: &str) -> Result<String, String> {
    let done = Command::new("psql")
        .args([url, "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement])
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
}

/// JetStream with the streams of a new team.
pub(crate) async fn team() -> (async_nats::jetstream::Context, Uuid) {
    let js = nats::jetstream(&nats::connect(&nats_server().url()).await.unwrap());
    let team = Uuid::new_v4();
    until("NATS is there", async || nats::ping(&js.client()).is_ok()).await;
    streams::ensure(&js, team).await.unwrap();
    (js, team)
}

pub(crate) fn envelope(team: Uuid, id: &str) -> Envelope {
    let message = Message::EscalationRaised(Box::new(EscalationRaised {
        escalation_id: Uuid::new_v4(),
        reason: "Tie".into(),
        evidence: serde_json::Value::Null,
        options: vec!["Accept".into(), "Reject".into()],
        owner: "golden".into(),
        digest: "sha256:0".into(),
        deadline: "2026-01-01T00:00:00Z".into(),
        default_option: "Reject".into(),
    }));
    Envelope { v: 1, id: id.into(), team, task: Uuid::new_v4(), attempt: 1, r#try: 1, message }
}

/// Waits until something holds, at most half a minute.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
