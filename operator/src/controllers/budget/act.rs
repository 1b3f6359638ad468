//! The account's row, what it stands at, and the question about it. One transaction: a crash leaves all or nothing.

use super::ask::{Asking, Step, step};
use super::report::{AMOUNTS, current};
use crate::context::Context;
use crate::error::Error;
use golden_crds::Budget;
use golden_crds::conditions::{ANSWERED, find};
use golden_platform::budget_questions::{self as questions, Closed, Question};
use golden_platform::ledger_accounts::{Balance, BudgetAccount, balance, lock_balance, upsert_budget};
use golden_platform::showback::{self, Spender};
use jiff::Timestamp;
use sqlx::PgConnection;
use std::time::Duration;

/// What an account stands at.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) balance: Balance,
    /// What a person is asked.
    pub(super) open: Option<Question>,
    /// What was last answered, or not in time.
    pub(super) last: Option<Closed>,
    /// Who spent it, where that was read.
    pub(super) spenders: Option<Vec<Spender>>,
}

/// How often it is read who spends a budget: that reads every call of its period.
const SPENDERS: Duration = Duration::from_mins(1);

/// Writes the account if it differs, puts or closes its question, and reads what it stands at.
pub(super) async fn act(
    budget: &Budget,
    account: Option<&BudgetAccount>,
    ctx: &Context,
) -> Result<Option<Standing>, Error> {
    let Some(account) = account else { return Ok(None) };
    let work = async {
        let mut tx = ctx.pool.begin().await?;
        upsert_budget(&mut tx, account).await?;
        let (mut open, mut last) = (None, None);
        if asks_or_asked(budget, account) {
            ask(&mut tx, budget, account).await?;
            open = questions::open(&mut tx, account.uid).await?;
            last = questions::last(&mut tx, account.uid).await?;
        }
        let balance = balance(&mut tx, account.uid).await?;
        tx.commit().await?;
        Ok(balance.map(|balance| Standing { balance, open, last, spenders: None }))
    };
    let stood = work.await.map_err(|e: sqlx::Error| {
        Error::database(format!("write the account of budget {}", account.name), &e)
    })?;
    let Some(mut stood) = stood else { return Ok(None) };
    stood.spenders = spenders(budget, account, &stood.balance, ctx).await;
    Ok(Some(stood))
}

/// Read when something was spent since, and not too often after it was shown. Showing it late is no reason to fail.
async fn spenders(
    budget: &Budget,
    account: &BudgetAccount,
    balance: &Balance,
    ctx: &Context,
) -> Option<Vec<Spender>> {
    let shown = budget.status.as_ref().and_then(|status| status.spent_by.as_ref());
    let spent = current(balance, Timestamp::now()).spent_cost;
    let uid = account.uid.to_string();
    // What cannot be written now is not read.
    let due = ctx.budgets_written.due(&uid, 0, AMOUNTS) && ctx.spenders_read.due(&uid, 0, SPENDERS);
    if shown.map_or(0, |shown| shown.micro_usd) == spent || !due {
        return None;
    }
    ctx.spenders_read.done(&uid, 0);
    let read = showback::spenders(&ctx.pool, &account.namespace, &account.name).await;
    read.inspect_err(|error| tracing::warn!(%error, budget = account.name, "who spends a budget")).ok()
}

/// Of most budgets nobody was ever asked anything.
fn asks_or_asked(budget: &Budget, account: &BudgetAccount) -> bool {
    account.on_exhausted == "Ask"
        || budget
            .status
            .as_ref()
            .is_some_and(|s| s.question.is_some() || find(&s.conditions, ANSWERED).is_some())
}

async fn ask(conn: &mut PgConnection, budget: &Budget, account: &BudgetAccount) -> Result<(), sqlx::Error> {
    let name = format!("Budget {}/{}", account.namespace, account.name);
    let waiting = questions::waiting(conn, account.uid, &name).await?;
    if waiting.is_empty() && questions::open(conn, account.uid).await?.is_none() {
        return Ok(());
    }
    let Some(balance) = lock_balance(conn, account.uid).await? else { return Ok(()) };
    let grants = questions::grants(conn, account.uid, balance.period_start_us).await?;
    let mut open = questions::open(conn, account.uid).await?;
    // A question that ended may leave calls that wait in the period that began: that is another one.
    for _ in 0..2 {
        let at = Asking { budget, balance: &balance, waiting: &waiting, open: open.as_ref(), grants };
        match step(&at, Timestamp::now()) {
            Step::Keep => break,
            Step::Put(question) => {
                questions::put(conn, account.uid, &question).await?;
                break;
            }
            Step::Close(outcome) => questions::close(conn, account.uid, outcome).await?,
            Step::Expire(words) => {
                questions::expire(conn, account.uid, &words).await?;
                break;
            }
        }
        open = None;
    }
    Ok(())
}
