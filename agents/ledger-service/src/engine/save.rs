//! What a batch came to, in columns, and the one statement that writes it.

use golden_ledger::State;
use golden_platform::subjects::NOTIFY_ACCOUNTS;
use golden_platform::wire::ReserveRequest;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::batch::{Batch, Kept};
use crate::{Error, Leases};

/// New reservations, moved ones, accounts and notices, in one statement. It does all of it, or nothing where something
/// is not as it was when that was decided: an account's revision, its period, a reservation's state, a pod's try, or a
/// key that is there already. The accounts it writes have this revision afterwards. `waits`: for the disk, where the
/// connection does not anyway.
pub(super) async fn save(
    conn: &mut PgConnection,
    batch: &Batch,
    revision: i64,
    waits: bool,
    leases: Leases,
) -> Result<(), Error> {
    // Only what there is to do is in the statement: Postgres takes longer to begin with a part than with a row of it.
    let mut statement = Statement::new();
    statement.add(&New::of(batch), leases);
    statement.move_on(&Moved::of(batch), leases);
    statement.pay(&Accounts::of(batch)?, revision);
    statement.look_at_tries(batch);
    statement.notify(batch);
    if waits {
        statement.said.push("set_config('synchronous_commit', 'on', true)");
    }
    statement.query().build().execute(conn).await?;
    Ok(())
}

/// A statement, part by part.
struct Statement {
    with: QueryBuilder<Postgres>,
    /// What is asked of the parts in the end, so that those that only look are carried out.
    said: Vec<&'static str>,
}

impl Statement {
    /// Nobody reads the first entry: with it every part begins with a comma.
    fn new() -> Self {
        Self { with: QueryBuilder::new("WITH nothing AS (SELECT true)"), said: Vec::new() }
    }

    fn query(mut self) -> QueryBuilder<Postgres> {
        self.with.push(" SELECT true");
        for said in self.said {
            self.with.push(", ").push(said);
        }
        self.with
    }

