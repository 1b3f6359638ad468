//! One batch in one transaction.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use golden_ledger::State;
use golden_platform::subjects::NOTIFY_ACCOUNTS;
use golden_platform::wire::ReserveRequest;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::batch::{Batch, Held, Kept, Path};
use super::job::{Ask, Said};
use super::queue::Queue;
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
            self.save(&mut tx, &batch).await?;
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

    /// New reservations, moved ones, accounts and notices, in one statement.
    async fn save(&self, conn: &mut PgConnection, batch: &Batch) -> Result<(), Error> {
        let new = New::of(batch);
        let moved = Moved::of(batch);
        let accounts = Accounts::of(batch)?;
        let told: Vec<Uuid> = batch.told.iter().copied().collect();
        let (reserved, dispatched) =
            (self.leases.reserved.as_secs_f64(), self.leases.dispatched.as_secs_f64());
        sqlx::query(SAVE)
            .bind(&new.op_key)
            .bind(&new.request_hash)
            .bind(&new.team_uid)
            .bind(&new.task_uid)
            .bind(&new.try_uid)
            .bind(&new.attempt)
            .bind(&new.role)
            .bind(&new.provider)
            .bind(&new.model)
            .bind(&new.prompt_digest)
            .bind(&new.path)
            .bind(&new.end.state)
            .bind(&new.cost)
            .bind(&new.tokens)
            .bind(&new.end.actual_cost)
            .bind(&new.end.input_tokens)
            .bind(&new.end.output_tokens)
            .bind(&new.end.latency_ms)
            .bind(reserved)
            .bind(dispatched)
            .bind(&moved.op_key)
            .bind(&moved.end.state)
            .bind(&moved.end.actual_cost)
            .bind(&moved.end.input_tokens)
            .bind(&moved.end.output_tokens)
            .bind(&moved.end.latency_ms)
            .bind(&accounts.uid)
            .bind(&accounts.reserved_cost)
            .bind(&accounts.reserved_tokens)
            .bind(&accounts.spent_cost)
            .bind(&accounts.spent_tokens)
            .bind(&accounts.overage_cost)
            .bind(&accounts.overage_tokens)
            .bind(NOTIFY_ACCOUNTS)
            .bind(&told)
            .bind(&accounts.committed_cost)
            .bind(&accounts.committed_tokens)
            .bind(&accounts.period_start_us)
            .bind(&accounts.period_end_us)
            .execute(conn)
            .await?;
        Ok(())
    }
}

/// A path travels as text: an array of arrays would be one flat array.
const SAVE: &str = "
WITH added AS (
    INSERT INTO reservations (op_key, request_hash, team_uid, task_uid, try_uid, attempt, role, provider, model,
                              prompt_digest, path, state, cost, tokens, actual_cost, input_tokens, output_tokens,
                              latency_ms, lease_until, dispatched_at, ended_at)
    SELECT op_key, request_hash, team_uid, task_uid, try_uid, attempt, role, provider, model, prompt_digest,
           path::uuid[], state, cost, tokens, actual_cost, input_tokens, output_tokens, latency_ms,
           now() + make_interval(secs => CASE state WHEN 'Reserved' THEN $19 ELSE $20 END),
           CASE WHEN state IN ('Dispatched', 'Settled', 'Unknown') THEN now() END,
           CASE WHEN state IN ('Settled', 'Unknown', 'Released') THEN now() END
    FROM unnest($1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[],
                $16::bigint[], $17::bigint[], $18::bigint[])
         AS n(op_key, request_hash, team_uid, task_uid, try_uid, attempt, role, provider, model, prompt_digest, path,
              state, cost, tokens, actual_cost, input_tokens, output_tokens, latency_ms)
), moved AS (
    UPDATE reservations r SET
        state = m.state, actual_cost = m.actual_cost, input_tokens = m.input_tokens,
        output_tokens = m.output_tokens, latency_ms = m.latency_ms,
        dispatched_at = CASE WHEN m.state = 'Dispatched' THEN now() ELSE r.dispatched_at END,
        lease_until = CASE WHEN m.state = 'Dispatched' THEN now() + make_interval(secs => $20) ELSE r.lease_until END,
        ended_at = CASE WHEN m.state = 'Dispatched' THEN NULL ELSE now() END
    FROM unnest($21::text[], $22::text[], $23::bigint[], $24::bigint[], $25::bigint[], $26::bigint[])
         AS m(op_key, state, actual_cost, input_tokens, output_tokens, latency_ms)
    WHERE r.op_key = m.op_key
), paid AS (
    UPDATE accounts a SET
        reserved_cost = a.reserved_cost + d.reserved_cost, reserved_tokens = a.reserved_tokens + d.reserved_tokens,
        spent_cost = a.spent_cost + d.spent_cost, spent_tokens = a.spent_tokens + d.spent_tokens,
        overage_cost = a.overage_cost + d.overage_cost, overage_tokens = a.overage_tokens + d.overage_tokens,
        committed_cost_at_edit = coalesce(d.committed_cost, a.committed_cost_at_edit),
        committed_tokens_at_edit = coalesce(d.committed_tokens, a.committed_tokens_at_edit),
        period_start = coalesce('epoch'::timestamptz + d.start_us * interval '1 microsecond', a.period_start),
        period_end = coalesce('epoch'::timestamptz + d.end_us * interval '1 microsecond', a.period_end)
    FROM unnest($27::uuid[], $28::bigint[], $29::bigint[], $30::bigint[], $31::bigint[], $32::bigint[],
                $33::bigint[], $36::bigint[], $37::bigint[], $38::bigint[], $39::bigint[])
         AS d(uid, reserved_cost, reserved_tokens, spent_cost, spent_tokens, overage_cost, overage_tokens,
              committed_cost, committed_tokens, start_us, end_us)
    WHERE a.account_uid = d.uid
)
SELECT pg_notify($34, account::text) FROM unnest($35::uuid[]) AS account";

