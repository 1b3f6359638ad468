//! Postgres: pools, migrations, the install's identity, notifications.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

/// Connections of one service. Many services share one server: more than this buys nothing here.
pub const POOL_SIZE: u32 = 3;
/// How long a caller waits for a connection before it learns that Postgres is away.
const ACQUIRE: Duration = Duration::from_secs(5);
/// Bounds one statement, so that a stuck lock cannot hold a service for ever.
const STATEMENT_MS: &str = "30000";
/// Ends a transaction whose client forgot it, so that its locks go.
const IDLE_IN_TRANSACTION_MS: &str = "60000";
/// The environment variable with the password that `golden_service` shall have.
const SERVICE_PASSWORD: &str = "GOLDEN_DB_SERVICE_PASSWORD";

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// Why the database could not be brought to this version.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("cannot migrate the database: {0}; check GOLDEN_DATABASE_OWNER_URL and that Postgres answers")]
    Connect(#[source] sqlx::Error),
    #[error("a migration failed: {0}; the database is as it was before it")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("cannot set the password of golden_service: {0}; the owner needs CREATEROLE")]
    Password(#[source] sqlx::Error),
}

/// A pool that connects when first used, of at most `max` connections (see [`POOL_SIZE`]).
/// Fails only if the URL cannot be read.
pub fn connect(url: &str, max: u32) -> Result<PgPool, sqlx::Error> {
    Ok(PgPoolOptions::new()
        .max_connections(max)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(Duration::from_mins(5))
        .max_lifetime(Duration::from_mins(30))
        .connect_lazy_with(options(url)?))
}

fn options(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    Ok(options.application_name("golden").options([
        ("statement_timeout", STATEMENT_MS),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_MS),
    ]))
}

/// Brings the database to this version; again changes nothing. Runs are serialised by a lock in the database.
/// If `GOLDEN_DB_SERVICE_PASSWORD` is set, `golden_service` may log in with it afterwards.
pub async fn migrate(owner_url: &str) -> Result<(), MigrateError> {
    let password = std::env::var(SERVICE_PASSWORD).ok().filter(|p| !p.is_empty());
    migrate_with(owner_url, password.as_deref()).await
}

/// [`migrate`] with the password given.
pub async fn migrate_with(owner_url: &str, service_password: Option<&str>) -> Result<(), MigrateError> {
    let options: PgConnectOptions = owner_url.parse().map_err(MigrateError::Connect)?;
    let connecting = PgConnection::connect_with(&options);
    let mut connection = tokio::time::timeout(Duration::from_secs(10), connecting)
        .await
        .map_err(|_| MigrateError::Connect(sqlx::Error::PoolTimedOut))?
        .map_err(MigrateError::Connect)?;
    MIGRATOR.run_direct(None, &mut connection, false).await?;
    if let Some(password) = service_password {
        set_password(&mut connection, password).await.map_err(MigrateError::Password)?;
    }
    let _ = connection.close().await;
    Ok(())
}

/// ALTER ROLE takes no parameters: the server itself quotes the literal.
async fn set_password(connection: &mut PgConnection, password: &str) -> Result<(), sqlx::Error> {
    let statement: String =
        sqlx::query_scalar("SELECT format('ALTER ROLE golden_service LOGIN PASSWORD %L', $1::text)")
            .bind(password)
            .fetch_one(&mut *connection)
            .await?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

/// This install's identity, made by the first migration.
pub async fn install_id(pool: &PgPool) -> Result<Uuid, sqlx::Error> {
    sqlx::query_scalar("SELECT install_id FROM install").fetch_one(pool).await
}

/// Whether Postgres answers, in words for a readiness gate.
pub async fn ping(pool: &PgPool) -> Result<(), String> {
    sqlx::query("SELECT 1")
        .execute(pool)
        .await
        .map(drop)
        .map_err(|e| format!("Postgres does not answer: {e}"))
}

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A notification.
    Message { channel: String, payload: String },
    /// The connection is new: notifications before it may be lost. Look at the tables.
    Connected,
}

/// Listens on channels for ever: reconnects with growing pauses and says so ([`Notice::Connected`]).
/// Ends when the stream is dropped. Notices that nobody reads fast enough make it wait, not grow.
pub fn listen(url: &str, channels: &[&str]) -> BoxStream<'static, Notice> {
    let url = url.to_owned();
    let channels: Vec<String> = channels.iter().map(|c| (*c).to_owned()).collect();
    let (notices, queue) = tokio::sync::mpsc::channel(256);
    tokio::spawn(async move {
        let mut pause = Duration::from_millis(200);
        while !notices.is_closed() {
            if let Err(e) = listen_once(&url, &channels, &notices, &mut pause).await {
                tracing::warn!(error = %e, "lost the connection for notifications; connecting again");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
    });
    futures::stream::unfold(queue, |mut queue| async { queue.recv().await.map(|n| (n, queue)) }).boxed()
}

async fn listen_once(
    url: &str,
    channels: &[String],
    notices: &tokio::sync::mpsc::Sender<Notice>,
    pause: &mut Duration,
) -> Result<(), sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options(url)?);
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen_all(channels.iter().map(String::as_str)).await?;
    *pause = Duration::from_millis(200);
    let mut next = Some(Notice::Connected);
    loop {
        if let Some(notice) = next.take()
            && notices.send(notice).await.is_err()
        {
            return Ok(());
        }
        next = tokio::select! {
            // None: the connection broke; a new one says Connected.
            heard = listener.try_recv() => match heard? {
                Some(n) => Some(Notice::Message { channel: n.channel().to_owned(), payload: n.payload().to_owned() }),
                None => return Err(sqlx::Error::WorkerCrashed),
            },
            () = notices.closed() => return Ok(()),
        };
    }
}
