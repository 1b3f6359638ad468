//! Reserving.

use std::time::Duration;

use golden_ledger::{Amount, Effect, Refusal, bind_request, reserve};
use golden_platform::wire::{ReserveAnswer, ReserveRequest};
use golden_platform::{Class, Classify as _};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::Error;
use crate::rows::{self, AccountRow};

/// Longest text field of a request.
const MAX_TEXT: usize = 253;
/// How often a transaction is made again after a deadlock: paths that share accounts in different order are
/// rare, and one of two always gets through.
pub(crate) const AGAIN: u32 = 5;

/// How long the ledger waits to hear of a call again.
#[derive(Clone, Copy, Debug)]
pub struct Leases {
    /// From reserve to dispatch; then the money goes back.
    pub reserved: Duration,
    /// From dispatch to settlement; then the bound counts as spent.
    pub dispatched: Duration,
}

impl Default for Leases {
    fn default() -> Self {
        Self { reserved: Duration::from_mins(1), dispatched: Duration::from_mins(10) }
    }
}

/// The ledger over its database. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    pub(crate) pool: PgPool,
    pub(crate) leases: Leases,
}

impl Ledger {
    pub fn new(pool: PgPool, leases: Leases) -> Self {
        Self { pool, leases }
    }

    /// Reserves on every account of the task's path, or on none. The same key with the same request is answered
    /// with what became of it.
    pub async fn reserve(&self, request: &ReserveRequest) -> Result<ReserveAnswer, Error> {
        check(request)?;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.reserve_once(request).await {
                Err(e)
                    if tries < AGAIN && e.class() == Class::Conflict && matches!(e, Error::Database(_)) => {}
                other => return other,
            }
        }
    }

    async fn reserve_once(&self, request: &ReserveRequest) -> Result<ReserveAnswer, Error> {
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = known(&mut tx, request).await? {
            return Ok(answer);
        }
        if let Some(pod) = request.try_uid
            && stale(&mut tx, request.task_uid, pod).await?
        {
            return Err(Error::StaleTry(pod));
        }
        let amount = Amount::new(request.cost_micro_usd, request.tokens);
        // Calls that wait for money ask twice a second: those that cannot be paid must not queue for the locks.
        let (path, seen) = rows::see_path(&mut tx, request.task_uid).await?;
        if let Err(answer) = decide(&path, &seen, amount)? {
            // Unless it was this very key that took the money since we looked.
            return Ok(known(&mut tx, request).await?.unwrap_or(answer));
        }
        let accounts = rows::lock_path(&mut tx, &path).await?;
        // Another caller with this key may have been in front of us at the lock.
        if let Some(answer) = known(&mut tx, request).await? {
            return Ok(answer);
        }
        let effect = match decide(&path, &accounts, amount)? {
            Ok(effect) => effect,
            Err(answer) => return Ok(answer),
        };
        if !self.insert(&mut tx, request, &path).await? {
            // The key belongs to a call of another task, whose accounts we do not hold.
            return known(&mut tx, request).await?.ok_or(Error::Database(sqlx::Error::RowNotFound));
        }
        rows::apply(&mut tx, &path, &effect).await?;
        tx.commit().await?;
        Ok(ReserveAnswer::Granted { state: "Reserved".to_owned() })
    }

    async fn insert(
        &self,
        conn: &mut PgConnection,
        request: &ReserveRequest,
        path: &[Uuid],
    ) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO reservations (op_key, request_hash, team_uid, task_uid, try_uid, attempt, role, provider,
                                       model, prompt_digest, path, state, cost, tokens, lease_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'Reserved', $12, $13,
                     now() + make_interval(secs => $14))
             ON CONFLICT (op_key) DO NOTHING",
        )
        .bind(&request.op_key)
        .bind(&request.request_hash)
        .bind(request.team_uid)
        .bind(request.task_uid)
        .bind(request.try_uid)
        .bind(i32::try_from(request.attempt).unwrap_or(i32::MAX))
        .bind(&request.role)
        .bind(&request.provider)
        .bind(&request.model)
        .bind(&request.prompt_digest)
        .bind(path)
        .bind(request.cost_micro_usd)
        .bind(request.tokens)
        .bind(self.leases.reserved.as_secs_f64())
        .execute(conn)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// The answer to a key that has a reservation already.
