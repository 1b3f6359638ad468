//! What the ledger promises about one call, written down plainly and apart from the ledger: which answers a question
//! may have in a state, and the state after each. Whether there is money is not the call's business; the checks of
//! the accounts are about that.

use crate::history::{Answer, Ask, State};

/// Where a call stands. The bound is fixed; what it cost is known once it is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stand {
    Nothing,
    Reserved,
    Dispatched,
    Settled { cost: i64 },
    Released,
    Unknown,
}

impl Stand {
    fn shown(self) -> Answer {
        match self {
            Self::Nothing => Answer::NotFound,
            Self::Reserved => Answer::State(State::Reserved),
            Self::Dispatched => Answer::State(State::Dispatched),
            Self::Settled { .. } => Answer::State(State::Settled),
            Self::Released => Answer::State(State::Released),
            Self::Unknown => Answer::State(State::Unknown),
        }
    }

    /// Every way the question may be answered here, with where the call stands then.
    pub fn ways(self, ask: Ask) -> Vec<(Answer, Stand)> {
        let to = match ask {
            Ask::Reserve { dispatch } => return self.reserve(dispatch),
            // Only asked once the call is known to be reserved.
            Ask::ReserveOther if self == Self::Nothing => return vec![],
            Ask::ReserveOther => return vec![(Answer::OtherRequest, self)],
            _ if self == Self::Nothing => Some(self),
            Ask::Dispatch => self.dispatched(),
            Ask::Settle { cost } => self.settled(cost),
            Ask::Release => self.released(),
            Ask::Abandon => Some(self.lease_ended()),
        };
        vec![to.map_or((Answer::Conflict, self), |stand| (stand.shown(), stand))]
    }

    fn reserve(self, dispatch: bool) -> Vec<(Answer, Stand)> {
        let mut stands = match self {
            Self::Nothing => vec![Self::Reserved],
            known => vec![known],
        };
        // One that asks for both steps may make the second too.
        if dispatch && matches!(self, Self::Nothing | Self::Reserved) {
            stands.push(Self::Dispatched);
        }
        let mut ways: Vec<_> = stands.into_iter().map(|stand| (stand.shown(), stand)).collect();
        if self == Self::Nothing {
            ways.push((Answer::Exhausted, self));
        }
        ways
    }

    /// Where a dispatch leads; None if it is refused.
    fn dispatched(self) -> Option<Self> {
        matches!(self, Self::Reserved | Self::Dispatched).then_some(Self::Dispatched)
    }

    /// The first report counts.
    fn settled(self, cost: i64) -> Option<Self> {
        match self {
            Self::Dispatched | Self::Unknown => Some(Self::Settled { cost }),
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