    fn add(&mut self, new: &New<'_>, leases: Leases) {
        if new.op_key.is_empty() {
            return;
        }
        // Hardly any call begins and ends in one batch.
        let ended =
            if new.end.is_told() { ", actual_cost, input_tokens, output_tokens, latency_ms" } else { "" };
        let sql = &mut self.with;
        sql.push(
            ", added AS (
    INSERT INTO reservations (op_key, request_hash, team_uid, task_uid, try_uid, attempt, role, provider, model,
                              prompt_digest, path, state, cost, tokens, lease_until, dispatched_at, ended_at",
        );
        sql.push(ended).push(
            ")
    SELECT op_key, request_hash, team_uid, task_uid, try_uid, attempt, role, provider, model, prompt_digest,
           (",
        );
        sql.push_bind(&new.uids).push(
            ")[root:leaf], state, cost, tokens,
           now() + make_interval(secs => CASE state WHEN 'Reserved' THEN ",
        );
        sql.push_bind(leases.reserved.as_secs_f64())
            .push(" ELSE ")
            .push_bind(leases.dispatched.as_secs_f64());
        sql.push(
            " END),
           CASE WHEN state IN ('Dispatched', 'Settled', 'Unknown') THEN now() END,
           CASE WHEN state IN ('Settled', 'Unknown', 'Released') THEN now() END",
        );
        sql.push(ended).push(" FROM unnest(");
        let mut columns = sql.separated(", ");
        columns.push_bind(&new.op_key).push_bind(&new.request_hash);
        columns.push_bind(&new.team_uid).push_bind(&new.task_uid);
        columns.push_bind(&new.try_uid).push_bind(&new.attempt).push_bind(&new.role).push_bind(&new.provider);
        columns.push_bind(&new.model).push_bind(&new.prompt_digest).push_bind(&new.root).push_bind(&new.leaf);
        columns.push_bind(&new.end.state).push_bind(&new.cost).push_bind(&new.tokens);
        if !ended.is_empty() {
            columns.push_bind(&new.end.actual_cost).push_bind(&new.end.input_tokens);
            columns.push_bind(&new.end.output_tokens).push_bind(&new.end.latency_ms);
        }
        sql.push(
            ") AS n(op_key, request_hash, team_uid, task_uid, try_uid, attempt, role, provider, model, prompt_digest, root,
                    leaf, state, cost, tokens",
        );
        sql.push(ended).push("))");
    }

    fn move_on(&mut self, moved: &Moved<'_>, leases: Leases) {
        if moved.op_key.is_empty() {
            return;
        }
        let sql = &mut self.with;
        sql.push(
            ", moved AS (
    UPDATE reservations r SET
        state = m.state, actual_cost = m.actual_cost, input_tokens = m.input_tokens,
        output_tokens = m.output_tokens, latency_ms = m.latency_ms,
        dispatched_at = CASE WHEN m.state = 'Dispatched' THEN now() ELSE r.dispatched_at END,
        lease_until = CASE WHEN m.state = 'Dispatched' THEN now() + make_interval(secs => ",
        );
        sql.push_bind(leases.dispatched.as_secs_f64());
        sql.push(
            ") ELSE r.lease_until END,
        ended_at = CASE WHEN m.state = 'Dispatched' THEN NULL ELSE now() END
    FROM unnest(",
        );
        let mut columns = sql.separated(", ");
        columns.push_bind(&moved.op_key).push_bind(&moved.end.state).push_bind(&moved.end.actual_cost);
        columns.push_bind(&moved.end.input_tokens).push_bind(&moved.end.output_tokens);
        columns.push_bind(&moved.end.latency_ms).push_bind(&moved.was);
        sql.push(
            ") AS m(op_key, state, actual_cost, input_tokens, output_tokens, latency_ms, was)
    WHERE r.op_key = m.op_key AND r.state = m.was
    RETURNING 1), all_moved AS (SELECT ledger_holds(count(*) = ",
        );
        sql.push_bind(rows(moved.op_key.len())).push(") FROM moved)");
        self.said.push("(TABLE all_moved)");
    }

    fn pay(&mut self, accounts: &Accounts, revision: i64) {
        if accounts.uid.is_empty() {
            return;
        }
        let sql = &mut self.with;
        sql.push(
            ", paid AS (
    UPDATE accounts a SET
        reserved_cost = a.reserved_cost + d.reserved_cost, reserved_tokens = a.reserved_tokens + d.reserved_tokens,
        spent_cost = a.spent_cost + d.spent_cost, spent_tokens = a.spent_tokens + d.spent_tokens,
        overage_cost = a.overage_cost + d.overage_cost, overage_tokens = a.overage_tokens + d.overage_tokens,
        committed_cost_at_edit = coalesce(d.committed_cost, a.committed_cost_at_edit),
        committed_tokens_at_edit = coalesce(d.committed_tokens, a.committed_tokens_at_edit),
        granted_cost = CASE WHEN d.rolls THEN 0 ELSE a.granted_cost END,
        granted_tokens = CASE WHEN d.rolls THEN 0 ELSE a.granted_tokens END,
        denied = CASE WHEN d.rolls THEN NULL ELSE a.denied END,
        period_start = coalesce('epoch'::timestamptz + d.start_us * interval '1 microsecond', a.period_start),
        period_end = coalesce('epoch'::timestamptz + d.end_us * interval '1 microsecond', a.period_end),
        revision = ",
        );
        sql.push_bind(revision).push(" FROM unnest(");
        let mut columns = sql.separated(", ");
        columns
            .push_bind(&accounts.uid)
            .push_bind(&accounts.reserved_cost)
            .push_bind(&accounts.reserved_tokens);
        columns.push_bind(&accounts.spent_cost).push_bind(&accounts.spent_tokens);
        columns.push_bind(&accounts.overage_cost).push_bind(&accounts.overage_tokens);
        columns.push_bind(&accounts.committed_cost).push_bind(&accounts.committed_tokens);
        columns.push_bind(&accounts.period_start_us).push_bind(&accounts.period_end_us);
        columns.push_bind(&accounts.revision).push_bind(&accounts.rolls);
        sql.push(
            ") AS d(uid, reserved_cost, reserved_tokens, spent_cost, spent_tokens, overage_cost, overage_tokens,
              committed_cost, committed_tokens, start_us, end_us, revision, rolls)
    WHERE a.account_uid = d.uid AND a.revision = d.revision
      AND (d.start_us IS NOT NULL OR a.period_end IS NULL OR now() < a.period_end)
    RETURNING 1), all_paid AS (SELECT ledger_holds(count(*) = ",
        );
        sql.push_bind(rows(accounts.uid.len())).push(") FROM paid)");
        self.said.push("(TABLE all_paid)");
    }

    /// Each pod has to be the newest try of its task.
    fn look_at_tries(&mut self, batch: &Batch) {
        if batch.tries.is_empty() {
            return;
        }
        let (tasks, pods): (Vec<Uuid>, Vec<Uuid>) = batch.tries.iter().copied().unzip();
        let sql = &mut self.with;
        sql.push(", newest AS (SELECT ledger_holds(NOT EXISTS (SELECT FROM unnest(");
        sql.push_bind(tasks).push(", ").push_bind(pods).push(
            ") AS asked(task, pod)
                   JOIN desired mine ON mine.task_uid = asked.task AND mine.object_uid = asked.pod
                   JOIN desired newer ON newer.task_uid = mine.task_uid AND newer.kind = mine.kind
                                     AND (newer.attempt, newer.try) > (mine.attempt, mine.try))))",
        );
        self.said.push("(TABLE newest)");
    }

    fn notify(&mut self, batch: &Batch) {
        if batch.told.is_empty() {
            return;
        }
        let told: Vec<Uuid> = batch.told.iter().copied().collect();
        let sql = &mut self.with;
        sql.push(", told AS (SELECT count(pg_notify(").push_bind(NOTIFY_ACCOUNTS);
        sql.push(", account::text)) FROM unnest(").push_bind(told).push(") AS account)");
        self.said.push("(TABLE told)");
    }
}

fn rows(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

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
    /// Whether anything but the state is in it.
    fn is_told(&self) -> bool {
        [&self.actual_cost, &self.input_tokens].iter().any(|column| column.iter().any(Option::is_some))
    }

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
    /// Of all calls, one after the other; and where each begins and ends there, counted from one.
    uids: Vec<Uuid>,
    root: Vec<i32>,
    leaf: Vec<i32>,
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
        let end = |uids: &Vec<Uuid>| i32::try_from(uids.len()).unwrap_or(i32::MAX);
        self.root.push(end(&self.uids).saturating_add(1));
        self.uids.extend(kept.path.iter());
        self.leaf.push(end(&self.uids));
        let granted = kept.reservation.amount;
        self.cost.push(granted.cost.0);
        self.tokens.push(granted.tokens);
        self.end.push(kept);
    }
}

/// Reservations that were there and moved on, in columns.
#[derive(Default)]
struct Moved<'a> {
    op_key: Vec<&'a str>,
    was: Vec<&'static str>,
    end: End,
}

impl<'a> Moved<'a> {
    fn of(batch: &'a Batch) -> Self {
        let mut moved = Self::default();
        for (key, kept) in batch.reservations.iter().filter(|(_, k)| k.moved && k.new.is_none()) {
            moved.op_key.push(key);
            moved.was.push(kept.was.as_str());
            moved.end.push(kept);
        }
        moved
    }
}

/// The accounts' differences, in columns.
#[derive(Default)]
struct Accounts {
    uid: Vec<Uuid>,
    revision: Vec<i64>,
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
    /// The period before has ended, and with it what was granted or refused for it.
    rolls: Vec<bool>,
}

impl Accounts {
    fn of(batch: &Batch) -> Result<Self, Error> {
        let mut columns = Self::default();
        let free = batch.accounts.iter().filter(|(uid, _)| !batch.busy.contains(uid));
        for (uid, held) in free.filter(|(_, held)| held.is_written()) {
            let difference = held.difference()?;
            columns.uid.push(*uid);
            columns.revision.push(held.revision());
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
            columns.rolls.push(rolled.is_some());
        }
        Ok(columns)
    }
}
