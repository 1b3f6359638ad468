//! Many requests, decided one after the other over what the database holds. Pure.
//!
//! Every decision sees what those before it in the batch did, as if each had committed alone. What changed comes out
//! as rows to insert, rows to update and the accounts' differences.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use golden_ledger::{
    Account, Amount, Effect, Event, Range, Refusal, Reservation, State, bind_request, reserve_share,
    transition,
};
use golden_platform::wire::{Bound, ReserveAnswer, ReserveRequest};
use uuid::Uuid;

use super::job::{Ask, Move, Report, Said};
use super::queue::{Behind, Left, Queue, lacking};
use crate::Error;
use crate::rows::{AccountRow, Begins};

/// The accounts of a task, root first, its own last.
pub(super) type Path = Arc<[Uuid]>;

/// A reservation, as it is after what was decided so far.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) request_hash: String,
    pub(super) reservation: Reservation,
    pub(super) path: Path,
    pub(super) overdue: bool,
    /// When it ended, in microseconds since 1970; none in this batch.
    pub(super) ended_us: Option<i64>,
    pub(super) report: Option<Report>,
    /// Its state in the database, which an update rests on.
    pub(super) was: State,
    /// Decided in this batch; the request it was made by.
    pub(super) new: Option<Box<ReserveRequest>>,
    /// Moved on in this batch.
    pub(super) moved: bool,
}

impl Kept {
    pub(super) fn is_written(&self) -> bool {
        self.new.is_some() || self.moved
    }

    /// As it is once the batch is written.
    pub(super) fn written(&self) -> Self {
        let state = self.reservation.state;
        Self { was: state, report: None, new: None, moved: false, ..self.clone() }
    }
}

/// An account, before the batch and after what was decided so far.
#[derive(Debug)]
pub(super) struct Held {
    row: AccountRow,
    before: Account,
    pub(super) after: Account,
    /// Something of the batch rests on it.
    used: bool,
    /// A period that begins with this batch.
    pub(super) begins: Option<Begins>,
}

impl Held {
    pub(super) fn new(row: AccountRow) -> Self {
        let (before, begins) = (row.account(), row.begins());
        let after = if begins.is_some_and(|b| b.rolls) { before.roll() } else { before };
        Self { row, before, after, used: false, begins }
    }

    /// Whether the batch writes it: also where nothing was added in the end, since what was decided rests on it.
    pub(super) fn is_written(&self) -> bool {
        self.used || self.begins.is_some()
    }

    /// The revision that the decisions rest on.
    pub(super) fn revision(&self) -> i64 {
        self.row.revision
    }

    /// The row once the batch is written, with the revision that it gives.
    pub(super) fn written(&self, revision: i64) -> AccountRow {
        if self.is_written() { self.row.after(&self.after, self.begins, revision) } else { self.row.clone() }
    }

    /// Whether something of that time was spent in an earlier period, so that its correction is none of this one.
    fn is_past(&self, ended_us: Option<i64>) -> bool {
        let start = self.begins.map(|b| b.start_us).or(self.row.period_start_us);
        ended_us.zip(start).is_some_and(|(ended, start)| ended < start)
    }

    /// What its calls that cannot be paid shall do, and who refused them more. A refusal ends with its period.
    fn terms(&self) -> (&str, Option<&str>) {
        let denied = self.row.denied().filter(|_| !self.begins.is_some_and(|b| b.rolls));
        (if denied.is_some() { "Fail" } else { &self.row.on_exhausted }, denied)
    }

    /// What is to be added to the row.
    pub(super) fn difference(&self) -> Result<Effect, Error> {
        let (before, after) = (&self.before, &self.after);
        Ok(Effect {
            reserved: after.reserved.minus(before.reserved)?,
            spent: after.spent.minus(before.spent)?,
            overage: after.overage.minus(before.overage)?,
        })
    }
}

/// What the database holds of everything the batch concerns, locked.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) accounts: BTreeMap<Uuid, Held>,
    /// By task.
    pub(super) paths: HashMap<Uuid, Path>,
    /// By operation key.
    pub(super) reservations: BTreeMap<String, Kept>,
    /// Tasks and pods that have to be the newest try when the batch is written; looked at there.
    pub(super) tries: BTreeSet<(Uuid, Uuid)>,
    /// Pods that are not the newest try of their task.
    pub(super) stale: HashSet<Uuid>,
    /// Accounts that somebody else holds: they are as they were a moment ago, enough to say no and never to say yes.
    pub(super) busy: HashSet<Uuid>,
    /// Accounts that have money back, or spent it: whoever waits for one looks again.
    pub(super) told: BTreeSet<Uuid>,
    /// Granted calls that had waited, which come back if the database refuses the batch.
    pub(super) left: Vec<Left>,
}

