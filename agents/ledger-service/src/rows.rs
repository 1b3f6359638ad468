//! Rows, and the pure values they stand for.

use golden_ledger::{Account, Amount, Limit, MicroUsd, Period, Reservation, State, span, time_zone};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;

#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct AccountRow {
    pub(crate) account_uid: Uuid,
    kind: String,
    namespace: String,
    name: String,
    pub(crate) on_exhausted: String,
    limit_cost: Option<i64>,
    limit_tokens: Option<i64>,
    spent_cost: i64,
    reserved_cost: i64,
    spent_tokens: i64,
    reserved_tokens: i64,
    overage_cost: i64,
    overage_tokens: i64,
    committed_cost_at_edit: i64,
    committed_tokens_at_edit: i64,
    granted_cost: i64,
    granted_tokens: i64,
    /// Who refused more for this period, in words.
    denied: Option<String>,
    pub(crate) deleted: bool,
    period: String,
    time_zone: String,
    /// Times are microseconds since 1970, by the database's clock.
    pub(crate) period_start_us: Option<i64>,
    period_end_us: Option<i64>,
    now_us: i64,
    /// Another one with every change, whoever makes it.
    pub(crate) revision: i64,
}

/// A period that begins now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begins {
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    /// The one before has ended. Otherwise there was none: what is spent goes on counting.
    pub(crate) rolls: bool,
}

impl AccountRow {
    pub(crate) fn account(&self) -> Account {
        Account {
            limit: Limit { cost: self.limit_cost.map(MicroUsd), tokens: self.limit_tokens },
            granted: Amount::new(self.granted_cost, self.granted_tokens),
            spent: Amount::new(self.spent_cost, self.spent_tokens),
            reserved: Amount::new(self.reserved_cost, self.reserved_tokens),
            overage: Amount::new(self.overage_cost, self.overage_tokens),
            committed_at_edit: Amount::new(self.committed_cost_at_edit, self.committed_tokens_at_edit),
        }
    }

    /// The row after the ledger's next change of it.
    pub(crate) fn after(&self, account: &Account, begins: Option<Begins>, revision: i64) -> Self {
        Self {
            spent_cost: account.spent.cost.0,
            spent_tokens: account.spent.tokens,
            reserved_cost: account.reserved.cost.0,
            reserved_tokens: account.reserved.tokens,
            overage_cost: account.overage.cost.0,
            overage_tokens: account.overage.tokens,
            committed_cost_at_edit: account.committed_at_edit.cost.0,
            committed_tokens_at_edit: account.committed_at_edit.tokens,
            granted_cost: account.granted.cost.0,
            granted_tokens: account.granted.tokens,
            denied: self.denied.clone().filter(|_| !begins.is_some_and(|b| b.rolls)),
            period_start_us: begins.map(|b| b.start_us).or(self.period_start_us),
            period_end_us: begins.map(|b| b.end_us).or(self.period_end_us),
            revision,
            ..self.clone()
        }
    }

    /// Who refused more for this period, where the account asks people.
    pub(crate) fn denied(&self) -> Option<&str> {
        self.denied.as_deref().filter(|_| self.on_exhausted == "Ask")
    }

    /// The period that has to be begun, if one has.
    pub(crate) fn begins(&self) -> Option<Begins> {
        let rolls = match self.period_end_us {
            Some(end) if self.now_us < end => return None,
            end => end.is_some(),
        };
        let period = Period::parse(&self.period)?;
        let now = Timestamp::from_microsecond(self.now_us).ok()?;
        // The operator lets no unknown zone through. If one is there all the same, days still have to end.
        let zone = time_zone(&self.time_zone).unwrap_or(TimeZone::UTC);
        let span = span(period, &zone, now)?;
        Some(Begins { start_us: span.start.as_microsecond(), end_us: span.end.as_microsecond(), rolls })
    }

