//! Who waits for money, in the order they came. Pure.
//!
//! A held call asks again and again; between two asks its place is kept here, under its operation key. First come,
//! first served: a call is not granted what an earlier one could have now. A smaller call may take what is too little
//! for the earlier one, but only so often: then it waits too, until the money that is reserved by calls under way has
//! come back and the large one had its turn. One that no waiting helps (the limit itself is too small) holds nobody up.
//!
//! The order is this process's memory. A restart forgets it, and several ledgers each keep their own: money is never
//! at stake here, only turns.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use golden_ledger::{Account, Amount, Effect, Refusal, Shortfall, reserve};
use uuid::Uuid;

use super::batch::{Held, Path};

/// A held call asks at least every three seconds; one that has been silent for so long has gone.
const SILENT: Duration = Duration::from_secs(10);
/// How often a waiting call is overtaken.
const OVERTAKEN: u32 = 16;
/// Calls ahead that may be overtaken: those that are next.
const AHEAD: usize = 32;
/// Calls ahead that are looked at, those that no waiting helps among them.
const LOOKED_AT: usize = 512;
/// Calls remembered.
const MOST: usize = 10_000;

#[derive(Debug)]
struct Waiter {
    path: Path,
    amount: Amount,
    asked: Instant,
    overtaken: u32,
    /// Where it waits, as its last ask showed, which saw all of its accounts: others see those that they share with it.
    at: Uuid,
}

/// Where a call that these accounts cannot pay waits, from the root to the task's own: at the one that lacks its money. Of
/// several the one nearest to the task counts, which the fewest others see: money above it is of no use to the call yet.
pub(super) fn lacking(path: &[Uuid], balances: &[Account], amount: Amount) -> Option<Uuid> {
    let Err(Refusal::Exhausted(lacking)) = reserve(balances, amount) else { return None };
    let nearest = lacking.iter().map(|shortfall| shortfall.index).max()?;
    path.get(nearest).copied()
}

/// A call that left the queue, with its place.
#[derive(Debug)]
pub(super) struct Left {
    place: String,
    ticket: u64,
    waiter: Waiter,
}

/// Why a call that could be paid has to wait: the account, and what it lacks for this call and the one ahead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Behind {
    pub(super) account: Uuid,
    pub(super) shortfall: Shortfall,
}

/// The waiting calls.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiters: BTreeMap<u64, Waiter>,
    tickets: HashMap<String, u64>,
    next: u64,
}

impl Queue {
    /// The call was refused: it keeps its place, or takes the last.
    pub(super) fn wait(&mut self, place: &str, path: &Path, amount: Amount, at: Uuid, now: Instant) {
        if let Some(waiter) = self.tickets.get(place).and_then(|t| self.waiters.get_mut(t)) {
            (waiter.asked, waiter.at) = (now, at);
            return;
        }
        if self.waiters.len() >= MOST {
            self.forget_silent(now);
        }
        if self.waiters.len() < MOST {
            let path = Arc::clone(path);
            let waiter = Waiter { path, amount, asked: now, overtaken: 0, at };
            self.tickets.insert(place.to_owned(), self.next);
            self.waiters.insert(self.next, waiter);
            self.next += 1;
        }
    }

    /// The call was granted.
    pub(super) fn leave(&mut self, place: &str) -> Option<Left> {
        let (place, ticket) = self.tickets.remove_entry(place)?;
        let waiter = self.waiters.remove(&ticket)?;
        Some(Left { place, ticket, waiter })
    }