impl Batch {
    /// Whether something is to be written of this call.
    pub(super) fn changes(&self, op_key: &str) -> bool {
        self.reservations.get(op_key).is_some_and(Kept::is_written)
    }

    /// What was charged beyond the bounds of the calls that ended in this batch.
    pub(super) fn overage_micro_usd(&self) -> i64 {
        let ended = self.reservations.values().filter(|kept| kept.is_written());
        let beyond = ended.filter_map(|kept| {
            Some(kept.reservation.actual?.cost.0.saturating_sub(kept.reservation.amount.cost.0).max(0))
        });
        beyond.fold(0, i64::saturating_add)
    }

    /// Whether something was decided that must last. A period that begins is written also where every call of it was
    /// refused: who is asked for more is asked about a period.
    pub(super) fn is_worth_a_write(&self) -> bool {
        self.reservations.values().any(Kept::is_written)
            || self.accounts.iter().any(|(uid, held)| held.begins.is_some() && !self.busy.contains(uid))
    }

    /// Decides one request. `None`: it needs an account that is busy.
    pub(super) fn decide(
        &mut self,
        ask: &Ask,
        queue: &mut Queue,
        now: Instant,
    ) -> Option<Result<Said, Error>> {
        let decided = match ask {
            Ask::Reserve(request) => self.reserve(request, queue, now).map(Said::Reserve),
            Ask::Move { op_key, wanted } => self.transit(op_key, *wanted).map(Said::Moved),
        };
        match decided {
            Err(Error::Busy) => None,
            decided => Some(decided),
        }
    }

    fn reserve(
        &mut self,
        request: &ReserveRequest,
        queue: &mut Queue,
        now: Instant,
    ) -> Result<ReserveAnswer, Error> {
        if let Some(known) = self.reservations.get(&request.op_key) {
            if bind_request(&known.request_hash, &request.request_hash).is_err() {
                return Ok(ReserveAnswer::OtherRequest);
            }
            return Ok(granted(&known.reservation, range(request).whole));
        }
        if let Some(pod) = request.try_uid.filter(|pod| self.stale.contains(pod)) {
            return Err(Error::StaleTry(pod));
        }
        let range = range(request);
        let place = &request.op_key;
        let Some(path) = self.paths.get(&request.task_uid).cloned() else {
            return Ok(ReserveAnswer::NoAccount);
        };
        let mut effect = match self.funds(&path, range)? {
            Ok(effect) => effect,
            Err(refused) => {
                if matches!(&refused, ReserveAnswer::Exhausted { on_exhausted, .. } if on_exhausted != "Fail")
                {
                    self.line_up(queue, (place, &path), range.least, now);
                }
                return Ok(refused);
            }
        };
        if path.iter().any(|uid| self.busy.contains(uid)) {
            return Err(Error::Busy);
        }
        if queue.behind(place, &path, effect.reserved, &self.accounts).is_some() {
            // Those who wait may need of it what this call can do without.
            effect.reserved = range.least;
            if let Some(behind) = queue.behind(place, &path, effect.reserved, &self.accounts) {
                queue.wait(place, &path, range.least, behind.account, now);
                return Ok(self.later(&behind));
            }
        }
        self.left.extend(queue.leave(place));
        self.apply(&path, &effect, None)?;
        let state = if request.dispatch { State::Dispatched } else { State::Reserved };
        let reservation = Reservation { state, amount: effect.reserved, actual: None };
        let answer = granted(&reservation, range.whole);
        let kept = Kept {
            request_hash: request.request_hash.clone(),
            reservation,
            path,
            overdue: false,
            ended_us: None,
            report: None,
            was: state,
            new: Some(Box::new(request.clone())),
            moved: false,
        };
        self.reservations.insert(request.op_key.clone(), kept);
        Ok(answer)
    }

    /// The answer to a call that could be paid and is not next. It waits whatever the account says of an exhausted one:
    /// there is money, and it is its turn soon.
    fn later(&self, behind: &Behind) -> ReserveAnswer {
        let account = self.accounts.get(&behind.account);
        ReserveAnswer::Exhausted {
            account: account.map_or_else(String::new, |held| held.row.shown()),
            account_uid: behind.account,
            missing_micro_usd: behind.shortfall.missing.cost.0,
            missing_tokens: behind.shortfall.missing.tokens,
            on_exhausted: "Pause".to_owned(),
            denied: None,
            overage: None,
        }
    }

    /// A call that cannot be paid waits where the money is lacking.
    fn line_up(&self, queue: &mut Queue, (place, path): (&str, &Path), least: Amount, now: Instant) {
        let accounts = path.iter().filter_map(|uid| self.accounts.get(uid));
        let balances: Vec<Account> = accounts.map(|held| held.after).collect();
        if let Some(at) = lacking(path, &balances, least) {
            queue.wait(place, path, least, at, now);
        }
    }

