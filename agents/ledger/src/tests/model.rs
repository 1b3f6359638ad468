//! Random interleavings of calls, duplicates, lost callers, limit edits and grants on a tree of accounts, against a
//! model that only knows which call ended how.

use crate::{Account, Amount, Effect, Event, Limit, MicroUsd, Reservation, State, reserve, transition};
use proptest::prelude::*;

/// Root, two children, three leaves: each leaf's path, root first.
const PATHS: [&[usize]; 3] = [&[0, 1, 3], &[0, 1, 4], &[0, 2, 5]];
const ACCOUNTS: usize = 6;

#[derive(Clone, Debug)]
enum Action {
    Reserve { leaf: usize, amount: Amount },
    Event { call: usize, event: Event },
    Edit { account: usize, limit: Option<i64> },
    Grant { account: usize, amount: Amount },
}

fn any_amount() -> impl Strategy<Value = Amount> {
    (0..40i64, 0..20i64).prop_map(|(cost, tokens)| Amount::new(cost, tokens))
}

fn any_action() -> impl Strategy<Value = Action> {
    let event = prop_oneof![
        3 => Just(Event::Dispatch),
        3 => any_amount().prop_map(|actual| Event::Settle { actual }),
        1 => Just(Event::Release),
        1 => Just(Event::LeaseEnded),
    ];
    prop_oneof![
        4 => (0..PATHS.len(), any_amount()).prop_map(|(leaf, amount)| Action::Reserve { leaf, amount }),
        8 => (0..30usize, event).prop_map(|(call, event)| Action::Event { call, event }),
        1 => (0..ACCOUNTS, proptest::option::of(0..200i64)).prop_map(|(account, limit)| Action::Edit { account, limit }),
        1 => (0..ACCOUNTS, any_amount()).prop_map(|(account, amount)| Action::Grant { account, amount }),
    ]
}

#[derive(Default)]
struct World {
    accounts: Vec<Account>,
    /// Reservation, and the path that pays for it.
    calls: Vec<(Reservation, &'static [usize])>,
    /// How often money left the `reserved` column for each call.
    freed: Vec<u32>,
}

impl World {
    fn new() -> Self {
        let limit = |l: i64| Limit { cost: Some(MicroUsd(l)), tokens: Some(l) };
        let limits = [limit(150), limit(100), limit(80), limit(60), Limit::default(), limit(80)];
        let accounts = limits.map(|limit| Account { limit, ..Account::default() }).to_vec();
        Self { accounts, ..Self::default() }
    }

    fn apply(&mut self, path: &[usize], effect: &Effect) {
        for at in path {
            self.accounts[*at] = self.accounts[*at].apply(effect).unwrap();
        }
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Reserve { leaf, amount } => {
                let path = PATHS[*leaf];
                let accounts: Vec<Account> = path.iter().map(|at| self.accounts[*at]).collect();
                let Ok(effect) = reserve(&accounts, *amount) else { return };
                self.apply(path, &effect);
                for at in path {
                    let (account, used) = (self.accounts[*at], self.accounts[*at].committed().unwrap());
                    let (limit, granted) = (account.limit, account.granted);
                    let within = |limit: i64, granted: i64, used: i64| used <= limit + granted;
                    let cost = limit.cost.is_none_or(|l| within(l.0, granted.cost.0, used.cost.0));
                    let tokens = limit.tokens.is_none_or(|l| within(l, granted.tokens, used.tokens));
                    assert!(cost && tokens, "reserved above the limit and what was granted beside it");
                    assert!(account.unconfirmed().is_zero(), "granted over an overage");
                }
                self.calls
                    .push((Reservation { state: State::Reserved, amount: *amount, actual: None }, path));
                self.freed.push(0);
            }
            Action::Event { call, event } => {
                let Some((reservation, path)) = self.calls.get(*call).copied() else { return };
                let Ok(step) = transition(&reservation, *event) else { return };
                if step.duplicate {
                    assert_eq!((step.effect, step.reservation), (Effect::default(), reservation));
                }
                let held = |s: State| matches!(s, State::Reserved | State::Dispatched);
                if held(reservation.state) && !held(step.reservation.state) {
                    self.freed[*call] += 1;
                }
                self.apply(path, &step.effect);
                self.calls[*call].0 = step.reservation;
            }
            Action::Edit { account, limit } => {
                let limit = Limit { cost: limit.map(MicroUsd), tokens: *limit };
                self.accounts[*account] = self.accounts[*account].edit_limit(limit).unwrap();
            }
            Action::Grant { account, amount } => {
                self.accounts[*account] = self.accounts[*account].grant(*amount).unwrap();
            }
        }
    }

    /// What the calls alone say each account must hold.
    fn check(&self) {
        assert!(self.freed.iter().all(|n| *n <= 1), "money came back twice");
        for (at, account) in self.accounts.iter().enumerate() {
            assert!(account.row_holds(), "{account:?}");
            let paid = self.calls.iter().filter(|(_, path)| path.contains(&at)).map(|(call, _)| call);
            let (mut reserved, mut used) = (Amount::ZERO, Amount::ZERO);
            for call in paid {
                match call.state {
                    State::Reserved | State::Dispatched => reserved = reserved.plus(call.amount).unwrap(),
                    State::Unknown => used = used.plus(call.amount).unwrap(),
                    State::Settled => used = used.plus(call.actual.unwrap()).unwrap(),
                    State::Released => {}
                }
            }
            assert_eq!(account.reserved, reserved);
            // Every unit that was used is in exactly one of the two columns.
            assert_eq!(account.spent.plus(account.overage).unwrap(), used);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_interleaving_overdraws_loses_or_doubles_money(actions in proptest::collection::vec(any_action(), 1..120)) {
        let mut world = World::new();
        for action in &actions {
            world.act(action);
            world.check();
        }
    }

    #[test]
    fn every_event_twice_is_every_event_once(actions in proptest::collection::vec(any_action(), 1..80)) {
        let (mut once, mut twice) = (World::new(), World::new());
        for action in &actions {
            once.act(action);
            twice.act(action);
            if matches!(action, Action::Event { .. }) {
                twice.act(action);
            }
        }
        prop_assert_eq!(once.accounts, twice.accounts);
    }
}

#[test]
fn generated_histories_reach_every_state() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let strategy = proptest::collection::vec(any_action(), 60..120);
    let mut seen = std::collections::HashSet::new();
    let mut refused = 0;
    for _ in 0..50 {
        let actions = strategy.new_tree(&mut runner).unwrap().current();
        let mut world = World::new();
        for action in &actions {
            world.act(action);
        }
        seen.extend(world.calls.iter().map(|(call, _)| call.state));
        refused += actions.iter().filter(|a| matches!(a, Action::Reserve { .. })).count() - world.calls.len();
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert!(refused > 50, "limits are too wide to be met: {refused}");
}
