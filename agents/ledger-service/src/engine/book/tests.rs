//! Every order of a few steps of two ledgers, a person's edits, flushes and crashes, on a database that is only as honest
//! as Postgres: a commit is seen by all at once and is on the disk only after a flush; a crash takes back what is not. The
//! constraints of the real one are left out, so that the protocol has to hold alone.

use std::cell::Cell;

use golden_ledger::{Account, Amount, Event, Limit, MicroUsd};
use golden_platform::wire::{ReserveAnswer, ReserveRequest};

use super::*;
use crate::engine::batch::tests::request;
use crate::engine::job::{Move, Said};
use crate::engine::queue::Queue;

const ROOT: Uuid = Uuid::from_u128(1);
const LEAF: Uuid = Uuid::from_u128(2);
/// Two calls: one of a task that the root pays alone, one of a task that both pay.
const CALLS: [(&str, Uuid, &[Uuid]); 2] =
    [("a", Uuid::from_u128(11), &[ROOT]), ("b", Uuid::from_u128(12), &[ROOT, LEAF])];
const AMOUNT: i64 = 3;
const USED: i64 = 2;
/// Enough for both calls; and what an edit leaves: for one of them.
const ENOUGH: i64 = 2 * AMOUNT;
const LOWER: i64 = AMOUNT;
const DEPTH: usize = 6;

/// What could be built wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The next revision is one more.
    Counts,
    /// Answers do not wait for the disk.
    AnswersAtOnce,
    /// Nor does what is told of a call that is there already.
    TellsWhatItSees,
    /// What is remembered is written without being compared.
    TrustsMemory,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve(usize),
    Settle(usize),
    /// By another ledger, which reads and locks first.
    OtherReserves(usize),
    OtherSettles(usize),
    Edit(Uuid),
    Flush,
    Crash,
}

const STEPS: [Step; 12] = [
    Step::Reserve(0),
    Step::Reserve(1),
    Step::Settle(0),
    Step::Settle(1),
    Step::OtherReserves(0),
    Step::OtherReserves(1),
    Step::OtherSettles(0),
    Step::OtherSettles(1),
    Step::Edit(ROOT),
    Step::Edit(LEAF),
    Step::Flush,
    Step::Crash,
];

/// Rows.
#[derive(Clone, Debug)]
struct Database {
    accounts: BTreeMap<Uuid, AccountRow>,
    calls: BTreeMap<String, Kept>,
}

impl Database {
    fn new() -> Self {
        let account = |uid| (uid, AccountRow::with_limit(uid, Some(ENOUGH)));
        Self { accounts: [account(ROOT), account(LEAF)].into(), calls: BTreeMap::new() }
    }

    /// Everything, as it is read with its rows locked.
    fn read(&self) -> Batch {
        Batch {
            accounts: self.accounts.iter().map(|(uid, row)| (*uid, Held::new(row.clone()))).collect(),
            paths: CALLS.iter().map(|(_, task, path)| (*task, Path::from(*path))).collect(),
            reservations: self.calls.clone(),
            ..Batch::default()
        }
    }

    /// All of it or nothing, as the statement does.
    fn save(&mut self, batch: &Batch, revision: i64, compares: bool) -> bool {
        let mut after = self.clone();
        for (uid, held) in batch.accounts.iter().filter(|(_, held)| held.is_written()) {
            let row = &self.accounts[uid];
            if compares && row.revision != held.revision() {
                return false;
            }
            let Ok(account) = row.account().apply(&held.difference().unwrap()) else { return false };
            after.accounts.insert(*uid, row.after(&account, None, revision));
        }
        for (key, kept) in batch.reservations.iter().filter(|(_, kept)| kept.is_written()) {
            let there = self.calls.get(key).map(|kept| kept.reservation.state);
            if there != kept.new.is_none().then_some(kept.was) {
                return false;
            }
            after.calls.insert(key.clone(), kept.written());
        }
        *self = after;
        true
    }

