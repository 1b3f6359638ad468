//! Rows, and the pure values they stand for.

use golden_ledger::{Account, Amount, Effect, Limit, MicroUsd, Reservation, State};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;

#[derive(Debug, sqlx::FromRow)]
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
    pub(crate) deleted: bool,
}

impl AccountRow {
    pub(crate) fn account(&self) -> Account {
        Account {
            limit: Limit { cost: self.limit_cost.map(MicroUsd), tokens: self.limit_tokens },
            spent: Amount::new(self.spent_cost, self.spent_tokens),
            reserved: Amount::new(self.reserved_cost, self.reserved_tokens),
            overage: Amount::new(self.overage_cost, self.overage_tokens),
            committed_at_edit: Amount::new(self.committed_cost_at_edit, self.committed_tokens_at_edit),
        }
    }

    /// For people: `Budget shop/monthly`, or the limit of a task itself.
    pub(crate) fn shown(&self) -> String {
        let kind = if self.kind == "Task" { "AgentTask" } else { &self.kind };
        format!("{kind} {}/{}", self.namespace, self.name)
    }
}

#[derive(sqlx::FromRow)]
struct SeenRow {
    path: Vec<Uuid>,
    #[sqlx(flatten)]
    account: AccountRow,
}

/// A task's path and its accounts as they are now, without a lock: enough to say no, never to say yes. Empty if
/// the task has no account at all.
pub(crate) async fn see_path(
    conn: &mut PgConnection,
    task_uid: Uuid,
) -> Result<(Vec<Uuid>, Vec<AccountRow>), sqlx::Error> {
    let seen: Vec<SeenRow> = sqlx::query_as(
        "SELECT t.path, account_uid, kind, namespace, name, on_exhausted, limit_cost, limit_tokens, spent_cost,
                reserved_cost, spent_tokens, reserved_tokens, overage_cost, overage_tokens,
                committed_cost_at_edit, committed_tokens_at_edit, deleted_at IS NOT NULL AS deleted
         FROM task_accounts t JOIN accounts ON account_uid = ANY(t.path)
         WHERE task_uid = $1 ORDER BY array_position(t.path, account_uid)",
    )
    .bind(task_uid)
    .fetch_all(conn)
    .await?;
    let path = seen.first().map(|s| s.path.clone()).unwrap_or_default();
    Ok((path, seen.into_iter().map(|s| s.account).collect()))
}

/// The accounts of a path, root first, all locked. They are locked in the order of their uids, whatever the path's own
/// order is: paths are made of selectors, two may share accounts in opposite orders, and one order for all is what
/// cannot deadlock. (The lock is taken after sorting: Postgres locks rows as they leave the sort.)
pub(crate) async fn lock_path(
    conn: &mut PgConnection,
    path: &[Uuid],
) -> Result<Vec<AccountRow>, sqlx::Error> {
    let mut rows: Vec<AccountRow> = sqlx::query_as(
        "SELECT account_uid, kind, namespace, name, on_exhausted, limit_cost, limit_tokens, spent_cost,
                reserved_cost, spent_tokens, reserved_tokens, overage_cost, overage_tokens,
                committed_cost_at_edit, committed_tokens_at_edit, deleted_at IS NOT NULL AS deleted
         FROM accounts WHERE account_uid = ANY($1)
         ORDER BY account_uid FOR UPDATE",
    )
    .bind(path)
    .fetch_all(conn)
    .await?;
    rows.sort_by_key(|row| path.iter().position(|uid| *uid == row.account_uid));
    Ok(rows)
}

/// Adds an effect to every account of a locked path.
pub(crate) async fn apply(
    conn: &mut PgConnection,
    path: &[Uuid],
    effect: &Effect,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE accounts SET
             reserved_cost = reserved_cost + $2, reserved_tokens = reserved_tokens + $3,
             spent_cost = spent_cost + $4, spent_tokens = spent_tokens + $5,
             overage_cost = overage_cost + $6, overage_tokens = overage_tokens + $7
         WHERE account_uid = ANY($1)",
    )
    .bind(path)
    .bind(effect.reserved.cost.0)
    .bind(effect.reserved.tokens)
    .bind(effect.spent.cost.0)
    .bind(effect.spent.tokens)
    .bind(effect.overage.cost.0)
    .bind(effect.overage.tokens)
    .execute(conn)
    .await
    .map(drop)
}

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct ReservationRow {
    op_key: String,
    pub(crate) request_hash: String,
    state: String,
    cost: i64,
    tokens: i64,
    pub(crate) path: Vec<Uuid>,
    pub(crate) overdue: bool,
}

impl ReservationRow {
    pub(crate) fn reservation(&self) -> Result<Reservation, Error> {
        let state = State::parse(&self.state)
            .ok_or_else(|| Error::UnknownState(self.op_key.clone(), self.state.clone()))?;
        Ok(Reservation { state, amount: Amount::new(self.cost, self.tokens), actual: None })
    }
}

/// A reservation as it is, unlocked: its key, request and path never change.
pub(crate) async fn find(
    conn: &mut PgConnection,
    op_key: &str,
) -> Result<Option<ReservationRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT op_key, request_hash, state, cost, tokens, path, lease_until < now() AS overdue
         FROM reservations WHERE op_key = $1",
    )
    .bind(op_key)
    .fetch_optional(conn)
    .await
}

/// A reservation, locked. Its accounts, if they are needed, are locked before.
pub(crate) async fn lock(conn: &mut PgConnection, op_key: &str) -> Result<ReservationRow, sqlx::Error> {
    sqlx::query_as(
        "SELECT op_key, request_hash, state, cost, tokens, path, lease_until < now() AS overdue
         FROM reservations WHERE op_key = $1 FOR UPDATE",
    )
    .bind(op_key)
    .fetch_one(conn)
    .await
}
