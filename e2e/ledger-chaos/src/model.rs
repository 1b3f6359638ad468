//! What the ledger promises about one call, written down plainly and apart from the ledger: which answers a question
//! may have in a state, and the state after each. Whether there is money is not the call's business; the checks of
//! the accounts are about that. Nor is how much of its range a call gets: only that it is in the range, and that one
//! call has one bound for ever.

use crate::amount::Amount;
use crate::history::{Answer, Ask, Call, State};

/// Where a call stands. Its bound is fixed; what it used is known once it is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stand {
    Nothing,
    Reserved,
    Dispatched,
    Settled { used: Amount },
    Released,
    Unknown,
}

impl Stand {
    fn state(self) -> Option<State> {
        Some(match self {
            Self::Nothing => return None,
            Self::Reserved => State::Reserved,
            Self::Dispatched => State::Dispatched,
            Self::Settled { .. } => State::Settled,
            Self::Released => State::Released,
            Self::Unknown => State::Unknown,
        })
    }

    fn shown(self) -> Answer {
        self.state().map_or(Answer::NotFound, Answer::State)
    }

    /// Every way the question may be answered here, with where the call stands then. `bound` is what the call is
    /// granted, now or before.
    pub fn ways(self, ask: Ask, call: &Call, bound: Amount) -> Vec<(Answer, Stand)> {
        let to = match ask {
            Ask::Reserve { .. } | Ask::ReserveOther if !call.is_sound() => {
                return vec![(Answer::Invalid, self)];
            }
            Ask::Reserve { dispatch } => return self.reserve(dispatch, call, bound),
            // Only asked once the call is known to be reserved.
            Ask::ReserveOther if self == Self::Nothing => return vec![],
            Ask::ReserveOther => return vec![(Answer::OtherRequest, self)],
            _ if self == Self::Nothing => Some(self),
            Ask::Dispatch => self.dispatched(),
            Ask::Settle { used } => self.settled(used),
            Ask::Release => self.released(),
            Ask::Abandon => Some(self.lease_ended()),
        };
        vec![to.map_or((Answer::Conflict, self), |stand| (stand.shown(), stand))]
    }

    fn reserve(self, dispatch: bool, call: &Call, bound: Amount) -> Vec<(Answer, Stand)> {
        let mut stands = match self {
            Self::Nothing => vec![Self::Reserved],
            known => vec![known],
        };
        // One that asks for both steps may make the second too.
        if dispatch && matches!(self, Self::Nothing | Self::Reserved) {
            stands.push(Self::Dispatched);
        }
        let told = (bound != call.whole).then_some(bound);
        let mut ways: Vec<_> = stands.into_iter().flat_map(|stand| stand.granted(told)).collect();
        if self == Self::Nothing {
            ways.push((Answer::Exhausted, self));
        }
        ways
    }

    /// Whoever asks again is told the same bound. Once the call has ended nothing is reserved, and the bound may be
    /// left out.
    fn granted(self, told: Option<Amount>) -> Vec<(Answer, Stand)> {
        let Some(state) = self.state() else { return vec![] };
        let mut bounds = vec![told];
        if state.is_end() && told.is_some() {
            bounds.push(None);
        }
        bounds.into_iter().map(|bound| (Answer::Granted { state, bound }, self)).collect()
    }

    /// Where a dispatch leads; None if it is refused.
    fn dispatched(self) -> Option<Self> {
        matches!(self, Self::Reserved | Self::Dispatched).then_some(Self::Dispatched)
    }

    /// The first report counts.
    fn settled(self, used: Amount) -> Option<Self> {
        match self {
            Self::Dispatched | Self::Unknown => Some(Self::Settled { used }),
            Self::Settled { .. } => Some(self),
            _ => None,
        }
    }

    fn released(self) -> Option<Self> {
        matches!(self, Self::Reserved | Self::Released).then_some(Self::Released)
    }

    /// After the lease's end.
    #[must_use]
    pub fn lease_ended(self) -> Self {
        match self {
            Self::Reserved => Self::Released,
            Self::Dispatched => Self::Unknown,
            ended => ended,
        }
    }
}
