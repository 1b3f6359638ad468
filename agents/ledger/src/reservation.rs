//! The life of a reservation.
//!
//! ```text
//! Reserved ──dispatch──▶ Dispatched ──settle──▶ Settled
//!    │                       └──lease ends──▶ Unknown ──settle (usage found)──▶ Settled
//!    └──release, lease ends──▶ Released
//! ```
//!
//! Dispatched is durable before the first byte goes upstream. From then on the money may be spent: it is never
//! released, and if nobody saw the end it counts as spent in full until the usage is found. Duplicates get the
//! first answer and no second effect.

use crate::amount::{Amount, AmountError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    Reserved,
    Dispatched,
    Settled,
    Released,
    /// The end was not seen: spent in full until the usage is found.
    Unknown,
}

/// One call's reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    pub state: State,
    /// The bound that was reserved.
    pub amount: Amount,
    /// What was used, once settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<Amount>,
}

/// What happens to a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The call is about to go upstream.
    Dispatch,
    /// The call ended, and this was used. A call that was refused before any work settles at zero.
    Settle { actual: Amount },
    /// The call will not go upstream.
    Release,
    /// The caller has not been heard of for the lease's time.
    LeaseEnded,
}

/// What changes in every account of the path: differences, to be added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    pub reserved: Amount,
    pub spent: Amount,
    pub overage: Amount,
}

/// The outcome of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub reservation: Reservation,
    pub effect: Effect,
    /// The event had happened before (or came too late to matter): nothing changes.
    pub duplicate: bool,
}

/// An event that must not happen in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllegalTransition {
    #[error("the reservation is {0}, the call must not go upstream; reserve under a new operation key")]
    DispatchAfterEnd(State),
    #[error(
        "the reservation was not dispatched ({0}) and cannot be settled; a call went upstream without dispatch"
    )]
    SettleWithoutDispatch(State),
    #[error("the reservation is {0}: the money may be spent and cannot be released; settle it")]
    ReleaseAfterDispatch(State),
    #[error(transparent)]
    Amount(#[from] AmountError),
}

/// The next state and its effect.
pub fn transition(reservation: &Reservation, event: Event) -> Result<Step, IllegalTransition> {
    use State::{Dispatched, Released, Reserved, Settled, Unknown};
    let amount = reservation.amount.checked()?;
    let released = Effect { reserved: Amount::ZERO.minus(amount)?, ..Effect::default() };
    match (reservation.state, event) {
        (Reserved, Event::Dispatch) => Ok(step(reservation, Dispatched, None, Effect::default())),
        (Reserved, Event::Release | Event::LeaseEnded) => Ok(step(reservation, Released, None, released)),
        (Dispatched, Event::LeaseEnded) => {
            Ok(step(reservation, Unknown, None, Effect { spent: amount, ..released }))
        }
        (Dispatched, Event::Settle { actual }) => {
            let (spent, overage) = split(actual.checked()?, amount)?;
            Ok(step(reservation, Settled, Some(actual), Effect { spent, overage, ..released }))
        }
        (Unknown, Event::Settle { actual }) => {
            // It counted as spent in full; the difference goes back, or over.
            let (spent, overage) = split(actual.checked()?, amount)?;
            let effect = Effect { spent: spent.minus(amount)?, overage, ..Effect::default() };
            Ok(step(reservation, Settled, Some(actual), effect))
        }
        (Dispatched, Event::Dispatch)
        | (Settled, Event::Settle { .. })
        | (Released, Event::Release)
        | (Settled | Released | Unknown, Event::LeaseEnded) => {
            Ok(Step { reservation: *reservation, effect: Effect::default(), duplicate: true })
        }
        (state @ (Settled | Released | Unknown), Event::Dispatch) => {
            Err(IllegalTransition::DispatchAfterEnd(state))
        }
        (state @ (Reserved | Released), Event::Settle { .. }) => {
            Err(IllegalTransition::SettleWithoutDispatch(state))
        }
        (state @ (Dispatched | Settled | Unknown), Event::Release) => {
            Err(IllegalTransition::ReleaseAfterDispatch(state))
        }
    }
}

/// What was used, in what was reserved and what goes beyond.
fn split(actual: Amount, reserved: Amount) -> Result<(Amount, Amount), AmountError> {
    let spent = actual.min(reserved);
    Ok((spent, actual.minus(spent)?))
}

fn step(from: &Reservation, state: State, actual: Option<Amount>, effect: Effect) -> Step {
    let reservation = Reservation { state, actual: actual.or(from.actual), ..*from };
    Step { reservation, effect, duplicate: false }
}

impl State {
    /// The name as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "Reserved",
            Self::Dispatched => "Dispatched",
            Self::Settled => "Settled",
            Self::Released => "Released",
            Self::Unknown => "Unknown",
        }
    }

    /// Reads the stored name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Reserved, Self::Dispatched, Self::Settled, Self::Released, Self::Unknown]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
