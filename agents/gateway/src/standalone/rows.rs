//! What stands in the database for one configuration: a budget, a task paid from it, and the one try that works on the
//! task. Their uids are made from names alone, so that a restart goes on with what is spent.

use super::config::{BudgetConfig, Config, NAMESPACE, TaskConfig};
use golden_platform::ledger_accounts::{BudgetAccount, TaskAccount, set_path, upsert_budget, upsert_task};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// The role of every call.
const ROLE: &str = "agent";

/// Who is who.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uids {
    team: Uuid,
    pub(super) budget: Uuid,
    pub(super) task: Uuid,
    /// In a cluster this is a pod's.
    pub(super) r#try: Uuid,
}

impl Uids {
    /// A task is of its budget: what a task is paid from never changes.
    pub(super) fn of(budget: &BudgetConfig, task: &TaskConfig) -> Self {
        let uid = |parts: &[&str]| {
            let name = format!("golden-gateway/{NAMESPACE}/{}", parts.join("/"));
            Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
        };
        Self {
            team: uid(&["team"]),
            budget: uid(&["budget", &budget.name]),
            task: uid(&["budget", &budget.name, "task", &task.name]),
            r#try: uid(&["budget", &budget.name, "task", &task.name, "try"]),
        }
    }
}

/// Writes all of it, or nothing. Again changes nothing but what the file says anew.
pub(super) async fn write(pool: &PgPool, config: &Config, uids: Uids) -> anyhow::Result<()> {
    let mut transaction = pool.begin().await?;
    limits(&mut transaction, &config.budget, &config.task, uids).await?;
    let path = [uids.budget, uids.task];
    let holds = set_path(&mut transaction, uids.task, uids.team, &path).await?;
    anyhow::ensure!(
        holds == path,
        "task {} is paid from other accounts: give it another name",
        config.task.name
    );
    task(&mut transaction, config, uids).await?;
    transaction.commit().await?;
    Ok(())
}

/// Takes the limits over; held calls hear of it.
pub(super) async fn limits(
    connection: &mut PgConnection,
    budget: &BudgetConfig,
    task: &TaskConfig,
    uids: Uids,
) -> Result<(), sqlx::Error> {
    let on_exhausted = if budget.pauses { "Pause" } else { "Fail" };
    let account = BudgetAccount {
        uid: uids.budget,
        team_uid: None,
        namespace: NAMESPACE.to_owned(),
        name: budget.name.clone(),
        parent_uid: None,
        on_exhausted: on_exhausted.to_owned(),
        limit_cost: budget.limits.cost,
        limit_tokens: budget.limits.tokens,
        period: budget.period.to_owned(),
        time_zone: budget.time_zone.clone(),
    };
    upsert_budget(connection, &account).await?;
    let account = TaskAccount {
        task_uid: uids.task,
        team_uid: uids.team,
        namespace: NAMESPACE.to_owned(),
        name: task.name.clone(),
        limit_cost: task.limits.cost,
        limit_tokens: task.limits.tokens,
    };
    upsert_task(connection, &account).await?;
    // A cluster's task always pauses. Here the file's one word counts for both.
    sqlx::query("UPDATE accounts SET on_exhausted = $2 WHERE account_uid = $1")
        .bind(uids.task)
        .bind(on_exhausted)
        .execute(connection)
        .await
        .map(drop)
}

/// The task and the try that the gateway knows its callers by.
async fn task(connection: &mut PgConnection, config: &Config, uids: Uids) -> Result<(), sqlx::Error> {
    // For whoever reads the row: which model answers is decided for each call.
    let models = json!({format!("role:{ROLE}"): config.models.first()});
    sqlx::query(
        "INSERT INTO tasks (task_uid, team_uid, namespace, name, submitted_by, spec, policy, models, state,
                            view, stage, version)
         VALUES ($1, $2, $3, $4, 'golden gateway', '{}', '{}', $5, '{}', '{}', 'Producing', 1)
         ON CONFLICT (task_uid) DO UPDATE SET models = excluded.models",
    )
    .bind(uids.task)
    .bind(uids.team)
    .bind(NAMESPACE)
    .bind(&config.task.name)
    .bind(models)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO desired (namespace, name, team_uid, task_uid, kind, attempt, try, spec, object_uid)
         VALUES ($1, $2, $3, $4, 'AttemptPod', 1, 1, $5, $6) ON CONFLICT (namespace, name) DO NOTHING",
    )
    .bind(NAMESPACE)
    .bind(uids.r#try.to_string())
    .bind(uids.team)
    .bind(uids.task)
    .bind(json!({"role": ROLE}))
    .bind(uids.r#try)
    .execute(connection)
    .await
    .map(drop)
}

/// What the budget stands at. A period that has ended counts as begun anew, as the next call will find it.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Standing {
    pub(super) name: String,
    pub(super) period: String,
    pub(super) on_exhausted: String,
    pub(super) limit_cost: Option<i64>,
    pub(super) limit_tokens: Option<i64>,
    pub(super) spent_cost: i64,
    pub(super) spent_tokens: i64,
    pub(super) reserved_cost: i64,
    pub(super) reserved_tokens: i64,
    /// In RFC 3339; none before the first call of a period.
    pub(super) period_ends_at: Option<String>,
    /// The database's clock, to tell later calls from earlier ones.
    pub(super) now_us: i64,
}

/// Looks at the budget.
pub(super) async fn standing(pool: &PgPool, uids: Uids) -> Result<Standing, sqlx::Error> {
    sqlx::query_as(
        "SELECT name, period, on_exhausted, limit_cost, limit_tokens, reserved_cost, reserved_tokens,
                CASE WHEN period_end <= now() THEN 0 ELSE spent_cost END AS spent_cost,
                CASE WHEN period_end <= now() THEN 0 ELSE spent_tokens END AS spent_tokens,
                CASE WHEN period_end > now() THEN to_json(period_end)#>>'{}' END AS period_ends_at,
                (extract(epoch FROM now()) * 1000000)::bigint AS now_us
         FROM accounts WHERE account_uid = $1",
    )
    .bind(uids.budget)
    .fetch_one(pool)
    .await
}

/// What calls spent since a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Spent {
    pub(super) calls: i64,
    pub(super) cost: i64,
    pub(super) input_tokens: i64,
    pub(super) output_tokens: i64,
    /// Calls among them that are charged at their bound: nobody saw their end.
    pub(super) unknown: i64,
    /// Calls under way.
    pub(super) open: i64,
}

/// Adds up the calls of the task that ended since `since_us`, a time of the database's clock.
pub(super) async fn spent(pool: &PgPool, uids: Uids, since_us: i64) -> Result<Spent, sqlx::Error> {
    sqlx::query_as(
        "SELECT count(*) FILTER (WHERE state = 'Unknown' OR input_tokens + output_tokens > 0) AS calls,
                coalesce(sum(actual_cost), 0)::bigint AS cost,
                coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
                coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
                count(*) FILTER (WHERE state = 'Unknown') AS unknown,
                count(*) FILTER (WHERE state IN ('Reserved', 'Dispatched')) AS open
         FROM reservations
         WHERE task_uid = $1
           AND (ended_at IS NULL OR ended_at >= to_timestamp($2::double precision / 1000000))",
    )
    .bind(uids.task)
    .bind(since_us)
    .fetch_one(pool)
    .await
}
