//! One batch in one transaction.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use golden_ledger::State;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::batch::{Batch, Held, Kept, Path};
use super::job::{Ask, Said};
use super::queue::Queue;
use super::save::save;
use crate::rows;
use crate::{Error, Leases};

/// Paths remembered; a path never changes.
const PATHS: usize = 100_000;

/// What a batch does about accounts that another transaction holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// It goes on without them.
    Quick,
    /// It waits for them.
    Patient,
}

/// A writer's connection, and what it remembers.
pub(super) struct Store {
    options: PgConnectOptions,
    leases: Leases,
    lane: Lane,
    connection: Option<PgConnection>,
    /// By task.
    paths: HashMap<Uuid, Path>,
    /// Calls that wait for money, of both lanes.
    queue: Arc<Mutex<Queue>>,
    /// Of calls under way.
    open: HashMap<String, Path>,
}

impl Store {
    pub(super) fn new(
        options: PgConnectOptions,
        leases: Leases,
        lane: Lane,
        queue: Arc<Mutex<Queue>>,
    ) -> Self {
        // Durable whatever the server's default is. And the statements below find rows by key, always: a plan that
        // was made while a table was small must not read it whole when it is large.
        let options = options.options([
            ("synchronous_commit", "on"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("jit", "off"),
        ]);
        Self { options, leases, lane, connection: None, paths: HashMap::new(), queue, open: HashMap::new() }
    }

    /// Drops the connection; the next batch makes a new one.
    pub(super) fn reconnect(&mut self) {
        self.connection = None;
    }

    /// Decides and writes. `None` in the place of an answer: it needs an account that is busy. An error means that
    /// nothing is known of any of them.
    pub(super) async fn write(&mut self, asks: &[Ask]) -> Result<Vec<Option<Result<Said, Error>>>, Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.options).await?,
        };
        let mut tx = connection.begin().await?;
        let mut batch = self.read(&mut tx, asks).await?;
        let answers = self.decide(&mut batch, asks);
        let changed = batch.reservations.values().any(|k| k.new.is_some() || k.moved);
        if changed {
            save(&mut tx, &batch, self.leases).await?;
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        self.remember(&batch);
        self.connection = Some(connection);
        Ok(answers)
    }

    fn decide(&self, batch: &mut Batch, asks: &[Ask]) -> Vec<Option<Result<Said, Error>>> {
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
    async fn read(&mut self, conn: &mut PgConnection, asks: &[Ask]) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        let mut uids: BTreeSet<Uuid> = BTreeSet::new();
        self.find_paths(conn, asks).await?;
        let mut keys: BTreeSet<&str> = BTreeSet::new();
        let mut tries: BTreeSet<(Uuid, Uuid)> = BTreeSet::new();
        for ask in asks {
            let path = match ask {
                Ask::Reserve(request) => {
                    keys.insert(&request.op_key);
                    tries.extend(request.try_uid.map(|pod| (request.task_uid, pod)));
                    let path = self.paths.get(&request.task_uid);
                    batch.paths.extend(path.map(|p| (request.task_uid, Arc::clone(p))));
                    path
                }
                Ask::Move { op_key, .. } => {
                    keys.insert(op_key);
                    self.open.get(op_key.as_str())
                }
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
            let kept = Kept {
                reservation: row.reservation()?,
                path: Arc::from(row.path),
                request_hash: row.request_hash,
                overdue: row.overdue,
                ended_us: row.ended_us,
                report: None,
                new: None,
                moved: false,
            };
            batch.reservations.insert(row.op_key, kept);
        }
        Ok(batch)
    }

    /// Paths that are not remembered: of tasks, and of calls that another process, or an earlier life of this one,
    /// began.
    async fn find_paths(&mut self, conn: &mut PgConnection, asks: &[Ask]) -> Result<(), Error> {
        let (mut tasks, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for ask in asks {
            match ask {
                Ask::Reserve(request) if !self.paths.contains_key(&request.task_uid) => {
                    tasks.insert(request.task_uid);
                }
                Ask::Move { op_key, .. } if !self.open.contains_key(op_key.as_str()) => {
                    keys.insert(op_key.clone());
                }
                _ => {}
            }
        }
        if !tasks.is_empty() {
            let tasks: Vec<Uuid> = tasks.into_iter().collect();
            let found: Vec<(Uuid, Vec<Uuid>)> =
                sqlx::query_as("SELECT task_uid, path FROM task_accounts WHERE task_uid = ANY($1)")
                    .bind(&tasks)
                    .fetch_all(&mut *conn)
                    .await?;
            if self.paths.len() + found.len() > PATHS {
                self.paths.clear();
            }
            self.paths.extend(found.into_iter().map(|(task, path)| (task, Arc::from(path))));
        }
        if !keys.is_empty() {
            let keys: Vec<String> = keys.into_iter().collect();
            let found: Vec<(String, Vec<Uuid>)> =
                sqlx::query_as("SELECT op_key, path FROM reservations WHERE op_key = ANY($1)")
                    .bind(&keys)
                    .fetch_all(conn)
                    .await?;
            self.open.extend(found.into_iter().map(|(key, path)| (key, Arc::from(path))));
        }
        Ok(())
    }

    /// Calls that ended are forgotten: hardly anybody asks for them again.
    fn remember(&mut self, batch: &Batch) {
        for (key, kept) in &batch.reservations {
            if matches!(kept.reservation.state, State::Reserved | State::Dispatched) {
                self.open.entry(key.clone()).or_insert_with(|| Arc::clone(&kept.path));
            } else {
                self.open.remove(key);
            }
        }
        if self.open.len() > PATHS {
            self.open.clear();
        }
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
