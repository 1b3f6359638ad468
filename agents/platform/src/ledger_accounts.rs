//! The ledger's accounts as the operator keeps them: limits, parents and paths. Spending is the ledger's alone.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::subjects::NOTIFY_ACCOUNTS;

/// A Budget, as an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetAccount {
    /// The Budget's uid.
    pub uid: Uuid,
    /// Budgets are not a team's; set only if one ever is.
    pub team_uid: Option<Uuid>,
    pub namespace: String,
    pub name: String,
    pub parent_uid: Option<Uuid>,
    /// `Pause`, `Ask` or `Fail`.
    pub on_exhausted: String,
    /// In micro-USD.
    pub limit_cost: Option<i64>,
    pub limit_tokens: Option<i64>,
    /// `Total`, `Day`, `Week` or `Month`.
    pub period: String,
    /// A name of the IANA database.
    pub time_zone: String,
}

/// A task's own limit, as an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskAccount {
    pub task_uid: Uuid,
    pub team_uid: Uuid,
    pub namespace: String,
    pub name: String,
    pub limit_cost: Option<i64>,
    pub limit_tokens: Option<i64>,
}

/// What an account stands at.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Balance {
    pub account_uid: Uuid,
    pub limit_cost: Option<i64>,
    pub limit_tokens: Option<i64>,
    pub spent_cost: i64,
    pub reserved_cost: i64,
    pub overage_cost: i64,
    pub spent_tokens: i64,
    pub reserved_tokens: i64,
    pub overage_tokens: i64,
    /// What people granted beside the limits, until the period ends.
    pub granted_cost: i64,
    pub granted_tokens: i64,
    /// Who refused more for this period, in words.
    pub denied: Option<String>,
    pub version: i64,
    /// The present period, in microseconds since 1970; none before its first call.
    pub period_start_us: Option<i64>,
    pub period_end_us: Option<i64>,
}

/// Makes a Budget's account, or takes over an edit of its limits. True if anything changed.
pub async fn upsert_budget(conn: &mut PgConnection, budget: &BudgetAccount) -> Result<bool, sqlx::Error> {
    upsert(conn, budget, "Budget").await
}

/// Makes a task's own account, or takes over an edit of its limits. True if anything changed.
pub async fn upsert_task(conn: &mut PgConnection, task: &TaskAccount) -> Result<bool, sqlx::Error> {
    let account = BudgetAccount {
        uid: task.task_uid,
        team_uid: Some(task.team_uid),
        namespace: task.namespace.clone(),
        name: task.name.clone(),
        parent_uid: None,
        on_exhausted: "Pause".to_owned(),
        limit_cost: task.limit_cost,
        limit_tokens: task.limit_tokens,
        period: "Total".to_owned(),
        time_zone: "UTC".to_owned(),
    };
    upsert(conn, &account, "Task").await
}

/// An edited limit may lie below what is committed. What was committed at that moment is kept beside it, so that
/// the table's check still holds for money that was granted before; new grants are measured by the limit alone.
/// An overage, which whoever edits has seen, becomes spent (`golden_ledger::Account::edit_limit`).
const UPSERT: &str = "
INSERT INTO accounts AS a (account_uid, team_uid, kind, namespace, name, parent_uid, on_exhausted,
                           limit_cost, limit_tokens, period, time_zone)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (account_uid) DO UPDATE SET
    parent_uid = excluded.parent_uid,
    on_exhausted = excluded.on_exhausted,
    limit_cost = excluded.limit_cost,
    limit_tokens = excluded.limit_tokens,
    (spent_cost, spent_tokens, overage_cost, overage_tokens,
     committed_cost_at_edit, committed_tokens_at_edit) = (SELECT * FROM (
        SELECT a.spent_cost + a.overage_cost, a.spent_tokens + a.overage_tokens, 0, 0,
               a.spent_cost + a.overage_cost + a.reserved_cost,
               a.spent_tokens + a.overage_tokens + a.reserved_tokens
        WHERE (a.limit_cost, a.limit_tokens) IS DISTINCT FROM
              (excluded.limit_cost, excluded.limit_tokens)
        UNION ALL
        SELECT a.spent_cost, a.spent_tokens, a.overage_cost, a.overage_tokens,
               a.committed_cost_at_edit, a.committed_tokens_at_edit
        WHERE (a.limit_cost, a.limit_tokens) IS NOT DISTINCT FROM
              (excluded.limit_cost, excluded.limit_tokens)) AS edited),
    period = excluded.period,
    time_zone = excluded.time_zone,
    -- Another period begins with what is spent now; its first end clears that.
    (period_start, period_end) = (SELECT * FROM (
        SELECT a.period_start, a.period_end
        WHERE (a.period, a.time_zone) = (excluded.period, excluded.time_zone)
        UNION ALL
        SELECT NULL, NULL
        WHERE (a.period, a.time_zone) <> (excluded.period, excluded.time_zone)) AS span),
    -- Other limits are an answer of their own: whoever was refused under the old ones is not any more.
    denied = CASE WHEN (a.limit_cost, a.limit_tokens) IS NOT DISTINCT FROM
                       (excluded.limit_cost, excluded.limit_tokens) THEN a.denied END,
    deleted_at = NULL,
    version = a.version + 1
