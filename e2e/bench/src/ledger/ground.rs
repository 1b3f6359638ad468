//! A database of its own for each arm, with the accounts it needs.

use anyhow::Result;
use golden_cluster::services::Postgres;
use golden_platform::db;
use golden_platform::ledger_accounts::{BudgetAccount, set_path, upsert_budget};
use sqlx::{AssertSqlSafe, PgPool};
use std::sync::Arc;
use uuid::Uuid;

/// More than any arm spends.
pub(crate) const PLENTY: i64 = 1 << 50;

pub(crate) struct Ground {
    pub(crate) pool: PgPool,
    pub(crate) team: Uuid,
}

/// An empty database, alone on its server. What earlier arms wrote is on the disk or gone before the next begins, so
/// that no arm, and no recovery, pays for another.
pub(crate) fn fresh(server: &Postgres) -> Result<String> {
    for earlier in server.execute("SELECT datname FROM pg_database WHERE datname LIKE 'test%'")?.lines() {
        server.execute(&format!("DROP DATABASE {earlier} WITH (FORCE)"))?;
    }
    server.execute("CHECKPOINT")?;
    server.create_database()
}

impl Ground {
    /// `connections`: of the ledger's own number for ours, one for each caller of the others.
    pub(crate) async fn new(server: &Arc<Postgres>, connections: u32) -> Result<Self> {
        let own = Arc::clone(server);
        let url = tokio::task::spawn_blocking(move || fresh(&own)).await??;
        db::migrate_with(&url, None).await?;
        Ok(Self { pool: db::connect(&url, connections)?, team: Uuid::new_v4() })
    }

    /// A statement that takes no values: tables of the arms that are not ours.
    pub(crate) async fn ddl(&self, statement: String) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&self.pool).await?;
        Ok(())
    }

    /// Makes or edits a Budget of this limit.
    pub(crate) async fn budget(&self, uid: Uuid, parent_uid: Option<Uuid>, limit: i64) -> Result<Uuid> {
        let account = BudgetAccount {
            uid,
            team_uid: None,
            namespace: "bench".into(),
            name: uid.to_string(),
            parent_uid,
            on_exhausted: "Pause".into(),
            limit_cost: Some(limit),
            limit_tokens: None,
            period: "Total".into(),
            time_zone: "UTC".into(),
        };
        upsert_budget(&mut *self.pool.acquire().await?, &account).await?;
        Ok(uid)
    }

    /// A task that is paid from these accounts, root first.
    pub(crate) async fn task(&self, path: &[Uuid]) -> Result<Uuid> {
        let task = Uuid::new_v4();
        set_path(&mut *self.pool.acquire().await?, task, self.team, path).await?;
        Ok(task)
    }

    /// Sixteen tasks that share one budget.
    pub(crate) async fn hot(&self) -> Result<(Uuid, Vec<Uuid>)> {
        let budget = self.budget(Uuid::new_v4(), None, PLENTY).await?;
        let mut tasks = vec![];
        for _ in 0..16 {
            tasks.push(self.task(&[budget]).await?);
        }
        Ok((budget, tasks))
    }

    /// One root, eight children, sixty-four leaves, a task under each leaf.
    pub(crate) async fn tree(&self) -> Result<Vec<Uuid>> {
        let root = self.budget(Uuid::new_v4(), None, PLENTY).await?;
        let mut tasks = vec![];
        for _ in 0..8 {
            let child = self.budget(Uuid::new_v4(), Some(root), PLENTY).await?;
            for _ in 0..8 {
                let leaf = self.budget(Uuid::new_v4(), Some(child), PLENTY).await?;
                tasks.push(self.task(&[root, child, leaf]).await?);
            }
        }
        Ok(tasks)
    }

    /// So many budgets, each with a task: made in two statements, since each edit alone is a commit.
    pub(crate) async fn many(&self, count: i32) -> Result<Vec<Uuid>> {
        let budgets: Vec<Uuid> = (0..count).map(|_| Uuid::new_v4()).collect();
        let tasks: Vec<Uuid> = budgets.iter().map(|_| Uuid::new_v4()).collect();
        sqlx::query(
            "INSERT INTO accounts (account_uid, kind, namespace, name, limit_cost)
             SELECT uid, 'Budget', 'bench', uid::text, $2 FROM unnest($1::uuid[]) AS uid",
        )
        .bind(&budgets)
        .bind(PLENTY)
        .execute(&self.pool)
        .await?;
        sqlx::query(
            "INSERT INTO task_accounts (task_uid, team_uid, path)
             SELECT task, $3, ARRAY[budget] FROM unnest($1::uuid[], $2::uuid[]) AS t(task, budget)",
        )
        .bind(&tasks)
        .bind(&budgets)
        .bind(self.team)
        .execute(&self.pool)
        .await?;
        Ok(tasks)
    }
}
