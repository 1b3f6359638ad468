//! A small ledger whose every interleaving can be looked at: callers that may die, requests that arrive late, twice
//! and in any order, leases that end, limits that are edited, more that is granted. All decisions are the crate's own functions; the
//! world only carries their results, as the service does. It can be built with one fault in it, to show that the
//! properties see one.

use std::hash::{Hash, Hasher};

use golden_ledger::{Account, Amount, Event, Limit, MicroUsd, Reservation, State, reserve, transition};
use stateright::Model;

/// Who makes a call, and which accounts pay for it, root first. Account 0 is the root, 1 its child.
pub(crate) type Call = (usize, &'static [usize]);

/// What is explored.
#[derive(Clone, Debug)]
pub(crate) struct Small {
    pub(crate) calls: Vec<Call>,
    pub(crate) limits: [i64; 2],
    /// Bounds a caller may reserve.
    pub(crate) amounts: Vec<i64>,
    pub(crate) edits: u8,
    pub(crate) crashes: bool,
    pub(crate) fault: Option<Fault>,
}

/// What a broken service could do with correct rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A key that is known reserves again.
    ReservesTwice,
    /// The effect of an event is applied although it was a duplicate of one that had its effect.
    SettlesTwice,
    /// Only the leaf is asked whether it can pay.
    AsksTheLeafAlone,
    /// A lease's end gives dispatched money back.
    ReturnsDispatched,
    /// A limit is edited without what is committed being kept beside it.
    ForgetsTheEdit,
    /// Leases of dispatched calls never end.
    LeavesDispatched,
}

/// How far the caller of a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    #[default]
    Idle,
    Reserving {
        bound: i64,
    },
    Granted {
        bound: i64,
    },
    Dispatching {
        bound: i64,
    },
    /// Told that the dispatch is durable: the first byte may go upstream.
    Cleared {
        bound: i64,
    },
    Sent {
        used: i64,
    },
    Settling {
        used: i64,
    },
    Releasing,
    Done,
}

/// What a caller asks the ledger for. Once asked it may arrive at any time and any number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Request {
    Reserve { bound: i64 },
    Dispatch,
    Settle { used: i64 },
    Release,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct CallState {
    pub(crate) caller: Caller,
    pub(crate) asked: Vec<Request>,
    pub(crate) row: Option<Row>,
    /// What the provider really used, once the call went upstream.
    pub(crate) used: Option<i64>,
    /// What the row ever was.
    pub(crate) was_dispatched: bool,
    pub(crate) was_unknown: bool,
}

/// A [`Reservation`], which has no hash of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row(pub(crate) Reservation);

impl Hash for Row {
    fn hash<H: Hasher>(&self, into: &mut H) {
        (self.0.state, self.0.amount, self.0.actual).hash(into);
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) accounts: [Account; 2],
    pub(crate) calls: Vec<CallState>,
    pub(crate) dead: [bool; 2],
    pub(crate) edits: u8,
    /// The highest that may be committed, by the last edit of each account.
    pub(crate) ceiling: [i64; 2],
    /// The first promise that an event broke.
    pub(crate) broken: Option<&'static str>,
}

