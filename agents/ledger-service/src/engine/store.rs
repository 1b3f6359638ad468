//! One batch in one transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::batch::{Batch, Held, Kept, Path};
use super::book::Book;
use super::job::{Ask, Said};
use super::queue::Queue;
use super::save::save;
use crate::metrics::{Decided, Figures};
use crate::rows;
use crate::{Error, Leases};

/// Longest statement; the callers of its batch have gone by then.
const STATEMENT_MS: &str = "10000";
/// How long what was decided from memory waits for a row that somebody else holds.
const LOCK_MS: &str = "20";

/// What a batch does about accounts that another transaction holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// It goes on without them.
    Quick,
    /// It waits for them.
    Patient,
}

/// A connection that is made when it is needed.
struct Line {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
}

impl Line {
    fn new(options: PgConnectOptions) -> Self {
        Self { options, connection: None }
    }

    /// To be put back when all went well: one whose outcome is open is of no use.
    async fn take(&mut self) -> Result<PgConnection, Error> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => Ok(PgConnection::connect_with(&self.options).await?),
        }
    }
}

/// A writer's connections, and what it remembers.
pub(super) struct Store {
    leases: Leases,
    lane: Lane,
    /// For what is decided from memory: it gives up on a row that somebody else holds.
    brief: Line,
    /// For what is decided with everything locked.
    thorough: Line,
    book: Book,
    /// Calls that wait for money, of both lanes.
    queue: Arc<Mutex<Queue>>,
    figures: Option<Figures>,
}

/// `None`: it needs an account that is busy.
pub(super) type Answer = Option<Result<Said, Error>>;