/// How a reservation stands after the batch, in columns.
#[derive(Default)]
struct End {
    state: Vec<&'static str>,
    actual_cost: Vec<Option<i64>>,
    input_tokens: Vec<Option<i64>>,
    output_tokens: Vec<Option<i64>>,
    latency_ms: Vec<Option<i64>>,
}

impl End {
    fn push(&mut self, kept: &Kept) {
        let state = kept.reservation.state;
        self.state.push(state.as_str());
        self.actual_cost.push(match state {
            State::Settled => kept.reservation.actual.map(|a| a.cost.0),
            // The bound, until the usage is found.
            State::Unknown => Some(kept.reservation.amount.cost.0),
            State::Reserved | State::Dispatched | State::Released => None,
        });
        self.input_tokens.push(kept.report.map(|r| r.input_tokens));
        self.output_tokens.push(kept.report.map(|r| r.output_tokens));
        self.latency_ms.push(kept.report.map(|r| r.latency_ms));
    }
}

/// Reservations to insert, in columns.
#[derive(Default)]
struct New<'a> {
    op_key: Vec<&'a str>,
    request_hash: Vec<&'a str>,
    team_uid: Vec<Uuid>,
    task_uid: Vec<Uuid>,
    try_uid: Vec<Option<Uuid>>,
    attempt: Vec<i32>,
    role: Vec<&'a str>,
    provider: Vec<&'a str>,
    model: Vec<&'a str>,
    prompt_digest: Vec<&'a str>,
    path: Vec<String>,
    cost: Vec<i64>,
    tokens: Vec<i64>,
    end: End,
}

impl<'a> New<'a> {
    fn of(batch: &'a Batch) -> Self {
        let mut new = Self::default();
        for kept in batch.reservations.values() {
            if let Some(request) = &kept.new {
                new.push(request, kept);
            }
        }
        new
    }

    fn push(&mut self, request: &'a ReserveRequest, kept: &Kept) {
        self.op_key.push(&request.op_key);
        self.request_hash.push(&request.request_hash);
        self.team_uid.push(request.team_uid);
        self.task_uid.push(request.task_uid);
        self.try_uid.push(request.try_uid);
        self.attempt.push(i32::try_from(request.attempt).unwrap_or(i32::MAX));
        self.role.push(&request.role);
        self.provider.push(&request.provider);
        self.model.push(&request.model);
        self.prompt_digest.push(&request.prompt_digest);
        let uids: Vec<String> = kept.path.iter().map(Uuid::to_string).collect();
        self.path.push(format!("{{{}}}", uids.join(",")));
        self.cost.push(request.cost_micro_usd);
        self.tokens.push(request.tokens);
        self.end.push(kept);
    }
}

/// Reservations that were there and moved on, in columns.
#[derive(Default)]
struct Moved<'a> {
    op_key: Vec<&'a str>,
    end: End,
}

impl<'a> Moved<'a> {
    fn of(batch: &'a Batch) -> Self {
        let mut moved = Self::default();
        for (key, kept) in batch.reservations.iter().filter(|(_, k)| k.moved && k.new.is_none()) {
            moved.op_key.push(key);
            moved.end.push(kept);
        }
        moved
    }
}

/// The accounts' differences, in columns.
#[derive(Default)]
struct Accounts {
    uid: Vec<Uuid>,
    reserved_cost: Vec<i64>,
    reserved_tokens: Vec<i64>,
    spent_cost: Vec<i64>,
    spent_tokens: Vec<i64>,
    overage_cost: Vec<i64>,
    overage_tokens: Vec<i64>,
    committed_cost: Vec<Option<i64>>,
    committed_tokens: Vec<Option<i64>>,
    period_start_us: Vec<Option<i64>>,
    period_end_us: Vec<Option<i64>>,
}

impl Accounts {
    fn of(batch: &Batch) -> Result<Self, Error> {
        let mut columns = Self::default();
        for (uid, held) in batch.accounts.iter().filter(|(uid, _)| !batch.busy.contains(uid)) {
            let difference = held.difference()?;
            if difference == golden_ledger::Effect::default() && held.begins.is_none() {
                continue;
            }
            columns.uid.push(*uid);
            columns.reserved_cost.push(difference.reserved.cost.0);
            columns.reserved_tokens.push(difference.reserved.tokens);
            columns.spent_cost.push(difference.spent.cost.0);
            columns.spent_tokens.push(difference.spent.tokens);
            columns.overage_cost.push(difference.overage.cost.0);
            columns.overage_tokens.push(difference.overage.tokens);
            let rolled = held.begins.filter(|b| b.rolls).map(|_| held.after.committed_at_edit);
            columns.committed_cost.push(rolled.map(|amount| amount.cost.0));
            columns.committed_tokens.push(rolled.map(|amount| amount.tokens));
            columns.period_start_us.push(held.begins.map(|b| b.start_us));
            columns.period_end_us.push(held.begins.map(|b| b.end_us));
        }
        Ok(columns)
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