impl Hash for World {
    fn hash<H: Hasher>(&self, into: &mut H) {
        for a in &self.accounts {
            (a.limit.cost, a.granted, a.spent, a.reserved, a.overage, a.committed_at_edit).hash(into);
        }
        (&self.calls, self.dead, self.edits, self.ceiling, self.broken).hash(into);
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Action {
    /// The caller takes its next step by itself.
    Move {
        call: usize,
        to: Caller,
        ask: Option<Request>,
    },
    /// The caller sends upstream, and the provider uses this.
    Send {
        call: usize,
        used: i64,
    },
    /// A request arrives; the answer is heard or lost.
    Arrive {
        call: usize,
        request: Request,
        heard: bool,
    },
    LeaseEnds {
        call: usize,
    },
    Edit {
        account: usize,
        limit: i64,
    },
    /// A person grants this much beside the limit; counts as an edit.
    Grant {
        account: usize,
        amount: i64,
    },
    Crash {
        caller: usize,
    },
}

pub(crate) fn money(n: i64) -> Amount {
    Amount::new(n, n)
}

pub(crate) fn limit(n: i64) -> Limit {
    Limit { cost: Some(MicroUsd(n)), tokens: Some(n) }
}

impl Model for Small {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            accounts: self.limits.map(|n| Account { limit: limit(n), ..Account::default() }),
            calls: vec![CallState::default(); self.calls.len()],
            dead: [false; 2],
            edits: 0,
            ceiling: self.limits,
            broken: None,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (call, state) in world.calls.iter().enumerate() {
            if !world.dead[self.calls[call].0] {
                self.moves(world, call, actions);
            }
            for request in &state.asked {
                for heard in [true, false] {
                    actions.push(Action::Arrive { call, request: *request, heard });
                }
            }
            if state.row.is_some() {
                actions.push(Action::LeaseEnds { call });
            }
        }
        if world.edits < self.edits {
            for account in 0..2 {
                actions.extend([1, 3].map(|limit| Action::Edit { account, limit }));
                actions.push(Action::Grant { account, amount: 1 });
            }
        }
        if self.crashes {
            actions.extend((0..2).map(|caller| Action::Crash { caller }));
        }
    }

    /// None where nothing changes, so that a duplicate without an effect is no way round in circles.
    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Move { call, to, ask } => {
                world.calls[call].caller = to;
                world.calls[call].asked.extend(ask);
            }
            Action::Send { call, used } => {
                world.calls[call].used = Some(used);
                world.calls[call].caller = Caller::Sent { used };
            }
            Action::Arrive { call, request, heard } => {
                let answer = self.arrive(&mut world, call, request);
                if heard && !world.dead[self.calls[call].0] {
                    world.calls[call].hear(request, answer);
                }
            }
            Action::LeaseEnds { call } => self.end_lease(&mut world, call),
            Action::Edit { account, limit: n } if world.accounts[account].limit == limit(n) => {}
            Action::Edit { account, limit: n } => self.edit(&mut world, account, |a| a.edit_limit(limit(n))),
            Action::Grant { account, amount } => self.edit(&mut world, account, |a| a.grant(money(amount))),
            Action::Crash { caller } => world.dead[caller] = true,
        }
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        crate::interleavings::properties()
    }
}

impl Small {
    /// What a living caller may do next. A caller's later call waits for its earlier one.
    fn moves(&self, world: &World, call: usize, actions: &mut Vec<Action>) {
        let owner = self.calls[call].0;
        let busy = (0..call).any(|c| self.calls[c].0 == owner && world.calls[c].caller != Caller::Done);
        if busy {
            return;
        }
        let mut go = |to, ask| actions.push(Action::Move { call, to, ask });
        match world.calls[call].caller {
            Caller::Idle => {
                for bound in self.amounts.iter().copied() {
                    go(Caller::Reserving { bound }, Some(Request::Reserve { bound }));
                }
            }
            Caller::Granted { bound } => {
                go(Caller::Dispatching { bound }, Some(Request::Dispatch));
                go(Caller::Releasing, Some(Request::Release));
            }
            Caller::Sent { used } => go(Caller::Settling { used }, Some(Request::Settle { used })),
            Caller::Cleared { bound } => {
                // Less than was reserved, as much, and more.
                actions.extend((bound - 1..=bound + 1).map(|used| Action::Send { call, used }));
            }
            _ => {}
        }
    }

    /// What the service does with a request. The answer is the row's state, if there is one to tell.
    fn arrive(&self, world: &mut World, call: usize, request: Request) -> Option<State> {
        let event = match request {
            Request::Reserve { bound } => return self.reserve(world, call, bound),
            Request::Dispatch => Event::Dispatch,
            Request::Settle { used } => Event::Settle { actual: money(used) },
            Request::Release => Event::Release,
        };
        self.happen(world, call, event)
    }

    fn reserve(&self, world: &mut World, call: usize, bound: i64) -> Option<State> {
        let path = self.calls[call].1;
        if let (Some(row), true) = (world.calls[call].row, self.fault != Some(Fault::ReservesTwice)) {
            return Some(row.0.state);
        }
        let mut accounts: Vec<Account> = path.iter().map(|at| world.accounts[*at]).collect();
        if self.fault == Some(Fault::AsksTheLeafAlone) {
            accounts.drain(..accounts.len() - 1);
        }
        let effect = reserve(&accounts, money(bound)).ok()?;
        world.apply(path, &effect);
        for at in path {
            let account = world.accounts[*at];
            let most = account.limit.cost.map(|l| l.0 + account.granted.cost.0);
            let within = most.is_none_or(|most| account.committed().unwrap().cost.0 <= most);
            world.expect(within, "a reservation stays within every limit as it is now");
            world.expect(account.unconfirmed().is_zero(), "nothing is granted over an overage");
        }
        let reservation = Reservation { state: State::Reserved, amount: money(bound), actual: None };
        world.calls[call].row = Some(Row(reservation));
        Some(State::Reserved)
    }

