//! Connections that write ahead of the disk.
//!
//! A batch commits in memory first and is answered when it is on the disk ([`flush`]); in between the next batch is
//! decided upon it and written by another connection. That is as durable as a commit that waits: the log is written in
//! order, so whatever rests on a batch, by whomever, comes after it, and a crash that loses the batch loses that too.
//!
//! Only the connection that wrote a batch can say that it is on the disk. While that one answers, the server has not
//! crashed since; any other may speak to a server that came back without it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Error;

/// Batches that may be on their way to the disk at once, each on a connection of its own.
const LINES: usize = 3;

/// A commit with a record of its own that waits for the disk, and so for all that was committed before it.
const FLUSH: &str =
    "SELECT set_config('synchronous_commit', 'on', true), pg_logical_emit_message(true, 'golden', '')";

/// Waits until everything that this connection has committed or seen is on the disk.
pub(super) async fn flush(connection: &mut PgConnection) -> Result<(), Error> {
    sqlx::query(FLUSH).execute(connection).await?;
    Ok(())
}

/// The connections, made when they are needed.
pub(super) struct Lines {
    options: PgConnectOptions,
    idle: Idle,
    places: Arc<Semaphore>,
}

/// Those that nobody uses. Only one on which all went well is put back.
#[derive(Clone, Default)]
struct Idle(Arc<Mutex<Vec<PgConnection>>>);

impl Idle {
    fn connections(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        let options = options.options([("synchronous_commit", "off")]);
        Self { options, idle: Idle::default(), places: Arc::new(Semaphore::new(LINES)) }
    }

    /// Waits while all of them are on their way to the disk.
    pub(super) async fn take(&self) -> Result<Line, Error> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Stopped)?;
        let idle = self.idle.connections().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.options).await?,
        };
        Ok(Line { connection, idle: self.idle.clone(), _place: place })
    }

    /// Forgets those that nobody uses: what broke one may have broken all.
    pub(super) fn reconnect(&self) {
        self.idle.connections().clear();
    }
}

/// One connection. Dropped, it is closed: one whose outcome is open is of no use.
pub(super) struct Line {
    pub(super) connection: PgConnection,
    idle: Idle,
    _place: OwnedSemaphorePermit,
}

impl Line {
    /// Nothing that was written by it is waited for any more.
    pub(super) fn give_back(self) {
        let Self { connection, idle, _place } = self;
        idle.connections().push(connection);
    }
}
