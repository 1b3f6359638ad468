//! What the tables say after an arm: money beyond a limit, and accounts that are not the sum of their calls.

use crate::report::Arm;
use anyhow::Result;
use sqlx::PgPool;

/// How far the worst account is above what it may commit.
const OVERSPEND: &str = "
    SELECT coalesce(max(greatest(spent_cost + reserved_cost - greatest(limit_cost, committed_cost_at_edit), 0)), 0)
    FROM accounts WHERE limit_cost IS NOT NULL";

/// Accounts whose columns are not what their calls hold and have used.
const DRIFTED: &str = "
    SELECT count(*) FROM accounts
    LEFT JOIN (
        SELECT account, sum(cost) FILTER (WHERE state IN ('Reserved', 'Dispatched')) AS held,
               sum(actual_cost) AS used
        FROM reservations, unnest(path) AS account GROUP BY account
    ) AS calls ON account = account_uid
    WHERE reserved_cost <> coalesce(held, 0) OR spent_cost + overage_cost <> coalesce(used, 0)";

pub(crate) async fn tell(pool: &PgPool, arm: &mut Arm) -> Result<()> {
    let over: i64 = sqlx::query_scalar(OVERSPEND).fetch_one(pool).await?;
    let drifted: i64 = sqlx::query_scalar(DRIFTED).fetch_one(pool).await?;
    arm.count("overspend_micro_usd", over);
    arm.count("drifted_accounts", drifted);
    Ok(())
}
