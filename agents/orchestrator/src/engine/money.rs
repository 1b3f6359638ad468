//! What the accounts of a task have, for a call that waits for money.

use super::drive::Engine;
use super::error::Error;
use super::store::Loaded;
use crate::machine::{Event, Purse, ask_again, needs_money};
use golden_ledger::{Account, Amount, Limit, MicroUsd};
use jiff::Timestamp;
use sqlx::PgPool;
use uuid::Uuid;

#[derive(sqlx::FromRow)]
struct AccountRow {
    on_exhausted: String,
    limit_cost: Option<i64>,
    limit_tokens: Option<i64>,
    granted_cost: i64,
    granted_tokens: i64,
    spent_cost: i64,
    spent_tokens: i64,
    reserved_cost: i64,
    reserved_tokens: i64,
    overage_cost: i64,
    overage_tokens: i64,
    denied: bool,
    gone: bool,
    /// Its period has ended, and the ledger has not begun the next one yet.
    ended: bool,
}

impl AccountRow {
    fn purse(self) -> Purse {
        let stored = Account {
            limit: Limit { cost: self.limit_cost.map(MicroUsd), tokens: self.limit_tokens },
            granted: Amount::new(self.granted_cost, self.granted_tokens),
            spent: Amount::new(self.spent_cost, self.spent_tokens),
            reserved: Amount::new(self.reserved_cost, self.reserved_tokens),
            overage: Amount::new(self.overage_cost, self.overage_tokens),
            committed_at_edit: Amount::ZERO,
        };
        // A refusal counts for the period in which it was given.
        let refused = self.on_exhausted == "Ask" && self.denied && !self.ended;
        Purse {
            account: if self.ended { stored.roll() } else { stored },
            fails: self.on_exhausted == "Fail" || refused,
            is_gone: self.gone,
        }
    }
}

impl Engine {
    /// Looks at the task's accounts, if its next step depends on them.
    pub(super) async fn money(&self, loaded: &Loaded, now: Timestamp) -> Result<Option<Event>, Error> {
        let (task, state) = (&loaded.task, &loaded.state);
        if !needs_money(task, state, now) {
            return Ok(None);
        }
        let path = purses(&self.pool, task.uid, now).await?;
        Ok(Some(Event::Money { ask_again: ask_again(state.held.values().map(|held| &held.call), &path) }))
    }
}

/// The accounts a task is paid from, root first. One that is not there pays for nothing, as for the ledger.
async fn purses(pool: &PgPool, task: Uuid, now: Timestamp) -> Result<Vec<Purse>, Error> {
    let rows: Vec<AccountRow> = sqlx::query_as(
        "SELECT coalesce(a.on_exhausted, 'Pause') AS on_exhausted, a.limit_cost, a.limit_tokens,
                coalesce(a.granted_cost, 0) AS granted_cost, coalesce(a.granted_tokens, 0) AS granted_tokens,
                coalesce(a.spent_cost, 0) AS spent_cost, coalesce(a.spent_tokens, 0) AS spent_tokens,
                coalesce(a.reserved_cost, 0) AS reserved_cost, coalesce(a.reserved_tokens, 0) AS reserved_tokens,
                coalesce(a.overage_cost, 0) AS overage_cost, coalesce(a.overage_tokens, 0) AS overage_tokens,
                a.denied IS NOT NULL AS denied, a.account_uid IS NULL OR a.deleted_at IS NOT NULL AS gone,
                coalesce(a.period_end <= $2::timestamptz, false) AS ended
         FROM task_accounts p CROSS JOIN LATERAL unnest(p.path) WITH ORDINALITY AS step(uid, place)
              LEFT JOIN accounts a ON a.account_uid = step.uid
         WHERE p.task_uid = $1 ORDER BY step.place",
    )
    .bind(task)
    .bind(now.to_string())
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(AccountRow::purse).collect())
}
