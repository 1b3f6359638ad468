//! Somebody who edits limits while others spend: raised, lowered, lowered below what is spent, taken away. Then nobody
//! does for a while, and there is money: what a ledger remembers of its accounts, and decides from, holds only as long
//! as nobody else writes them.

use crate::amount::{Both, Limit};
use crate::caller::Crew;
use crate::history::{Clock, Edit, NEVER};
use crate::world::{ACCOUNTS, FIRST_LIMIT, World};
use golden_chaos::Seed;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Questions from one edit to the next: few enough that the callers find money, enough that they miss it too.
const EVERY: u64 = 40;
/// Questions of a busy time, and of the calm one after it.
const BUSY: u64 = 4_000;
const CALM: u64 = 6_000;
/// What every account may spend in a calm time, in micro-dollars and in tokens: more than is asked for.
const PLENTY: i64 = 10_000_000;
const POLL: Duration = Duration::from_millis(5);
const AGAIN: Duration = Duration::from_millis(50);
/// A Postgres that is away for longer has failed the round.
const PATIENCE: Duration = Duration::from_mins(1);

/// Edits until `over` says that the callers have ended, at moments that follow from how much they asked.
pub(crate) async fn edit(
    world: &World,
    crew: &Crew,
    clock: Clock,
    mut over: watch::Receiver<bool>,
) -> Vec<Edit> {
    let first = |account| Edit { account, limit: Both::same(Some(FIRST_LIMIT)), start: 0, end: 0 };
    let mut editor = Editor { world, clock, edits: (0..ACCOUNTS).map(first).collect() };
    let mut seed = Seed::of(crew.seed, "edits");
    let (mut due, mut calm) = (EVERY, false);
    while !*over.borrow_and_update() {
        let asked = crew.asked();
        if asked < due {
            // Ends early when the callers do.
            let _ = tokio::time::timeout(POLL, over.changed()).await;
            continue;
        }
        let was = std::mem::replace(&mut calm, is_calm(asked));
        if !calm {
            editor.anything(&mut seed).await;
        } else if !was {
            editor.plenty().await;
        }
        due = crew.asked() + EVERY;
    }
    editor.edits
}

/// Whether nobody edits after so many questions, and there is money.
pub(crate) fn is_calm(asked: u64) -> bool {
    asked % (BUSY + CALM) >= BUSY
}

struct Editor<'a> {
    world: &'a World,
    clock: Clock,
    edits: Vec<Edit>,
}

impl Editor<'_> {
    async fn anything(&mut self, seed: &mut Seed) {
        let account = seed.index(ACCOUNTS);
        // Postgres may be away; there is nothing to edit by then.
        let Ok(now) = self.world.balance(account).await else { return };
        let limit = Limit {
            cost: next(seed, account, now.spent_cost + now.reserved_cost + now.overage_cost),
            tokens: next(seed, account, now.spent_tokens + now.reserved_tokens + now.overage_tokens),
        };
        self.take(account, limit).await;
    }

    async fn plenty(&mut self) {
        for account in 0..ACCOUNTS {
            self.take(account, Both::same(Some(PLENTY))).await;
        }
    }

    async fn take(&mut self, account: usize, limit: Limit) {
        let start = self.clock.now();
        // The same edit until it is taken: whoever does not know whether it was, sends it again.
        let (asked, mut taken) = (Instant::now(), self.world.edit(account, limit).await.is_ok());
        while !taken && asked.elapsed() < PATIENCE {
            tokio::time::sleep(AGAIN).await;
            taken = self.world.edit(account, limit).await.is_ok();
        }
        let end = if taken { self.clock.now() } else { NEVER };
        self.edits.push(Edit { account, limit, start, end });
    }
}

fn next(seed: &mut Seed, account: usize, committed: i64) -> Option<i64> {
    let room = if account == 0 { 100_000 } else { 40_000 };
    match seed.below(100) {
        0..4 => None,
        4..9 => Some(committed),
        9..14 => Some(committed / 2),
        _ => Some(committed + seed.between(1, room)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_and_calm_times_take_turns_and_a_round_begins_busy() {
        let told = [0, BUSY - 1, BUSY, BUSY + CALM - 1, BUSY + CALM].map(is_calm);
        assert_eq!(told, [false, false, true, true, false]);
    }
}
