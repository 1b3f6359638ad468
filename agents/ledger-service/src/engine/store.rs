//! One batch in one transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use golden_platform::wire::ReserveAnswer;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::batch::{Batch, Held, Kept, Path};
use super::book::Book;
use super::job::{Ask, Said};
use super::line::{Line, Lines, flush};
use super::queue::{Left, Queue};
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

/// A writer's connections, and what it remembers.
pub(super) struct Store {
    leases: Leases,
    lane: Lane,
    options: PgConnectOptions,
    /// For what is decided from memory: they give up on a row that somebody else holds.
    brief: Lines,
    /// For what is decided with everything locked; made when it is needed, and put back when all went well.
    thorough: Option<PgConnection>,
    book: Book,
    /// Calls that wait for money, of both lanes.
    queue: Arc<Mutex<Queue>>,
    figures: Option<Figures>,
}

/// `None`: it needs an account that is busy.
pub(super) type Answer = Option<Result<Said, Error>>;

/// What became of a batch's requests. Nobody may be told before it is flushed.
pub(super) struct Written {
    pub(super) answers: Vec<Answer>,
    pub(super) unflushed: Option<Unflushed>,
}

/// A batch that is committed and perhaps not on the disk yet.
pub(super) struct Unflushed {
    line: Line,
    requests: usize,
    begun: Instant,
    figures: Option<Figures>,
}

impl Unflushed {
    /// An error means that nothing is known of the batch.
    pub(super) async fn flush(mut self) -> Result<(), Error> {
        flush(&mut self.line.connection).await?;
        self.flushed();
        Ok(())
    }

    fn flushed(self) {
        self.line.give_back();
        if let Some(figures) = &self.figures {
            figures.batch(Decided::Remembered, self.requests, self.begun.elapsed());
        }
    }
}

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
        let brief = Lines::new(options.clone().options([("lock_timeout", LOCK_MS)]));
        Self { leases, lane, options, brief, thorough: None, book: Book::default(), queue, figures: None }
    }

    pub(super) fn measured(self, figures: Option<Figures>) -> Self {
        Self { figures, ..self }
    }

    /// Drops the connections; the next batch makes new ones.
    pub(super) fn reconnect(&mut self) {
        self.brief.reconnect();
        self.thorough = None;
    }

    /// Decides and writes. An error means that nothing is known of any of them.
    pub(super) async fn write(&mut self, asks: &[Ask]) -> Result<Written, Error> {
        let (mut answers, unflushed) = match self.lane {
            Lane::Quick => self.write_remembered(asks).await?,
            Lane::Patient => (BTreeMap::new(), None),
        };
        let rest: Vec<usize> = (0..asks.len()).filter(|n| !answers.contains_key(n)).collect();
        if !rest.is_empty() {
            let asks: Vec<&Ask> = rest.iter().filter_map(|n| asks.get(*n)).collect();
            let said = self.write_locked(&asks).await?;
            answers.extend(rest.into_iter().zip(said));
        }
        Ok(Written { answers: answers.into_values().collect(), unflushed })
    }

    /// Decides what can be decided from memory, and writes it if that holds. Only what is granted or moved on is: a
    /// refusal is looked up, and so is everything if memory was wrong.
    async fn write_remembered(
        &mut self,
        asks: &[Ask],
    ) -> Result<(BTreeMap<usize, Answer>, Option<Unflushed>), Error> {
        let begun = Instant::now();
        let (mut batch, enough) = self.book.open(asks, begun);
        let known: Vec<&Ask> = enough.iter().filter_map(|n| asks.get(*n)).collect();
        let said = self.decide(&mut batch, &known);
        let answers: BTreeMap<usize, Answer> = enough
            .into_iter()
            .zip(known.iter().zip(said))
            .filter(|(_, (ask, said))| matches!(said, Some(Ok(_))) && batch.changes(ask.op_key()))
            .map(|(n, (_, said))| (n, said))
            .collect();
        if answers.is_empty() {
            return Ok((answers, None));
        }
        let (mut line, revision) = (self.brief.take().await?, new_revision());
        // A lone caller is told after one round trip instead of two.
        let waits = asks.len() == 1;
        match save(&mut line.connection, &batch, revision, waits, self.leases).await {
            Ok(()) => {
                self.written(&batch, revision);
                let (requests, figures) = (answers.len(), self.figures.clone());
                let batch = Unflushed { line, requests, begun, figures };
                if waits {
                    batch.flushed();
                    return Ok((answers, None));
                }
                Ok((answers, Some(batch)))
            }
            // The database says why when it is asked with the rows locked.
            Err(error) if error.is_refused_by_database() => {
                tracing::debug!(%error, "decided from memory in vain");
                line.give_back();
                self.book.doubt(&batch.accounts, begun);
                self.come_back(batch.left);
                if let Some(figures) = &self.figures {
                    figures.batch(Decided::Vain, answers.len(), begun.elapsed());
                }
                Ok((BTreeMap::new(), None))
            }
            Err(error) => Err(error),
        }
    }

    /// Decides with everything concerned read and locked.
    async fn write_locked(&mut self, asks: &[&Ask]) -> Result<Vec<Answer>, Error> {
        let begun = Instant::now();
        let mut connection = match self.thorough.take() {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.options).await?,
        };
        let mut tx = connection.begin().await?;
        let mut batch = self.read(&mut tx, asks).await?;
        let answers = self.decide(&mut batch, asks);
        if batch.is_worth_a_write() {
            let revision = new_revision();
            let saved = commit(tx, &batch, revision, self.leases).await;
            if let Err(error) = saved {
                if error.is_refused_by_database() {
                    self.come_back(batch.left);
                }
                return Err(error);
            }
            self.written(&batch, revision);
            if let Some(figures) = &self.figures {
                figures.batch(Decided::Locked, asks.len(), begun.elapsed());
            }
        } else {
            tx.rollback().await?;
            // What became of a call before was perhaps written a moment ago, here or by another ledger.
            if answers.iter().any(tells_of_a_call) {
                flush(&mut connection).await?;
            }
        }
        self.thorough = Some(connection);
        Ok(answers)
    }

    /// These were not granted after all.
    fn come_back(&self, left: Vec<Left>) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).come_back(left);
    }

    fn written(&mut self, batch: &Batch, revision: i64) {
        self.book.learn(batch, revision);
        let overage = batch.overage_micro_usd();
        if overage > 0 {
            tracing::warn!(micro_usd = overage, "a provider charged more than was reserved for its calls");
        }
        if let Some(figures) = &self.figures {
            figures.overage(overage);
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

async fn commit(
    mut tx: Transaction<'_, Postgres>,
    batch: &Batch,
    revision: i64,
    leases: Leases,
) -> Result<(), Error> {
    save(&mut tx, batch, revision, true, leases).await?;
    Ok(tx.commit().await?)
}

/// Whether somebody would rest on it that a call is in the books.
fn tells_of_a_call(answer: &Answer) -> bool {
    matches!(answer, Some(Ok(Said::Moved(_) | Said::Reserve(ReserveAnswer::Granted { .. }))))
}

/// One that no account ever had, nor will have by counting: after a crash an account may have gone back to an earlier
/// one, and what somebody does to it then must not lead to the one that is remembered. Positive, with room to count on.
fn new_revision() -> i64 {
    let (high, _) = Uuid::new_v4().as_u64_pair();
    (high >> 2).cast_signed()
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
