//! Somebody who edits limits while others spend: raised, lowered, lowered below what is spent, taken away.

use crate::amount::{Both, Limit};
use crate::history::{Clock, Edit, NEVER};
use crate::world::{ACCOUNTS, FIRST_LIMIT, World};
use golden_chaos::Seed;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Often enough that the callers find money, seldom enough that they miss it too.
const EVERY: Duration = Duration::from_millis(25);
const AGAIN: Duration = Duration::from_millis(50);
/// A Postgres that is away for longer has failed the round.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) async fn edit(world: &World, seed: u64, clock: Clock, over: watch::Receiver<bool>) -> Vec<Edit> {
    let mut seed = Seed::of(seed, "edits");
    let first = |account| Edit { account, limit: Both::same(Some(FIRST_LIMIT)), start: 0, end: 0 };
    let mut edits: Vec<Edit> = (0..ACCOUNTS).map(first).collect();
    while !*over.borrow() {
        tokio::time::sleep(EVERY).await;
        let account = seed.index(ACCOUNTS);
        // Postgres may be away; there is nothing to edit by then.
        let Ok(now) = world.balance(account).await else { continue };
        let limit = Limit {
            cost: next(&mut seed, account, now.spent_cost + now.reserved_cost + now.overage_cost),
            tokens: next(&mut seed, account, now.spent_tokens + now.reserved_tokens + now.overage_tokens),
        };
        let start = clock.now();
        // The same edit until it is taken: whoever does not know whether it was, sends it again.
        let (asked, mut taken) = (Instant::now(), world.edit(account, limit).await.is_ok());
        while !taken && asked.elapsed() < PATIENCE {
            tokio::time::sleep(AGAIN).await;
            taken = world.edit(account, limit).await.is_ok();
        }
        let end = if taken { clock.now() } else { NEVER };
        edits.push(Edit { account, limit, start, end });
    }
    edits
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
