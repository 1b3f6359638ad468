//! What a batch came to, in columns, and the one statement that writes it.

use golden_ledger::State;
use golden_platform::subjects::NOTIFY_ACCOUNTS;
use golden_platform::wire::ReserveRequest;
use sqlx::PgConnection;
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
    let new = New::of(batch);
    let moved = Moved::of(batch);
    let accounts = Accounts::of(batch)?;
    let told: Vec<Uuid> = batch.told.iter().copied().collect();
    let (tasks, pods): (Vec<Uuid>, Vec<Uuid>) = batch.tries.iter().copied().unzip();
    let (reserved, dispatched) = (leases.reserved.as_secs_f64(), leases.dispatched.as_secs_f64());
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
        .bind(&accounts.revision)
        .bind(&moved.was)
        .bind(&tasks)
        .bind(&pods)
        .bind(&accounts.rolls)
        .bind(revision)
        .bind(waits)
        .execute(conn)
        .await?;
    Ok(())
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
    FROM unnest($21::text[], $22::text[], $23::bigint[], $24::bigint[], $25::bigint[], $26::bigint[], $41::text[])
         AS m(op_key, state, actual_cost, input_tokens, output_tokens, latency_ms, was)
    WHERE r.op_key = m.op_key AND r.state = m.was
    RETURNING 1
), paid AS (
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
        revision = $45
    FROM unnest($27::uuid[], $28::bigint[], $29::bigint[], $30::bigint[], $31::bigint[], $32::bigint[],
                $33::bigint[], $36::bigint[], $37::bigint[], $38::bigint[], $39::bigint[], $40::bigint[], $44::boolean[])
         AS d(uid, reserved_cost, reserved_tokens, spent_cost, spent_tokens, overage_cost, overage_tokens,
              committed_cost, committed_tokens, start_us, end_us, revision, rolls)
    WHERE a.account_uid = d.uid AND a.revision = d.revision
      AND (d.start_us IS NOT NULL OR a.period_end IS NULL OR now() < a.period_end)
    RETURNING 1
)
SELECT ledger_holds(
           (SELECT count(*) FROM moved) = cardinality($21)
           AND (SELECT count(*) FROM paid) = cardinality($27)
           AND NOT EXISTS (
               SELECT FROM unnest($42::uuid[], $43::uuid[]) AS asked(task, pod)
                   JOIN desired mine ON mine.task_uid = asked.task AND mine.object_uid = asked.pod
                   JOIN desired newer ON newer.task_uid = mine.task_uid AND newer.kind = mine.kind
                                     AND (newer.attempt, newer.try) > (mine.attempt, mine.try))),
       (SELECT count(pg_notify($34, account::text)) FROM unnest($35::uuid[]) AS account),
       CASE WHEN $46 THEN set_config('synchronous_commit', 'on', true) END";

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