    /// These were not granted after all: each has the place that it had.
    pub(super) fn come_back(&mut self, all: impl IntoIterator<Item = Left>) {
        for Left { place, ticket, waiter } in all {
            self.tickets.insert(place, ticket);
            self.waiters.insert(ticket, waiter);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Whether a call that can be paid has to let another go first. If not, those it overtakes are counted.
    pub(super) fn behind(
        &mut self,
        place: &str,
        path: &[Uuid],
        amount: Amount,
        accounts: &BTreeMap<Uuid, Held>,
    ) -> Option<Behind> {
        let mine = self.tickets.get(place).copied().unwrap_or(u64::MAX);
        let ahead = self
            .waiters
            .range(..mine)
            .filter(|(_, w)| w.is_seen_by(accounts) && w.path.iter().any(|uid| path.contains(uid)));
        let mut overtaken = Vec::new();
        for (ticket, waiter) in ahead.take(LOOKED_AT) {
            if overtaken.len() == AHEAD {
                break;
            }
            match waiter.against(path, amount, accounts) {
                Verdict::NoHarm => {}
                Verdict::Overtakes(behind) if waiter.overtaken >= OVERTAKEN => return Some(behind),
                Verdict::Overtakes(_) => overtaken.push(*ticket),
                Verdict::Takes(behind) => return Some(behind),
            }
        }
        for ticket in overtaken {
            if let Some(waiter) = self.waiters.get_mut(&ticket) {
                waiter.overtaken += 1;
            }
        }
        None
    }

    /// Forgets those that have gone. Once for a batch is enough, and all of them are looked at.
    pub(super) fn forget_silent(&mut self, now: Instant) {
        let silent = |w: &Waiter| now.saturating_duration_since(w.asked) > SILENT;
        if self.waiters.values().any(silent) {
            self.tickets.retain(|_, ticket| !self.waiters.get(ticket).is_none_or(silent));
            self.waiters.retain(|_, waiter| !silent(waiter));
        }
    }
}

/// What granting a call does to a waiting one.
enum Verdict {
    /// It can have its money all the same, or no waiting helps it.
    NoHarm,
    /// It could not be paid now anyway; it waits longer.
    Overtakes(Behind),
    /// It could be paid now, and then no more.
    Takes(Behind),
}

impl Waiter {
    /// Whether these accounts show where it waits. What it lacks elsewhere it does not get by others waiting here; once that
    /// is there, the call asks again within seconds, and then waits for what it lacks here.
    fn is_seen_by(&self, accounts: &BTreeMap<Uuid, Held>) -> bool {
        accounts.contains_key(&self.at)
    }

    fn against(&self, path: &[Uuid], amount: Amount, accounts: &BTreeMap<Uuid, Held>) -> Verdict {
        // The two may share only a part of their accounts; of the others nothing is known here.
        let known: Vec<Uuid> = self.path.iter().filter(|uid| accounts.contains_key(uid)).copied().collect();
        let balances: Vec<Account> = known.iter().filter_map(|uid| Some(accounts.get(uid)?.after)).collect();
        let granted = Effect { reserved: amount, ..Effect::default() };
        let after = known.iter().zip(&balances).map(|(uid, account)| {
            if path.contains(uid) { account.apply(&granted).unwrap_or(*account) } else { *account }
        });
        let after: Vec<Account> = after.collect();
        let Err(Refusal::Exhausted(lacking)) = reserve(&after, self.amount) else { return Verdict::NoHarm };
        let Some(shortfall) = lacking.into_iter().next() else { return Verdict::NoHarm };
        let Some(account) = known.get(shortfall.index).copied() else { return Verdict::NoHarm };
        let behind = Behind { account, shortfall };
        if reserve(&balances, self.amount).is_ok() {
            return Verdict::Takes(behind);
        }
        let idle: Vec<Account> =
            balances.iter().map(|account| Account { reserved: Amount::ZERO, ..*account }).collect();
        if reserve(&idle, self.amount).is_ok() { Verdict::Overtakes(behind) } else { Verdict::NoHarm }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::AccountRow;
    use golden_ledger::{Limit, MicroUsd};

    const ROOT: Uuid = Uuid::from_u128(1);

    fn account(limit: i64, spent: i64, reserved: i64) -> BTreeMap<Uuid, Held> {
        let mut held = Held::new(AccountRow::with_limit(ROOT, Some(limit)));
        held.after.spent = Amount::new(spent, 0);
        held.after.reserved = Amount::new(reserved, 0);
        [(ROOT, held)].into()
    }

    fn path() -> Path {
        Arc::from([ROOT])
    }

    fn waiting(keys: &[(&str, i64)], now: Instant) -> Queue {
        let mut queue = Queue::default();
        for (key, cost) in keys {
            queue.wait(key, &path(), Amount::new(*cost, 0), ROOT, now);
        }
        queue
    }

    fn blocked(
        queue: &mut Queue,
        key: &str,
        cost: i64,
        accounts: &BTreeMap<Uuid, Held>,
        now: Instant,
    ) -> bool {
        queue.forget_silent(now);
        queue.behind(key, &path(), Amount::new(cost, 0), accounts).is_some()
    }

    #[test]
    fn first_come_first_served_among_those_that_wait() {
        let now = Instant::now();
        let mut queue = waiting(&[("first", 50), ("second", 50)], now);
        let one = account(100, 50, 0);
        assert!(blocked(&mut queue, "second", 50, &one, now), "the money is the first one's");
        assert!(blocked(&mut queue, "new", 50, &one, now));
        assert!(!blocked(&mut queue, "first", 50, &one, now));
        let both = account(100, 0, 0);
        assert!(!blocked(&mut queue, "second", 50, &both, now), "there is enough for both");
        queue.leave("first");
        assert!(!blocked(&mut queue, "second", 50, &one, now));
    }

    #[test]
    fn small_calls_overtake_a_large_one_only_so_often() {
        let now = Instant::now();
        let mut queue = waiting(&[("large", 90)], now);
        // 60 are out with calls under way: the large one waits for them, 40 are of no use to it.
        let accounts = account(100, 0, 60);
        let granted = (0..100).take_while(|_| !blocked(&mut queue, "small", 1, &accounts, now)).count();
        assert_eq!(granted, OVERTAKEN as usize);
        let told = queue.behind("small", &path(), Amount::new(1, 0), &accounts).unwrap();
        assert_eq!(told.shortfall.missing, Amount::new(51, 0), "what both of them lack");
    }

    #[test]
    fn one_that_no_waiting_helps_holds_nobody_up() {
        let now = Instant::now();
        let mut queue = waiting(&[("hopeless", 90)], now);
        let accounts = account(100, 20, 60);
        for _ in 0..100 {
            assert!(!blocked(&mut queue, "small", 1, &accounts, now));
        }
    }

    #[test]
    fn one_that_comes_back_has_the_place_that_it_had() {
        let now = Instant::now();
        let mut queue = waiting(&[("first", 50), ("second", 50)], now);
        let left = queue.leave("first");
        assert!(queue.leave("first").is_none());
        let one = account(100, 50, 0);
        assert!(!blocked(&mut queue, "second", 50, &one, now));
        assert!(left.is_some());
        queue.come_back(left);
        assert!(blocked(&mut queue, "second", 50, &one, now));
        assert!(!blocked(&mut queue, "first", 50, &one, now));
    }

    #[test]
    fn one_that_has_gone_is_forgotten_and_one_that_asks_keeps_its_place() {
        let now = Instant::now();
        let mut queue = waiting(&[("gone", 50), ("stays", 50)], now);
        let later = now + SILENT + Duration::from_secs(1);
        queue.wait("stays", &path(), Amount::new(50, 0), ROOT, later);
        let one = account(100, 50, 0);
        assert!(!blocked(&mut queue, "stays", 50, &one, later), "nobody is ahead any more");
        assert!(blocked(&mut queue, "new", 50, &one, later));
        assert_eq!((queue.waiters.len(), queue.tickets.len()), (1, 1));
    }

    /// Root has 10 left. Child A is exhausted and its call of 8 is held. Child B has money and asks for 5.
    #[test]
    fn a_call_that_lacks_money_elsewhere_holds_nobody_up_where_it_is() {
        let now = Instant::now();
        let (a, b) = (Uuid::from_u128(2), Uuid::from_u128(3));
        let balance = |limit, spent, reserved| Account {
            limit: Limit { cost: Some(MicroUsd(limit)), tokens: None },
            spent: Amount::new(spent, 0),
            reserved: Amount::new(reserved, 0),
            ..Account::default()
        };
        let (path, amount) = ([ROOT, a], Amount::new(8, 0));
        let root = account(100, 80, 10);
        let cases = [
            (balance(20, 20, 0), balance(100, 80, 10), a, "only a higher limit helps"),
            (balance(20, 10, 10), balance(100, 80, 15), a, "both lack it, and it waits for its own first"),
            (balance(20, 0, 0), balance(100, 80, 15), ROOT, "the root lacked it, and has it now"),
        ];
        for (child, above, at, why) in cases {
            assert_eq!(lacking(&path, &[above, child], amount), Some(at), "{why}");
            let mut queue = Queue::default();
            queue.wait("a", &Arc::from(path), amount, at, now);
            let blocked = queue.behind("b", &[ROOT, b], Amount::new(5, 0), &root).is_some();
            assert_eq!(blocked, at == ROOT, "{why}");
        }
    }

    #[test]
    fn those_whom_only_a_limit_helps_hide_nobody_behind_them() {
        let now = Instant::now();
        let mut queue = Queue::default();
        for n in 0..(2 * AHEAD) {
            queue.wait(&format!("hopeless {n}"), &path(), Amount::new(500, 0), ROOT, now);
        }
        queue.wait("large", &path(), Amount::new(50, 0), ROOT, now);
        let left = account(100, 50, 0);
        assert!(blocked(&mut queue, "small", 10, &left, now), "the money is the large one's");
        assert!(!blocked(&mut queue, "large", 50, &left, now));
    }
}
