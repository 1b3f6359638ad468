//! Golden with what it stands on: a database, its ledger and its gateway as processes, budgets, and tasks with pods.

use super::calls::token;
use super::child::Child;
use super::services::{GOLDEN, NAMESPACE, provider};
use super::target::Target;
use crate::ledger::audit;
use crate::ledger::ground::fresh;
use crate::report::Arm;
use anyhow::{Context as _, Result, ensure};
use golden_cluster::services::Postgres;
use golden_platform::db;
use golden_platform::ledger_accounts::{BudgetAccount, set_path, upsert_budget};
use serde_json::json;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long open calls may take to be settled once nobody calls any more.
const SETTLED: Duration = Duration::from_secs(15);

pub(crate) struct Town {
    pub(crate) pool: PgPool,
    team: Uuid,
    /// Pods that the gateway knows, and how many of them have a task.
    pods: Vec<Uuid>,
    taken: usize,
    pub(crate) gateway: Child,
    ledger: Child,
    pub(crate) target: Arc<Target>,
}

impl Town {
    /// `redis`: where there is one.
    pub(crate) async fn new(
        server: &Arc<Postgres>,
        upstream: &str,
        redis: Option<&str>,
        pods: usize,
    ) -> Result<Self> {
        let own = Arc::clone(server);
        let database_url = tokio::task::spawn_blocking(move || fresh(&own)).await??;
        db::migrate_with(&database_url, None).await?;
        let pods: Vec<Uuid> = (0..pods).map(|_| Uuid::new_v4()).collect();
        let mut stores = vec!["--database-url".to_owned(), database_url.clone()];
        stores.extend(redis.into_iter().flat_map(|url| ["--redis-url".to_owned(), url.to_owned()]));
        let ledger = Child::start(&[&["ledger".to_owned()], &stores[..]].concat()).await?;
        let mut args = [&["gateway".to_owned()], &stores[..]].concat();
        args.extend([
            "--ledger-url".to_owned(),
            ledger.url.clone(),
            "--upstream".to_owned(),
            upstream.to_owned(),
        ]);
        args.extend(pods.iter().flat_map(|pod| ["--pod".to_owned(), pod.to_string()]));
        let gateway = Child::start(&args).await?;
        Ok(Self {
            pool: db::connect(&database_url, 2)?,
            team: Uuid::new_v4(),
            pods,
            taken: 0,
            target: Arc::new(Target::new(&gateway.url)),
            gateway,
            ledger,
        })
    }

    /// A budget that refuses what it cannot pay at once.
    pub(crate) async fn budget(&self, limit: i64) -> Result<Uuid> {
        let uid = Uuid::new_v4();
        let account = BudgetAccount {
            uid,
            team_uid: None,
            namespace: NAMESPACE.into(),
            name: uid.to_string(),
            parent_uid: None,
            on_exhausted: "Fail".into(),
            limit_cost: Some(limit),
            limit_tokens: None,
            period: "Total".into(),
            time_zone: "UTC".into(),
        };
        upsert_budget(&mut *self.pool.acquire().await?, &account).await?;
        Ok(uid)
    }

    /// A task that is paid from the budget; its pod's token.
    pub(crate) async fn task(&mut self, budget: Uuid) -> Result<String> {
        self.task_with(budget, &provider(self.taken)).await
    }

    /// The same, with its model from this provider.
    pub(crate) async fn task_with(&mut self, budget: Uuid, provider: &str) -> Result<String> {
        let (task, number) = (Uuid::new_v4(), self.taken);
        let pod = *self.pods.get(number).context("no pod is left")?;
        self.taken += 1;
        let binding = json!({"namespace": GOLDEN, "provider": provider, "model": "standard"});
        sqlx::query(
            "INSERT INTO tasks (task_uid, team_uid, namespace, name, submitted_by, spec, policy, models, state,
                                view, stage, version)
             VALUES ($1, $2, $3, $4, 'bench', '{}', '{}', $5, '{}', '{}', 'Producing', 1)",
        )
        .bind(task)
        .bind(self.team)
        .bind(NAMESPACE)
        .bind(format!("task-{number}"))
        .bind(json!({"role:developer": binding}))
        .execute(&self.pool)
        .await?;
        sqlx::query(
            "INSERT INTO desired (namespace, name, team_uid, task_uid, kind, attempt, try, spec, object_uid)
             VALUES ($1, $2, $3, $4, 'AttemptPod', 1, 1, $5, $6)",
        )
        .bind(NAMESPACE)
        .bind(format!("pod-{number}"))
        .bind(self.team)
        .bind(task)
        .bind(json!({"role": "developer"}))
        .bind(pod)
        .execute(&self.pool)
        .await?;
        set_path(&mut *self.pool.acquire().await?, task, self.team, &[budget]).await?;
        Ok(token(pod))
    }

    /// What is spent of a budget.
    pub(crate) async fn spent(&self, budget: Uuid) -> Result<i64> {
        let spent = "SELECT spent_cost FROM accounts WHERE account_uid = $1";
        Ok(sqlx::query_scalar(spent).bind(budget).fetch_one(&self.pool).await?)
    }

    /// Waits until every call is settled.
    pub(crate) async fn settled(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let open = "SELECT count(*) FROM reservations WHERE state IN ('Reserved', 'Dispatched')";
            let open: i64 = sqlx::query_scalar(open).fetch_one(&self.pool).await?;
            if open == 0 {
                return Ok(());
            }
            ensure!(begun.elapsed() < SETTLED, "{open} calls are not settled after {SETTLED:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the rows say against what callers were answered: money over a limit, accounts that are not the sum of
    /// their calls, answers without a settlement.
    pub(crate) async fn audit(&self, answered: u64, arm: &mut Arm) -> Result<()> {
        // What is not settled by now is lost, not an error of the measurement.
        let _ = self.settled().await;
        let settled = "SELECT count(*) FROM reservations WHERE state = 'Settled' AND input_tokens > 0";
        let settled: i64 = sqlx::query_scalar(settled).fetch_one(&self.pool).await?;
        let answered = i64::try_from(answered)?;
        arm.count("answered_calls", answered);
        arm.count("lost_settles", (answered - settled).max(0));
        audit::tell(&self.pool, arm).await
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.gateway.stop().await?;
        self.ledger.stop().await
    }
}