WHERE (a.parent_uid, a.on_exhausted, a.limit_cost, a.limit_tokens, a.period, a.time_zone, a.deleted_at)
      IS DISTINCT FROM
      (excluded.parent_uid, excluded.on_exhausted, excluded.limit_cost, excluded.limit_tokens,
       excluded.period, excluded.time_zone, NULL::timestamptz)";

async fn upsert(conn: &mut PgConnection, account: &BudgetAccount, kind: &str) -> Result<bool, sqlx::Error> {
    let changed = sqlx::query(UPSERT)
        .bind(account.uid)
        .bind(account.team_uid)
        .bind(kind)
        .bind(&account.namespace)
        .bind(&account.name)
        .bind(account.parent_uid)
        .bind(&account.on_exhausted)
        .bind(account.limit_cost)
        .bind(account.limit_tokens)
        .bind(&account.period)
        .bind(&account.time_zone)
        .execute(&mut *conn)
        .await?
        .rows_affected()
        == 1;
    if changed {
        crate::facts::notify(conn, NOTIFY_ACCOUNTS, account.uid).await?;
    }
    Ok(changed)
}

/// Fixes the accounts a task is paid from, root first, its own last. The first call counts: what a task is paid
/// from does not change while it runs. Returns the path that holds.
pub async fn set_path(
    conn: &mut PgConnection,
    task_uid: Uuid,
    team_uid: Uuid,
    path: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query(
        "INSERT INTO task_accounts (task_uid, team_uid, path) VALUES ($1, $2, $3)
         ON CONFLICT (task_uid) DO NOTHING",
    )
    .bind(task_uid)
    .bind(team_uid)
    .bind(path)
    .execute(&mut *conn)
    .await?;
    sqlx::query_scalar("SELECT path FROM task_accounts WHERE task_uid = $1")
        .bind(task_uid)
        .fetch_one(conn)
        .await
}

/// The Budget is gone: no new reservation is granted from it and nobody is asked for more; what it paid stays on record.
/// Held calls are told, all of them: one may be paid from it and wait for another account. True if it was there.
pub async fn mark_deleted(conn: &mut PgConnection, uid: Uuid) -> Result<bool, sqlx::Error> {
    let closed = sqlx::query(
        "WITH withdrawn AS (
             UPDATE budget_questions SET outcome = 'Withdrawn', closed_at = now()
             WHERE account_uid = $1 AND outcome IS NULL),
         closed AS (
             UPDATE accounts SET deleted_at = now(), version = version + 1
             WHERE account_uid = $1 AND deleted_at IS NULL RETURNING 1)
         SELECT pg_notify($2, $3) FROM closed",
    )
    .bind(uid)
    .bind(NOTIFY_ACCOUNTS)
    .bind(Uuid::nil().to_string())
    .fetch_optional(conn)
    .await?;
    Ok(closed.is_some())
}

/// The columns of [`Balance`], with a clause behind them.
macro_rules! balances {
    ($clause:literal) => {
        concat!(
            "SELECT account_uid, limit_cost, limit_tokens, spent_cost, reserved_cost, overage_cost, spent_tokens,
                    reserved_tokens, overage_tokens, granted_cost, granted_tokens, denied, version,
                    (extract(epoch FROM period_start) * 1000000)::bigint AS period_start_us,
                    (extract(epoch FROM period_end) * 1000000)::bigint AS period_end_us
             FROM accounts WHERE account_uid = $1 ",
            $clause
        )
    };
}

/// What an account stands at, if it exists.
pub async fn balance(conn: &mut PgConnection, uid: Uuid) -> Result<Option<Balance>, sqlx::Error> {
    sqlx::query_as(balances!("")).bind(uid).fetch_optional(conn).await
}

/// [`balance`], locked until the transaction ends: the ledger moves no money on it meanwhile.
pub async fn lock_balance(conn: &mut PgConnection, uid: Uuid) -> Result<Option<Balance>, sqlx::Error> {
    sqlx::query_as(balances!("FOR UPDATE")).bind(uid).fetch_optional(conn).await
}
