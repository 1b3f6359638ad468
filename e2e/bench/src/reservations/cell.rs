//! One cell of the curve: so many callers on one budget, until the first call is held. Then one caller goes on alone,
//! until a call is refused while nothing else is under way: what is left then no waiting call could have used.

use super::body::body;
use super::figures;
use super::sizes::{CLIENTS, Caller, Client, cost, mean_cost};
use crate::gateway::calls::{Call, bearer};
use crate::gateway::target::Target;
use crate::gateway::town::Town;
use crate::ledger::audit;
use crate::report::Arm;
use anyhow::{Context as _, Result, bail, ensure};
use hyper::header::HeaderValue;
use serde_json::Value;
use sqlx::PgPool;
use std::cell::Cell as Shared;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How often is looked at what the budget has committed.
const SAMPLE: Duration = Duration::from_millis(5);
/// A budget of n mean calls pays for about n; for many times as many it never ends.
const ENDLESS: u64 = 10;

/// So many callers on a budget of so many mean calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) callers: usize,
    pub(crate) mean_calls: i64,
}

pub(crate) const CALLERS: [usize; 4] = [1, 2, 8, 32];
pub(crate) const BUDGETS: [i64; 4] = [50, 150, 500, 1500];
pub(crate) const CELLS: [Cell; 16] = {
    let mut cells = [Cell { callers: 0, mean_calls: 0 }; 16];
    let mut n = 0;
    while n < cells.len() {
        cells[n] = Cell { callers: CALLERS[n / BUDGETS.len()], mean_calls: BUDGETS[n % BUDGETS.len()] };
        n += 1;
    }
    cells
};

impl Cell {
    pub(crate) fn name(self) -> String {
        let Self { callers, mean_calls } = self;
        let s = if callers == 1 { "" } else { "s" };
        format!("{callers} caller{s}, {mean_calls} mean calls")
    }
}

/// The calls of one cell. All callers are one task of this program, so that they share it without locks.
struct Play {
    target: Arc<Target>,
    pool: PgPool,
    budget: Uuid,
    bearers: [HeaderValue; 2],
    /// The cell, which is part of its clients' instructions: nothing is known from the cells before.
    place: String,
    /// Calls made, answered and cut off.
    made: Shared<u64>,
    answered: Shared<i64>,
    cut: Shared<i64>,
    /// What the answers say they cost.
    paid: Shared<i64>,
    held: Shared<bool>,
    /// What was spent when the first call was held.
    spent_at_hold: Shared<Option<i64>>,
    /// The most that was ever seen as spent and reserved.
    most: Shared<i64>,
    endless: u64,
}

pub(crate) async fn play(town: &mut Town, cell: Cell) -> Result<Arm> {
    let mean = mean_cost();
    let limit = cell.mean_calls * mean;
    let play = Play::new(town, limit, cell).await?;
    let playing = play.until_refused(cell.callers);
    tokio::select! {
        played = playing => played?,
        sampled = play.sample() => match sampled? {},
    }
    // What is not settled by now is lost, which the figures say.
    let _ = town.settled().await;
    let spent = town.spent(play.budget).await?;
    let mut arm = Arm::new(cell.name());
    let percent = |amount: i64| percent(amount, limit);
    let at_hold = play.spent_at_hold.get().context("no call was held")?;
    arm.set("spent_before_first_hold_percent", percent(at_hold));
    arm.set("spent_percent", percent(spent));
    arm.set("max_committed_percent", percent(play.most.get()));
    arm.count("calls", play.answered.get());
    figures::tell(&play.pool, play.budget, mean, &mut arm).await?;
    arm.count("cut_off_calls", play.cut.get());
    arm.count("limit_micro_usd", limit);
    arm.count("charged_micro_usd", spent);
    arm.count("paid_micro_usd", play.paid.get());
    let settled = figures::settled(&play.pool, play.budget).await?;
    arm.count("lost_settles", (play.answered.get() - settled).max(0));
    audit::tell(&play.pool, &mut arm).await?;
    Ok(arm)
}