impl Store {
    pub(super) fn new(
        options: PgConnectOptions,
        leases: Leases,
        lane: Lane,
        queue: Arc<Mutex<Queue>>,
    ) -> Self {
        // Durable whatever the server's default is. And the statements below find rows by key, always: a plan that
        // was made while a table was small must not read it whole when it is large, nor be made anew each time.
        let options = options.options([
            ("synchronous_commit", "on"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("jit", "off"),
            ("plan_cache_mode", "force_generic_plan"),
            ("statement_timeout", STATEMENT_MS),
        ]);
        let brief = Line::new(options.clone().options([("lock_timeout", LOCK_MS)]));
        Self {
            leases,
            lane,
            brief,
            thorough: Line::new(options),
            book: Book::default(),
            queue,
            figures: None,
        }
    }

    pub(super) fn measured(self, figures: Option<Figures>) -> Self {
        Self { figures, ..self }
    }

    /// Drops the connections; the next batch makes new ones.
    pub(super) fn reconnect(&mut self) {
        self.brief.connection = None;
        self.thorough.connection = None;
    }

    /// Decides and writes. An error means that nothing is known of any of them.
    pub(super) async fn write(&mut self, asks: &[Ask]) -> Result<Vec<Answer>, Error> {
        let mut answers: BTreeMap<usize, Answer> = match self.lane {
            Lane::Quick => self.write_remembered(asks).await?,
            Lane::Patient => BTreeMap::new(),
        };
        let rest: Vec<usize> = (0..asks.len()).filter(|n| !answers.contains_key(n)).collect();
        if !rest.is_empty() {
            let asks: Vec<&Ask> = rest.iter().filter_map(|n| asks.get(*n)).collect();
            let said = self.write_locked(&asks).await?;
            answers.extend(rest.into_iter().zip(said));
        }
        Ok(answers.into_values().collect())
    }

    /// Decides what can be decided from memory, and writes it if that holds. Only what is granted or moved on is: a
    /// refusal is looked up, and so is everything if memory was wrong.
    async fn write_remembered(&mut self, asks: &[Ask]) -> Result<BTreeMap<usize, Answer>, Error> {
        let now = Instant::now();
        let (mut batch, enough) = self.book.open(asks, now);
        let known: Vec<&Ask> = enough.iter().filter_map(|n| asks.get(*n)).collect();
        let said = self.decide(&mut batch, &known);
        let answers: BTreeMap<usize, Answer> = enough
            .into_iter()
            .zip(known.iter().zip(said))
            .filter(|(_, (ask, said))| matches!(said, Some(Ok(_))) && batch.changes(ask.op_key()))
            .map(|(n, (_, said))| (n, said))
            .collect();
        if answers.is_empty() {
            return Ok(answers);
        }
        let mut connection = self.brief.take().await?;
        match save(&mut connection, &batch, self.leases).await {
            Ok(()) => {
                self.brief.connection = Some(connection);
                self.written(&batch, Decided::Remembered, answers.len(), now);
                Ok(answers)
            }
            // The database says why when it is asked with the rows locked.
            Err(Error::Database(e)) if e.as_database_error().is_some() => {
                tracing::debug!(error = %e, "decided from memory in vain");
                self.brief.connection = Some(connection);
                self.book.doubt(&batch.accounts, now);
                self.queue.lock().unwrap_or_else(PoisonError::into_inner).come_back(batch.left);
                if let Some(figures) = &self.figures {
                    figures.batch(Decided::Vain, answers.len(), now.elapsed());
                }
                Ok(BTreeMap::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Decides with everything concerned read and locked.
    async fn write_locked(&mut self, asks: &[&Ask]) -> Result<Vec<Answer>, Error> {
        let begun = Instant::now();
        let mut connection = self.thorough.take().await?;
        let mut tx = connection.begin().await?;
        let mut batch = self.read(&mut tx, asks).await?;
        let answers = self.decide(&mut batch, asks);
        if batch.is_worth_a_write() {
            save(&mut tx, &batch, self.leases).await?;
            tx.commit().await?;
            self.written(&batch, Decided::Locked, asks.len(), begun);
        } else {
            tx.rollback().await?;
        }
        self.thorough.connection = Some(connection);
        Ok(answers)
    }

    fn written(&mut self, batch: &Batch, decided: Decided, requests: usize, begun: Instant) {
        self.book.learn(batch);
        if let Some(figures) = &self.figures {
            figures.batch(decided, requests, begun.elapsed());
            figures.overage(batch.overage_micro_usd());
        }
    }

    fn decide(&self, batch: &mut Batch, asks: &[&Ask]) -> Vec<Answer> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        queue.forget_silent(now);
        asks.iter().map(|ask| batch.decide(ask, &mut queue, now)).collect()
    }

    /// Locks these accounts; on the quick lane, those of them that are free.
    async fn hold(&self, conn: &mut PgConnection, uids: &[Uuid], batch: &mut Batch) -> Result<(), Error> {
        let held = match self.lane {
            Lane::Patient => rows::lock_accounts(conn, uids).await?,
            Lane::Quick => rows::lock_free_accounts(conn, uids).await?,
        };
        batch.accounts = held.into_iter().map(|row| (row.account_uid, Held::new(row))).collect();
        let missing: Vec<Uuid> =
            uids.iter().filter(|uid| !batch.accounts.contains_key(uid)).copied().collect();
        if self.lane == Lane::Quick && !missing.is_empty() {
            let busy = rows::see_accounts(conn, &missing).await?;
            batch.busy = busy.iter().map(|row| row.account_uid).collect();
            batch.accounts.extend(busy.into_iter().map(|row| (row.account_uid, Held::new(row))));
        }
        Ok(())
    }

    /// Everything the requests concern: accounts locked before reservations, each in the order of their keys.
    async fn read(&mut self, conn: &mut PgConnection, asks: &[&Ask]) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        let mut uids: BTreeSet<Uuid> = BTreeSet::new();
        self.find_paths(conn, asks).await?;
        let calls = self.find_calls(conn, asks).await?;
        let mut keys: BTreeSet<&str> = BTreeSet::new();
        let mut tries: BTreeSet<(Uuid, Uuid)> = BTreeSet::new();
        for ask in asks {
            keys.insert(ask.op_key());
            let path = match ask {
                Ask::Reserve(request) => {
                    tries.extend(request.try_uid.map(|pod| (request.task_uid, pod)));
                    let path = self.book.path(request.task_uid);
                    batch.paths.extend(path.map(|p| (request.task_uid, Arc::clone(p))));
                    path
                }
                Ask::Move { op_key, .. } => calls.get(op_key).or_else(|| self.book.path_of_call(op_key)),
            };
            uids.extend(path.into_iter().flat_map(|p| p.iter().copied()));
        }
        if !tries.is_empty() {
            batch.stale = stale(conn, &tries).await?;
        }
        let uids: Vec<Uuid> = uids.into_iter().collect();
        self.hold(conn, &uids, &mut batch).await?;
        let keys: Vec<&str> = keys.into_iter().collect();
        for row in rows::lock_reservations(conn, &keys).await? {
            let reservation = row.reservation()?;
            let kept = Kept {
                reservation,
                path: Arc::from(row.path),
                request_hash: row.request_hash,
                overdue: row.overdue,
                ended_us: row.ended_us,
                report: None,
                was: reservation.state,
                new: None,
                moved: false,
            };
            batch.reservations.insert(row.op_key, kept);
        }
        Ok(batch)
    }

    /// Paths of tasks that are not remembered.
    async fn find_paths(&mut self, conn: &mut PgConnection, asks: &[&Ask]) -> Result<(), Error> {
        let unknown = asks.iter().filter_map(|ask| match ask {
            Ask::Reserve(request) if self.book.path(request.task_uid).is_none() => Some(request.task_uid),
            Ask::Reserve(_) | Ask::Move { .. } => None,
        });
        let tasks: BTreeSet<Uuid> = unknown.collect();
        if !tasks.is_empty() {
            let tasks: Vec<Uuid> = tasks.into_iter().collect();
            let found: Vec<(Uuid, Vec<Uuid>)> =
                sqlx::query_as("SELECT task_uid, path FROM task_accounts WHERE task_uid = ANY($1)")
                    .bind(&tasks)
                    .fetch_all(conn)
                    .await?;
            self.book.learn_paths(found.into_iter().map(|(task, path)| (task, Arc::from(path))));
        }
        Ok(())
    }

    /// Paths of calls that are not remembered: another process, or an earlier life of this one, began them.
    async fn find_calls(
        &self,
        conn: &mut PgConnection,
        asks: &[&Ask],
    ) -> Result<HashMap<String, Path>, Error> {
        let unknown = asks.iter().filter_map(|ask| match ask {
            Ask::Move { op_key, .. } if self.book.path_of_call(op_key).is_none() => Some(op_key.clone()),
            Ask::Reserve(_) | Ask::Move { .. } => None,
        });
        let keys: Vec<String> = unknown.collect();
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let found: Vec<(String, Vec<Uuid>)> =
            sqlx::query_as("SELECT op_key, path FROM reservations WHERE op_key = ANY($1)")
                .bind(&keys)
                .fetch_all(conn)
                .await?;
        Ok(found.into_iter().map(|(key, path)| (key, Arc::from(path))).collect())
    }
}

/// Pods whose task has a newer try: an evicted or superseded one must not go on spending.
async fn stale(
    conn: &mut PgConnection,
    tries: &BTreeSet<(Uuid, Uuid)>,
) -> Result<std::collections::HashSet<Uuid>, sqlx::Error> {
    let (tasks, pods): (Vec<Uuid>, Vec<Uuid>) = tries.iter().copied().unzip();
    let stale: Vec<Uuid> = sqlx::query_scalar(
        "SELECT asked.pod FROM unnest($1::uuid[], $2::uuid[]) AS asked(task, pod)
         WHERE EXISTS (
             SELECT FROM desired mine JOIN desired newer
                 ON newer.task_uid = mine.task_uid AND newer.kind = mine.kind
                AND (newer.attempt, newer.try) > (mine.attempt, mine.try)
             WHERE mine.task_uid = asked.task AND mine.object_uid = asked.pod)",
    )
    .bind(&tasks)
    .bind(&pods)
    .fetch_all(conn)
    .await?;
    Ok(stale.into_iter().collect())
}