    /// An event on a call's row; refused events change nothing.
    fn happen(&self, world: &mut World, call: usize, event: Event) -> Option<State> {
        let Row(before) = world.calls[call].row?;
        let Ok(step) = transition(&before, event) else { return None };
        if step.duplicate {
            let same = step.reservation == before && step.effect == golden_ledger::Effect::default();
            world.expect(same, "a duplicate has no effect");
        }
        if self.fault == Some(Fault::SettlesTwice) && step.duplicate && matches!(event, Event::Settle { .. })
        {
            let twice = golden_ledger::Effect { spent: before.actual.unwrap(), ..Default::default() };
            world.apply(self.calls[call].1, &twice);
        }
        world.apply(self.calls[call].1, &step.effect);
        world.calls[call].row = Some(Row(step.reservation));
        world.calls[call].was_dispatched |= step.reservation.state == State::Dispatched;
        world.calls[call].was_unknown |= step.reservation.state == State::Unknown;
        Some(step.reservation.state)
    }

    pub(crate) fn end_lease(&self, world: &mut World, call: usize) {
        let dispatched = world.calls[call].row.is_some_and(|row| row.0.state == State::Dispatched);
        match self.fault {
            Some(Fault::LeavesDispatched) if dispatched => {}
            Some(Fault::ReturnsDispatched) if dispatched => {
                if let Some(row) = &mut world.calls[call].row {
                    row.0.state = State::Reserved;
                }
                self.happen(world, call, Event::LeaseEnded);
            }
            _ => drop(self.happen(world, call, Event::LeaseEnded)),
        }
    }

    /// A person's edit of a limit, or grant beside it.
    fn edit(
        &self,
        world: &mut World,
        at: usize,
        edit: impl FnOnce(&Account) -> Result<Account, golden_ledger::AmountError>,
    ) {
        let before = world.accounts[at];
        world.edits += 1;
        world.accounts[at] = edit(&before).unwrap();
        if self.fault == Some(Fault::ForgetsTheEdit) {
            world.accounts[at].committed_at_edit = Amount::ZERO;
        }
        let after = world.accounts[at];
        let most = after.limit.cost.unwrap().0 + after.granted.cost.0;
        world.ceiling[at] = most.max(after.committed().unwrap().cost.0);
        let total = |a: &Account| a.committed().and_then(|c| c.plus(a.overage)).unwrap();
        world.expect(total(&before) == total(&after), "an edit moves no money");
    }
}

impl World {
    fn apply(&mut self, path: &[usize], effect: &golden_ledger::Effect) {
        for at in path {
            match self.accounts[*at].apply(effect) {
                Ok(account) => self.accounts[*at] = account,
                Err(_) => self.expect(false, "no account goes below zero"),
            }
        }
    }

    fn expect(&mut self, holds: bool, promise: &'static str) {
        if !holds && self.broken.is_none() {
            self.broken = Some(promise);
        }
    }
}

impl CallState {
    /// The caller goes on with an answer to what it waits for, and gives up at a refusal.
    fn hear(&mut self, request: Request, answer: Option<State>) {
        self.caller = match (self.caller, request, answer) {
            (Caller::Reserving { bound }, Request::Reserve { .. }, Some(State::Reserved)) => {
                Caller::Granted { bound }
            }
            (Caller::Dispatching { bound }, Request::Dispatch, Some(State::Dispatched)) => {
                Caller::Cleared { bound }
            }
            (Caller::Reserving { .. }, Request::Reserve { .. }, _)
            | (Caller::Dispatching { .. }, Request::Dispatch, _)
            | (Caller::Settling { .. }, Request::Settle { .. }, _)
            | (Caller::Releasing, Request::Release, _) => Caller::Done,
            (now, ..) => now,
        };
    }
}
