//! The account's row, and what it stands at.

use crate::context::Context;
use crate::error::Error;
use golden_platform::ledger_accounts::{Balance, BudgetAccount, balance, upsert_budget};

/// Writes the account if it differs and reads its balance.
pub(crate) async fn act(account: Option<&BudgetAccount>, ctx: &Context) -> Result<Option<Balance>, Error> {
    let Some(account) = account else { return Ok(None) };
    let work = async {
        let mut tx = ctx.pool.begin().await?;
        upsert_budget(&mut tx, account).await?;
        let balance = balance(&mut tx, account.uid).await?;
        tx.commit().await?;
        Ok(balance)
    };
    work.await.map_err(|e: sqlx::Error| {
        Error::database(format!("write the account of budget {}", account.name), &e)
    })
}
