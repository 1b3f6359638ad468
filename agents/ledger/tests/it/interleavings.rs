//! Every interleaving of two callers on a tree of two accounts, looked at one by one.

use golden_ledger::{Amount, Reservation, State};
use stateright::{Checker as _, HasDiscoveries, Model as _, Property};

use crate::world::{CallState, Caller, Fault, Small, World};

const TREE: &[usize] = &[0, 1];
const ROOT: &[usize] = &[0];

/// What must hold in every state, and what must be reachable, lest the model prove nothing.
pub(crate) fn properties() -> Vec<Property<Small>> {
    vec![
        Property::always("no event breaks a promise", |_: &Small, w: &World| w.broken.is_none()),
        Property::always(
            "never above the limit, or what was committed when it was edited",
            |_: &Small, w: &World| {
                w.accounts.iter().zip(w.ceiling).all(|(account, ceiling)| {
                    account.row_holds() && account.committed().is_ok_and(|c| c.cost.0 <= ceiling)
                })
            },
        ),
        Property::always("a key is charged once: the accounts are the sum of the calls", sums),
        Property::always("dispatched money is never handed out again", |_: &Small, w: &World| {
            w.calls.iter().all(kept)
        }),
        Property::always("nothing goes upstream that is not dispatched", |_: &Small, w: &World| {
            w.calls.iter().all(|c| c.used.is_none() || c.was_dispatched)
        }),
        Property::always("the leases' ends bring every call to its end", ends),
        Property::sometimes("two calls settle", |_: &Small, w: &World| {
            w.calls.iter().filter(|c| in_state(c, State::Settled)).count() == 2
        }),
        Property::sometimes("the usage of an unknown call is found, and is more", |_: &Small, w: &World| {
            w.accounts[0].overage != Amount::ZERO
                && w.calls[0].was_unknown
                && in_state(&w.calls[0], State::Settled)
        }),
        Property::sometimes("a caller is refused", |_: &Small, w: &World| {
            w.calls.iter().any(|c| c.row.is_none() && c.caller == Caller::Done)
        }),
        Property::sometimes("a call is released", |_: &Small, w: &World| {
            w.calls.iter().any(|c| in_state(c, State::Released))
        }),
        Property::sometimes("a call stays unknown", |_: &Small, w: &World| {
            w.calls.iter().any(|c| in_state(c, State::Unknown) && c.caller == Caller::Done)
        }),
    ]
}

fn in_state(call: &CallState, state: State) -> bool {
    call.row.is_some_and(|row| row.0.state == state)
}

/// Each account holds exactly what the calls it pays for hold and have spent.
fn sums(model: &Small, world: &World) -> bool {
    world.accounts.iter().enumerate().all(|(at, account)| {
        let paid = |call: &usize| model.calls[*call].1.contains(&at);
        let (mut held, mut used) = (0, 0);
        for row in (0..world.calls.len()).filter(paid).filter_map(|call| world.calls[call].row) {
            let Reservation { state, amount, actual } = row.0;
            match state {
                State::Reserved | State::Dispatched => held += amount.cost.0,
                State::Unknown => used += amount.cost.0,
                State::Settled => used += actual.map_or(0, |a| a.cost.0),
                State::Released => {}
            }
        }
        account.reserved.cost.0 == held && account.spent.cost.0 + account.overage.cost.0 == used
    })
}

/// What went upstream stays covered: by its bound (`sums`) until its usage is known, then by that.
fn kept(call: &CallState) -> bool {
    let Some(row) = call.row.filter(|_| call.was_dispatched) else { return true };
    let Reservation { state, actual, .. } = row.0;
    match state {
        State::Dispatched | State::Unknown => true,
        State::Settled => actual.is_some_and(|a| Some(a.cost.0) == call.used),
        State::Reserved | State::Released => false,
    }
}

/// With every caller dead: the ends of leases alone close all that is open.
fn ends(model: &Small, world: &World) -> bool {
    let mut later = world.clone();
    for call in 0..later.calls.len() {
        model.end_lease(&mut later, call);
    }
    let ended = |c: &CallState| !in_state(c, State::Reserved) && !in_state(c, State::Dispatched);
    later.broken == world.broken && later.calls.iter().all(ended) && sums(model, &later)
}

fn small() -> Small {
    Small {
        calls: vec![(0, TREE), (1, TREE)],
        limits: [3, 2],
        amounts: vec![1, 2],
        edits: 1,
        crashes: true,
        fault: None,
    }
}

/// Looks at every state and returns how many there are.
fn hold(model: Small) -> usize {
    let checked = model.checker().threads(2).spawn_bfs().join();
    checked.assert_properties();
    checked.unique_state_count()
}

#[test]
fn two_callers_under_one_child_keep_every_promise_in_every_order() {
    let states = hold(small());
    assert!(states > 100_000, "{states} states: the model became too small to say anything");
}

#[test]
fn a_caller_of_the_root_and_one_of_its_child_keep_every_promise_in_every_order() {
    let states = hold(Small { calls: vec![(0, TREE), (1, ROOT)], limits: [2, 2], crashes: false, ..small() });
    assert!(states > 30_000, "{states} states: the model became too small to say anything");
}

#[test]
fn a_caller_that_calls_again_after_its_end_keeps_every_promise_in_every_order() {
    let calls = vec![(0, TREE), (1, TREE), (0, TREE)];
    let states = hold(Small { calls, amounts: vec![1], edits: 0, ..small() });
    assert!(states > 40_000, "{states} states: the model became too small to say anything");
}

#[test]
fn each_fault_of_a_service_is_seen() {
    let faults = [
        (Fault::ReservesTwice, "a key is charged once: the accounts are the sum of the calls"),
        (Fault::SettlesTwice, "a key is charged once: the accounts are the sum of the calls"),
        (Fault::AsksTheLeafAlone, "no event breaks a promise"),
        (Fault::ReturnsDispatched, "dispatched money is never handed out again"),
        (Fault::ForgetsTheEdit, "never above the limit, or what was committed when it was edited"),
        (Fault::LeavesDispatched, "the leases' ends bring every call to its end"),
    ];
    for (fault, property) in faults {
        // The root lacks what its child has, so that asking the child alone shows.
        let model = Small { limits: [2, 3], fault: Some(fault), ..small() };
        let seen = HasDiscoveries::AnyOf([property].into());
        let checked = model.checker().threads(2).finish_when(seen).spawn_bfs().join();
        assert!(checked.discovery(property).is_some(), "{fault:?} was not seen");
    }
}