    fn edit(&mut self, uid: Uuid) {
        let before = &self.accounts[&uid];
        let limit = Limit { cost: Some(MicroUsd(LOWER)), tokens: None };
        let account = before.account().edit_limit(limit).unwrap();
        let row = AccountRow::with_limit(uid, Some(LOWER)).after(&account, None, before.revision + 1);
        self.accounts.insert(uid, row);
    }

    fn state(&self, key: &str) -> Option<State> {
        self.calls.get(key).map(|kept| kept.reservation.state)
    }

    /// What is wrong with it.
    fn problem(&self) -> Option<&'static str> {
        for (uid, row) in &self.accounts {
            let account: Account = row.account();
            let (mut held, mut spent) = (0, 0);
            for (key, _, _) in CALLS.iter().filter(|(_, _, path)| path.contains(uid)) {
                match self.state(key) {
                    Some(State::Dispatched) => held += AMOUNT,
                    Some(State::Settled) => spent += USED,
                    _ => {}
                }
            }
            if (account.reserved.cost.0, account.spent.cost.0) != (held, spent) {
                return Some("an account is not the sum of its calls");
            }
            if !account.row_holds() {
                return Some("an account is above its limit");
            }
        }
        None
    }
}

/// One ledger with its memory, and the database it shares.
#[derive(Clone)]
struct World {
    seen: Database,
    disk: Database,
    book: Book,
    /// Answers that wait for the disk, and those that were given.
    waiting: Vec<(&'static str, State)>,
    told: Vec<(&'static str, State)>,
    at: Instant,
    revisions: i64,
    remembered: bool,
}

impl World {
    fn new() -> Self {
        let mut book = Book::default();
        book.learn_paths(CALLS.iter().map(|(_, task, path)| (*task, Path::from(*path))));
        let disk = Database::new();
        book.learn(&disk.read(), 0);
        Self {
            seen: disk.clone(),
            disk,
            book,
            waiting: vec![],
            told: vec![],
            at: Instant::now(),
            revisions: 1 << 32,
            remembered: false,
        }
    }

    /// None where nothing happens.
    fn after(&self, step: Step, fault: Option<Fault>) -> Option<Self> {
        let mut next = self.clone();
        // Later than any doubt.
        next.at += Duration::from_secs(1);
        match step {
            Step::Reserve(call) => next.ask(call, &reserve(call), fault),
            Step::Settle(call) => next.ask(call, &settle(call), fault),
            Step::OtherReserves(call) => next.other(&reserve(call), fault)?,
            Step::OtherSettles(call) => next.other(&settle(call), fault)?,
            Step::Edit(uid) if next.seen.accounts[&uid].account().limit.cost == Some(MicroUsd(LOWER)) => {
                return None;
            }
            Step::Edit(uid) => {
                next.seen.edit(uid);
                next.disk = next.seen.clone();
            }
            Step::Flush => {
                if next.waiting.is_empty() {
                    return None;
                }
                next.flush();
            }
            Step::Crash => {
                next.seen = next.disk.clone();
                next.waiting.clear();
            }
        }
        Some(next)
    }

    fn flush(&mut self) {
        self.disk = self.seen.clone();
        self.told.append(&mut self.waiting);
    }

    /// As the quick writer: from memory, and with the rows locked where that is not enough.
    fn ask(&mut self, call: usize, ask: &Ask, fault: Option<Fault>) {
        let key = CALLS[call].0;
        let (mut batch, enough) = self.book.open(std::slice::from_ref(ask), self.at);
        if !enough.is_empty()
            && let Some(state) = decided(&mut batch, ask, self.at)
            && batch.changes(key)
        {
            let revision = self.revision(&batch, fault);
            if self.seen.save(&batch, revision, fault != Some(Fault::TrustsMemory)) {
                self.remembered = true;
                self.book.learn(&batch, revision);
                self.waiting.push((key, state));
                if fault == Some(Fault::AnswersAtOnce) {
                    self.told.append(&mut self.waiting);
                }
                return;
            }
            self.book.doubt(&batch.accounts, self.at);
        }
        let mut batch = self.seen.read();
        let said = decided(&mut batch, ask, self.at);
        let writes = batch.is_worth_a_write();
        if writes {
            let revision = self.revision(&batch, fault);
            assert!(self.seen.save(&batch, revision, true), "the rows are locked");
            self.book.learn(&batch, revision);
        }
        if let Some(state) = said {
            if writes || fault != Some(Fault::TellsWhatItSees) {
                self.disk = self.seen.clone();
            }
            self.told.push((key, state));
        }
    }

    /// Another ledger's batch: committed, and not yet on the disk.
    fn other(&mut self, ask: &Ask, fault: Option<Fault>) -> Option<()> {
        let mut batch = self.seen.read();
        decided(&mut batch, ask, self.at)?;
        let revision = self.revision(&batch, fault);
        (batch.is_worth_a_write() && self.seen.save(&batch, revision, true)).then_some(())
    }

    fn revision(&mut self, batch: &Batch, fault: Option<Fault>) -> i64 {
        if fault == Some(Fault::Counts) {
            return batch.accounts.values().map(Held::revision).max().unwrap() + 1;
        }
        // As good as one that cannot be guessed: no other is near it.
        self.revisions += 1 << 16;
        self.revisions
    }

    fn problem(&self) -> Option<&'static str> {
        let lost = |database: &Database| {
            self.told.iter().any(|(key, told)| match (told, database.state(key)) {
                (_, None) => true,
                (State::Settled, Some(state)) => state != State::Settled,
                _ => false,
            })
        };
        if lost(&self.disk) || lost(&self.seen) {
            return Some("what was told is not there any more");
        }
        self.seen.problem()
    }
}

fn reserve(call: usize) -> Ask {
    let (key, task_uid, _) = CALLS[call];
    Ask::Reserve(Box::new(ReserveRequest { task_uid, dispatch: true, ..request(key, AMOUNT) }))
}

fn settle(call: usize) -> Ask {
    let event = Event::Settle { actual: Amount::new(USED, 0) };
    Ask::Move { op_key: CALLS[call].0.into(), wanted: Move::of(event) }
}

/// The state that is told, unless the answer is no.
fn decided(batch: &mut Batch, ask: &Ask, now: Instant) -> Option<State> {
    match batch.decide(ask, &mut Queue::default(), now)?.ok()? {
        Said::Moved(state) => Some(state),
        Said::Reserve(ReserveAnswer::Granted { state, .. }) => State::parse(&state),
        Said::Reserve(_) => None,
    }
}

/// What was seen on the way.
#[derive(Default)]
struct Explored {
    states: Cell<usize>,
    remembered: Cell<usize>,
}

/// Every order of so many steps; the first that breaks a promise.
fn explore(
    world: &World,
    depth: usize,
    fault: Option<Fault>,
    seen: &Explored,
) -> Option<(&'static str, Vec<Step>)> {
    seen.states.set(seen.states.get() + 1);
    seen.remembered.set(seen.remembered.get() + usize::from(world.remembered));
    if let Some(problem) = world.problem() {
        return Some((problem, vec![]));
    }
    if depth == 0 {
        return None;
    }
    STEPS.into_iter().find_map(|step| {
        let next = world.after(step, fault)?;
        let (problem, mut steps) = explore(&next, depth - 1, fault, seen)?;
        steps.insert(0, step);
        Some((problem, steps))
    })
}

#[test]
fn memory_ahead_of_the_disk_keeps_every_promise_in_every_order() {
    let seen = Explored::default();
    let found = explore(&World::new(), DEPTH, None, &seen);
    assert!(found.is_none(), "{found:?}");
    let (states, remembered) = (seen.states.get(), seen.remembered.get());
    assert!(states > 300_000 && remembered > states / 4, "{states} states, {remembered} with memory used");
}

#[test]
fn each_fault_of_a_memory_is_seen() {
    for fault in [Fault::Counts, Fault::AnswersAtOnce, Fault::TellsWhatItSees, Fault::TrustsMemory] {
        let found = explore(&World::new(), DEPTH, Some(fault), &Explored::default());
        assert!(found.is_some(), "{fault:?} was not seen");
    }
}
