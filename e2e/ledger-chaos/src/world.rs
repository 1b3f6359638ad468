//! A Postgres and a Redis of its own, the accounts, and what stands in the tables in the end.

use crate::amount::{Amount, Both, Limit};
use crate::check::Rows;
use crate::history::{Books, Row, State};
use anyhow::{Context as _, Result};
use golden_cluster::services::{Postgres, Redis};
use golden_platform::db;
use golden_platform::ledger_accounts::{
    Balance, BudgetAccount, TaskAccount, balance, set_path, upsert_budget, upsert_task,
};
use sqlx::PgPool;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// A root, two budgets under it, four tasks: each task's accounts, root first. Account 3 + t is task t's own.
pub const PATHS: [&[usize]; 4] = [&[0, 1, 3], &[0, 1, 4], &[0, 2, 5], &[0, 6]];
pub const ACCOUNTS: usize = 7;
const BUDGETS: usize = 3;
/// What every account may spend at the begin: so many micro-dollars, and so many tokens.
pub const FIRST_LIMIT: i64 = 20_000;

pub struct World {
    pub server: Arc<Postgres>,
    pub redis: Arc<Redis>,
    /// What was found in Redis before it was last stopped.
    hits: AtomicU64,
    pub url: String,
    pub pool: PgPool,
    pub team: Uuid,
    pub accounts: [Uuid; ACCOUNTS],
}

impl World {
    pub async fn new() -> Result<Self> {
        let server = Arc::new(tokio::task::spawn_blocking(Postgres::start).await??);
        Self::on(server).await
    }

    pub async fn on(server: Arc<Postgres>) -> Result<Self> {
        let redis = Arc::new(tokio::task::spawn_blocking(Redis::start).await??);
        let own = Arc::clone(&server);
        let url = tokio::task::spawn_blocking(move || own.create_database()).await??;
        db::migrate_with(&url, None).await?;
        let pool = db::connect(&url, db::POOL_SIZE)?;
        let accounts = std::array::from_fn(|_| Uuid::new_v4());
        let hits = AtomicU64::new(0);
        let world = Self { server, redis, hits, url, pool, team: Uuid::new_v4(), accounts };
        for account in 0..ACCOUNTS {
            world.edit(account, Both::same(Some(FIRST_LIMIT))).await?;
        }
        for (task, path) in PATHS.iter().enumerate() {
            let path: Vec<Uuid> = path.iter().map(|at| world.accounts[*at]).collect();
            set_path(&mut *world.pool.acquire().await?, world.task(task), world.team, &path).await?;
        }
        Ok(world)
    }

    pub fn task(&self, task: usize) -> Uuid {
        self.accounts[BUDGETS + task]
    }

    /// As the operator edits a Budget, or a task's limits.
    pub async fn edit(&self, at: usize, limit: Limit) -> Result<()> {
        let Limit { cost: limit_cost, tokens: limit_tokens } = limit;
        let (uid, namespace, name) = (self.accounts[at], "chaos".to_owned(), format!("account-{at}"));
        let mut conn = self.pool.acquire().await?;
        if at < BUDGETS {
            let parent_uid = (at > 0).then(|| self.accounts[0]);
            let on_exhausted = "Pause".into();
            let account = BudgetAccount {
                uid,
                team_uid: None,
                namespace,
                name,
                parent_uid,
                on_exhausted,
                limit_cost,
                limit_tokens,
                period: "Total".into(),
                time_zone: "UTC".into(),
            };
            upsert_budget(&mut conn, &account).await?;
        } else {
            let (task_uid, team_uid) = (uid, self.team);
            let account = TaskAccount { task_uid, team_uid, namespace, name, limit_cost, limit_tokens };
            upsert_task(&mut conn, &account).await?;
        }
        Ok(())
    }

    pub async fn balance(&self, at: usize) -> Result<Balance> {
        balance(&mut *self.pool.acquire().await?, self.accounts[at]).await?.context("an account is gone")
    }

    /// Adds what was found in Redis since it was started.
    pub async fn note_hits(&self) -> Result<()> {
        let redis = Arc::clone(&self.redis);
        let found = tokio::task::spawn_blocking(move || redis.hits()).await??;
        self.hits.fetch_add(found, Ordering::Relaxed);
        Ok(())
    }

    /// How often a service found something in Redis, as noted.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Calls whose end is still to come.
    pub async fn open(&self) -> Result<i64> {
        let count = "SELECT count(*) FROM reservations WHERE state IN ('Reserved', 'Dispatched')";
        Ok(sqlx::query_scalar(count).fetch_one(&self.pool).await?)
    }

    pub async fn rows(&self) -> Result<Rows> {
        let rows: Vec<ReservationRow> = sqlx::query_as(
            "SELECT op_key, state, cost, tokens, actual_cost, input_tokens + output_tokens AS actual_tokens
             FROM reservations",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(ReservationRow::read).collect()
    }

    pub async fn books(&self) -> Result<Vec<Books>> {
        let rows: Vec<AccountRow> = sqlx::query_as(
            "SELECT limit_cost, spent_cost, reserved_cost, overage_cost, committed_cost_at_edit,
                    limit_tokens, spent_tokens, reserved_tokens, overage_tokens, committed_tokens_at_edit
             FROM accounts WHERE account_uid = ANY($1) ORDER BY array_position($1, account_uid)",
        )
        .bind(self.accounts)
        .fetch_all(&self.pool)
        .await?;
        anyhow::ensure!(rows.len() == ACCOUNTS, "{} accounts are left of {ACCOUNTS}", rows.len());
        Ok(rows.into_iter().map(AccountRow::read).collect())
    }
}

#[derive(sqlx::FromRow)]
struct ReservationRow {
    op_key: String,
    state: String,
    cost: i64,
    tokens: i64,
    actual_cost: Option<i64>,
    actual_tokens: Option<i64>,
}

impl ReservationRow {
    fn read(self) -> Result<(String, Row)> {
        let (key, state) = (self.op_key, self.state);
        let state = State::parse(&state).with_context(|| format!("{key} has the state {state}"))?;
        let bound = Amount { cost: self.cost, tokens: self.tokens };
        let actual = Both { cost: self.actual_cost, tokens: self.actual_tokens };
        Ok((key, Row { state, bound, actual }))
    }
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    limit_cost: Option<i64>,
    spent_cost: i64,
    reserved_cost: i64,
    overage_cost: i64,
    committed_cost_at_edit: i64,
    limit_tokens: Option<i64>,
    spent_tokens: i64,
    reserved_tokens: i64,
    overage_tokens: i64,
    committed_tokens_at_edit: i64,
}

impl AccountRow {
    fn read(self) -> Books {
        Books {
            limit: Both { cost: self.limit_cost, tokens: self.limit_tokens },
            spent: Both { cost: self.spent_cost, tokens: self.spent_tokens },
            reserved: Both { cost: self.reserved_cost, tokens: self.reserved_tokens },
            overage: Both { cost: self.overage_cost, tokens: self.overage_tokens },
            committed_at_edit: Both {
                cost: self.committed_cost_at_edit,
                tokens: self.committed_tokens_at_edit,
            },
        }
    }
}