    /// An account with nothing spent.
    #[cfg(test)]
    pub(crate) fn with_limit(account_uid: Uuid, limit_cost: Option<i64>) -> Self {
        Self {
            account_uid,
            kind: "Budget".into(),
            namespace: "shop".into(),
            name: "monthly".into(),
            on_exhausted: "Pause".into(),
            limit_cost,
            limit_tokens: None,
            spent_cost: 0,
            reserved_cost: 0,
            spent_tokens: 0,
            reserved_tokens: 0,
            overage_cost: 0,
            overage_tokens: 0,
            committed_cost_at_edit: 0,
            committed_tokens_at_edit: 0,
            granted_cost: 0,
            granted_tokens: 0,
            denied: None,
            deleted: false,
            period: "Total".into(),
            time_zone: "UTC".into(),
            period_start_us: None,
            period_end_us: None,
            now_us: 0,
            revision: 1,
        }
    }

    /// For people: `Budget shop/monthly`, or the limit of a task itself.
    pub(crate) fn shown(&self) -> String {
        let kind = if self.kind == "Task" { "AgentTask" } else { &self.kind };
        format!("{kind} {}/{}", self.namespace, self.name)
    }
}

/// The columns of [`AccountRow`], with a clause behind them.
macro_rules! accounts {
    ($clause:literal) => {
        concat!(
            "SELECT account_uid, kind, namespace, name, on_exhausted, limit_cost, limit_tokens, spent_cost,
                    reserved_cost, spent_tokens, reserved_tokens, overage_cost, overage_tokens,
                    committed_cost_at_edit, committed_tokens_at_edit, granted_cost, granted_tokens, denied,
                    deleted_at IS NOT NULL AS deleted,
                    period, time_zone, (extract(epoch FROM period_start) * 1000000)::bigint AS period_start_us,
                    (extract(epoch FROM period_end) * 1000000)::bigint AS period_end_us,
                    (extract(epoch FROM now()) * 1000000)::bigint AS now_us, revision
             FROM accounts WHERE account_uid = ANY($1) ",
            $clause
        )
    };
}

/// These accounts as they are, without a lock.
pub(crate) async fn see_accounts(
    conn: &mut PgConnection,
    uids: &[Uuid],
) -> Result<Vec<AccountRow>, sqlx::Error> {
    sqlx::query_as(accounts!("")).bind(uids).fetch_all(conn).await
}

/// Those of these accounts that nobody else holds, locked.
pub(crate) async fn lock_free_accounts(
    conn: &mut PgConnection,
    uids: &[Uuid],
) -> Result<Vec<AccountRow>, sqlx::Error> {
    if uids.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_as(accounts!("ORDER BY account_uid FOR UPDATE SKIP LOCKED")).bind(uids).fetch_all(conn).await
}

/// These accounts, all locked, in the order of their uids: paths are made of selectors, two may share accounts in
/// opposite orders, and one order for all is what cannot deadlock. (The lock is taken after sorting: Postgres locks
/// rows as they leave the sort.)
pub(crate) async fn lock_accounts(
    conn: &mut PgConnection,
    uids: &[Uuid],
) -> Result<Vec<AccountRow>, sqlx::Error> {
    if uids.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_as(accounts!("ORDER BY account_uid FOR UPDATE")).bind(uids).fetch_all(conn).await
}

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct ReservationRow {
    pub(crate) op_key: String,
    pub(crate) request_hash: String,
    state: String,
    cost: i64,
    tokens: i64,
    pub(crate) path: Vec<Uuid>,
    pub(crate) overdue: bool,
    /// In microseconds since 1970.
    pub(crate) ended_us: Option<i64>,
}

impl ReservationRow {
    pub(crate) fn reservation(&self) -> Result<Reservation, Error> {
        let state = State::parse(&self.state)
            .ok_or_else(|| Error::UnknownState(self.op_key.clone(), self.state.clone()))?;
        Ok(Reservation { state, amount: Amount::new(self.cost, self.tokens), actual: None })
    }
}

/// Those of these keys that have a reservation, locked in the order of their keys. Their accounts are locked before.
pub(crate) async fn lock_reservations(
    conn: &mut PgConnection,
    op_keys: &[&str],
) -> Result<Vec<ReservationRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT op_key, request_hash, state, cost, tokens, path, lease_until < now() AS overdue,
                (extract(epoch FROM ended_at) * 1000000)::bigint AS ended_us
         FROM reservations WHERE op_key = ANY($1) ORDER BY op_key FOR UPDATE",
    )
    .bind(op_keys)
    .fetch_all(conn)
    .await
}