/// Of a limit. Amounts here are far below what a float holds exactly.
#[expect(clippy::cast_precision_loss)]
pub(crate) fn percent(amount: i64, limit: i64) -> f64 {
    100.0 * amount as f64 / limit.max(1) as f64
}

impl Play {
    async fn new(town: &mut Town, limit: i64, cell: Cell) -> Result<Self> {
        let budget = town.budget(limit).await?;
        let [first, second] = CLIENTS.map(Client::provider);
        let bearers =
            [bearer(&town.task_with(budget, first).await?)?, bearer(&town.task_with(budget, second).await?)?];
        Ok(Self {
            target: Arc::clone(&town.target),
            pool: town.pool.clone(),
            budget,
            bearers,
            place: cell.name(),
            made: Shared::new(0),
            answered: Shared::new(0),
            cut: Shared::new(0),
            paid: Shared::new(0),
            held: Shared::new(false),
            spent_at_hold: Shared::new(None),
            most: Shared::new(0),
            endless: ENDLESS * cell.mean_calls.cast_unsigned(),
        })
    }

    async fn until_refused(&self, callers: usize) -> Result<()> {
        let numbers = 0..u64::try_from(callers)?;
        let callers = futures::future::try_join_all(numbers.map(|number| self.caller(number))).await?;
        let mut alone = *callers.first().context("no caller")?;
        while self.call(&mut alone).await? {}
        Ok(())
    }

    /// Calls until somebody's call is held.
    async fn caller(&self, number: u64) -> Result<Caller> {
        let mut caller = Caller::new(number);
        while !self.held.get() {
            if self.call(&mut caller).await? || self.held.replace(true) {
                continue;
            }
            self.spent_at_hold.set(Some(figures::spent(&self.pool, self.budget).await?));
        }
        Ok(caller)
    }

    /// Whether it was answered; if not, there was no money for it.
    async fn call(&self, caller: &mut Caller) -> Result<bool> {
        let number = self.made.replace(self.made.get() + 1);
        ensure!(number < self.endless, "the budget does not end after {number} calls");
        let size = caller.next();
        let bearer = match size.client {
            Client::ClaudeCode => self.bearers[0].clone(),
            Client::Codex => self.bearers[1].clone(),
        };
        let call = Call { bearer, session: None, body: body(&self.place, size) };
        let answer = self.target.ask_at(size.client.path(), call).await?;
        let said = || String::from_utf8_lossy(&answer.body).chars().take(300).collect::<String>();
        match answer.status {
            200 => {}
            402 if said().contains("budget_exhausted") => return Ok(false),
            status => bail!("neither answered nor refused for want of money: {status} {}", said()),
        }
        let answer: Value = serde_json::from_slice(&answer.body)?;
        let tokens = |field: &str| answer["usage"][field].as_i64().context("an answer without its usage");
        let cost = cost(tokens("input_tokens")?, tokens("output_tokens")?);
        self.paid.set(self.paid.get() + cost);
        self.answered.set(self.answered.get() + 1);
        self.cut.set(self.cut.get() + i64::from(size.client.was_cut_off(&answer)));
        Ok(true)
    }

    async fn sample(&self) -> Result<Infallible> {
        loop {
            let committed = figures::committed(&self.pool, self.budget).await?;
            self.most.set(self.most.get().max(committed));
            tokio::time::sleep(SAMPLE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_callers_and_budget_is_a_cell() {
        let named: std::collections::BTreeSet<String> = CELLS.iter().map(|cell| cell.name()).collect();
        assert_eq!(named.len(), CALLERS.len() * BUDGETS.len());
        assert!(named.contains("8 callers, 500 mean calls") && named.contains("1 caller, 50 mean calls"));
    }
}