    /// The effect on every account, or the answer that one of them cannot pay.
    fn funds(&self, path: &[Uuid], range: Range) -> Result<Result<Effect, ReserveAnswer>, Error> {
        let held: Vec<&Held> = path.iter().filter_map(|uid| self.accounts.get(uid)).collect();
        // An account that is missing or closed cannot say no, so it must not be passed over.
        if path.is_empty() || held.len() != path.len() || held.iter().any(|h| h.row.deleted) {
            return Ok(Err(ReserveAnswer::NoAccount));
        }
        let balances: Vec<Account> = held.iter().map(|h| h.after).collect();
        let lacking = match reserve_share(&balances, range) {
            Ok(effect) => return Ok(Ok(effect)),
            Err(Refusal::NoAccount) => return Ok(Err(ReserveAnswer::NoAccount)),
            Err(Refusal::Amount(e)) => return Err(e.into()),
            Err(Refusal::Exhausted(lacking)) => lacking,
        };
        // One that makes the task fail is told before one that makes it wait; then the largest lack.
        let told = lacking.iter().filter_map(|s| Some((s, *held.get(s.index)?)));
        let told = told.min_by_key(|(_, account)| account.terms().0 != "Fail");
        Ok(Err(told.map_or(ReserveAnswer::NoAccount, |(shortfall, account)| {
            let (on_exhausted, denied) = account.terms();
            ReserveAnswer::Exhausted {
                account: account.row.shown(),
                account_uid: account.row.account_uid,
                missing_micro_usd: shortfall.missing.cost.0,
                missing_tokens: shortfall.missing.tokens,
                on_exhausted: on_exhausted.to_owned(),
                denied: denied.map(str::to_owned),
                overage: bound(shortfall.overage),
            }
        })))
    }

    fn transit(&mut self, op_key: &str, wanted: Move) -> Result<State, Error> {
        let Some(kept) = self.reservations.get(op_key) else {
            return Err(Error::UnknownKey(op_key.chars().take(80).collect()));
        };
        if wanted.only_overdue && !kept.overdue {
            return Ok(kept.reservation.state);
        }
        let step = transition(&kept.reservation, wanted.event)?;
        if step.duplicate {
            return Ok(step.reservation.state);
        }
        let (path, ended_us) = (Arc::clone(&kept.path), kept.ended_us);
        // A dispatch rests on no account. A grant does, also one of nothing: what is left may have changed since.
        if step.effect != Effect::default() {
            self.apply(&path, &step.effect, ended_us)?;
        }
        if !matches!(wanted.event, Event::Dispatch) {
            self.told.extend(path.iter());
        }
        if let Some(kept) = self.reservations.get_mut(op_key) {
            kept.reservation = step.reservation;
            kept.report = wanted.report;
            // A dispatch begins a new lease.
            kept.overdue = false;
            kept.moved = true;
        }
        Ok(step.reservation.state)
    }

    /// On every account of the path, or on none. What comes back for a call that ended in an earlier period is no money
    /// of this one.
    fn apply(&mut self, path: &[Uuid], effect: &Effect, ended_us: Option<i64>) -> Result<(), Error> {
        let mut after = Vec::with_capacity(path.len());
        for uid in path {
            if self.busy.contains(uid) {
                return Err(Error::Busy);
            }
            let held = self.accounts.get(uid).ok_or(Error::AccountMissing(*uid))?;
            let past = held.is_past(ended_us);
            let effect = if past { Effect { spent: Amount::ZERO, ..*effect } } else { *effect };
            after.push((*uid, held.after.apply(&effect)?));
        }
        for (uid, account) in after {
            if let Some(held) = self.accounts.get_mut(&uid) {
                held.after = account;
                held.used = true;
            }
        }
        Ok(())
    }
}

/// What a call asks for.
fn range(request: &ReserveRequest) -> Range {
    let whole = Amount::new(request.cost_micro_usd, request.tokens);
    let least = request.least.map_or(whole, |least| Amount::new(least.cost_micro_usd, least.tokens));
    Range { least, whole }
}

/// None of nothing.
fn bound(amount: Amount) -> Option<Bound> {
    (!amount.is_zero()).then_some(Bound { cost_micro_usd: amount.cost.0, tokens: amount.tokens })
}

fn granted(reservation: &Reservation, whole: Amount) -> ReserveAnswer {
    let Amount { cost, tokens } = reservation.amount;
    let lowered = reservation.amount != whole;
    let bound = lowered.then_some(Bound { cost_micro_usd: cost.0, tokens });
    ReserveAnswer::Granted { state: reservation.state.as_str().to_owned(), bound }
}

#[cfg(test)]
pub(super) mod tests;
