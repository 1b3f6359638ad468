//! A ledger with accounts of its own, on a shared server.

use std::sync::OnceLock;
use std::time::Duration;

use golden_cluster::services::Postgres;
use golden_ledger_service::{Leases, Ledger};
use golden_platform::db;
use golden_platform::ledger_accounts::{
    Balance, BudgetAccount, TaskAccount, balance, set_path, upsert_budget, upsert_task,
};
use golden_platform::wire::{ReserveAnswer, ReserveRequest, SettleRequest};
use sqlx::PgPool;
use uuid::Uuid;

pub(crate) fn postgres() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(|| Postgres::start().unwrap())
}

pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) pool: PgPool,
    pub(crate) url: String,
    pub(crate) team: Uuid,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(postgres(), Leases::default()).await
    }

    pub(crate) async fn on(server: &Postgres, leases: Leases) -> Self {
        let url = server.create_database().unwrap();
        db::migrate_with(&url, None).await.unwrap();
        let pool = db::connect(&url, db::POOL_SIZE).unwrap();
        Self { ledger: Ledger::new(pool.clone(), leases), pool, url, team: Uuid::new_v4() }
    }

    /// A Budget with a limit, under a parent. Edits it if it exists.
    pub(crate) async fn budget(&self, uid: Uuid, parent_uid: Option<Uuid>, limit_cost: Option<i64>) -> Uuid {
        let account = BudgetAccount {
            uid,
            team_uid: None,
            namespace: "shop".into(),
            name: "monthly".into(),
            parent_uid,
            on_exhausted: "Pause".into(),
            limit_cost,
            limit_tokens: None,
            period: "Total".into(),
            time_zone: "UTC".into(),
        };
        upsert_budget(&mut self.pool.acquire().await.unwrap(), &account).await.unwrap();
        uid
    }

    /// A task with a limit of its own, paid from these accounts.
    pub(crate) async fn task(&self, budgets: &[Uuid], limit_cost: Option<i64>) -> Uuid {
        let (task_uid, team_uid) = (Uuid::new_v4(), self.team);
        self.limit(task_uid, limit_cost).await;
        let mut conn = self.pool.acquire().await.unwrap();
        let path: Vec<Uuid> = budgets.iter().copied().chain([task_uid]).collect();
        set_path(&mut conn, task_uid, team_uid, &path).await.unwrap();
        task_uid
    }

    /// A task's own limit.
    pub(crate) async fn limit(&self, task_uid: Uuid, limit_cost: Option<i64>) {
        let (namespace, name) = ("shop".to_owned(), "task".to_owned());
        let account =
            TaskAccount { task_uid, team_uid: self.team, namespace, name, limit_cost, limit_tokens: None };
        upsert_task(&mut self.pool.acquire().await.unwrap(), &account).await.unwrap();
    }

    pub(crate) async fn balance(&self, uid: Uuid) -> Balance {
        balance(&mut self.pool.acquire().await.unwrap(), uid).await.unwrap().unwrap()
    }

    /// Spent, reserved and overage in micro-USD.
    pub(crate) async fn money(&self, uid: Uuid) -> (i64, i64, i64) {
        let now = self.balance(uid).await;
        (now.spent_cost, now.reserved_cost, now.overage_cost)
    }

    pub(crate) async fn reserve(&self, task: Uuid, key: &str, cost: i64) -> ReserveAnswer {
        self.ledger.reserve(&request(self.team, task, key, cost)).await.unwrap()
    }

    /// Spent and held, by the reservations.
    pub(crate) async fn sums(&self) -> (i64, i64) {
        sqlx::query_as(
            "SELECT coalesce(sum(actual_cost), 0)::bigint,
                    coalesce(sum(cost) FILTER (WHERE state IN ('Reserved', 'Dispatched')), 0)::bigint
             FROM reservations",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    pub(crate) async fn state(&self, key: &str) -> String {
        sqlx::query_scalar("SELECT state FROM reservations WHERE op_key = $1")
            .bind(key)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

pub(crate) fn request(team: Uuid, task: Uuid, key: &str, cost: i64) -> ReserveRequest {
    ReserveRequest {
        op_key: key.into(),
        request_hash: format!("sha256:{key}"),
        team_uid: team,
        task_uid: task,
        try_uid: None,
        attempt: 1,
        role: "developer".into(),
        provider: "golden-system/models".into(),
        model: "m".into(),
        prompt_digest: "sha256:p".into(),
        cost_micro_usd: cost,
        tokens: cost,
        dispatch: false,
        least: None,
    }
}

pub(crate) fn settlement(key: &str, cost: i64) -> SettleRequest {
    SettleRequest {
        op_key: key.into(),
        cost_micro_usd: cost,
        input_tokens: cost,
        output_tokens: 0,
        latency_ms: 5,
    }
}

pub(crate) fn granted(state: &str) -> ReserveAnswer {
    ReserveAnswer::Granted { state: state.into(), bound: None }
}

/// Leases that end as soon as they begin.
pub(crate) const NO_LEASE: Leases = Leases { reserved: Duration::ZERO, dispatched: Duration::ZERO };

/// As if the account's period had ended a second ago.
pub(crate) async fn midnight(world: &World, uid: Uuid) {
    sqlx::query(
        "UPDATE accounts SET period_start = period_start - interval '1 day', period_end = now() - interval '1 second'
         WHERE account_uid = $1 AND period_end IS NOT NULL",
    )
    .bind(uid)
    .execute(&world.pool)
    .await
    .unwrap();
}