async fn known(conn: &mut PgConnection, request: &ReserveRequest) -> Result<Option<ReserveAnswer>, Error> {
    let Some(row) = rows::find(conn, &request.op_key).await? else { return Ok(None) };
    if bind_request(&row.request_hash, &request.request_hash).is_err() {
        return Ok(Some(ReserveAnswer::OtherRequest));
    }
    Ok(Some(ReserveAnswer::Granted { state: row.reservation()?.state.as_str().to_owned() }))
}

/// Whether the task has a newer try than this pod: an evicted or superseded pod must not go on spending.
async fn stale(conn: &mut PgConnection, task_uid: Uuid, pod: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM desired mine JOIN desired newer
                 ON newer.task_uid = mine.task_uid AND newer.kind = mine.kind
                AND (newer.attempt, newer.try) > (mine.attempt, mine.try)
             WHERE mine.task_uid = $1 AND mine.object_uid = $2)",
    )
    .bind(task_uid)
    .bind(pod)
    .fetch_one(conn)
    .await
}

/// The effect on every account, or the answer that one of them cannot pay.
fn decide(
    path: &[Uuid],
    accounts: &[AccountRow],
    amount: Amount,
) -> Result<Result<Effect, ReserveAnswer>, Error> {
    // An account that is missing or closed cannot say no, so it must not be passed over.
    if path.is_empty() || accounts.len() != path.len() || accounts.iter().any(|a| a.deleted) {
        return Ok(Err(ReserveAnswer::NoAccount));
    }
    let balances: Vec<_> = accounts.iter().map(AccountRow::account).collect();
    let lacking = match reserve(&balances, amount) {
        Ok(effect) => return Ok(Ok(effect)),
        Err(Refusal::NoAccount) => return Ok(Err(ReserveAnswer::NoAccount)),
        Err(Refusal::Amount(e)) => return Err(e.into()),
        Err(Refusal::Exhausted(lacking)) => lacking,
    };
    // One that makes the task fail is told before one that makes it wait; then the largest lack.
    let told = lacking.iter().filter_map(|s| Some((s, accounts.get(s.index)?)));
    let told = told.min_by_key(|(_, account)| account.on_exhausted != "Fail");
    Ok(Err(told.map_or(ReserveAnswer::NoAccount, |(shortfall, account)| ReserveAnswer::Exhausted {
        account: account.shown(),
        account_uid: account.account_uid,
        missing_micro_usd: shortfall.missing.cost.0,
        missing_tokens: shortfall.missing.tokens,
        on_exhausted: account.on_exhausted.clone(),
    })))
}

fn check(request: &ReserveRequest) -> Result<(), Error> {
    let texts = [
        ("opKey", &request.op_key),
        ("requestHash", &request.request_hash),
        ("role", &request.role),
        ("provider", &request.provider),
        ("model", &request.model),
        ("promptDigest", &request.prompt_digest),
    ];
    for (field, text) in texts {
        if text.len() > MAX_TEXT || text.contains('\0') {
            return Err(Error::Invalid { field, why: "is longer than 253 bytes or has a NUL character" });
        }
    }
    if request.op_key.is_empty() || request.request_hash.is_empty() {
        return Err(Error::Invalid { field: "opKey and requestHash", why: "must not be empty" });
    }
    if request.cost_micro_usd < 0 || request.tokens < 0 {
        return Err(Error::Invalid { field: "costMicroUsd and tokens", why: "must not be negative" });
    }
    Ok(())
}
