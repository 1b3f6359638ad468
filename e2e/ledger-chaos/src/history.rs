//! What was asked and what was answered, with when: all that the checks know.

use crate::amount::{Amount, Both, Limit};
use std::time::{Duration, Instant};

/// A moment of a round, in nanoseconds from its begin.
pub type Moment = u64;
/// Of a question that was never answered: what it asks for may happen at any later time.
pub const NEVER: Moment = Moment::MAX;

/// A round's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn now(&self) -> Moment {
        moment(self.0.elapsed())
    }
}

pub fn moment(of: Duration) -> Moment {
    Moment::try_from(of.as_nanos()).unwrap_or(NEVER)
}

/// One call of a model, and what pays for it. Everything but its number follows from the number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub key: String,
    /// Index of the task that makes it.
    pub task: usize,
    pub whole: Amount,
    /// The least that it can be made with; all or nothing without one.
    pub least: Option<Amount>,
}

impl Call {
    /// Whether anything can be granted: the least is between nothing and the whole.
    pub fn is_sound(&self) -> bool {
        self.least.is_none_or(|least| Both::same(0).within(least) && least.within(self.whole))
    }

    /// The least that a grant is.
    pub fn floor(&self) -> Amount {
        self.least.filter(|_| self.is_sound()).unwrap_or(self.whole)
    }
}

/// What is asked about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    Reserve {
        dispatch: bool,
    },
    /// The same key with another request's hash.
    ReserveOther,
    Dispatch,
    Settle {
        used: Amount,
    },
    Release,
    Abandon,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// To a reserve: the call has its money, or had it. The bound is told where it is not the whole.
    Granted {
        state: State,
        bound: Option<Amount>,
    },
    /// To any other question: the call's state now.
    State(State),
    Exhausted,
    OtherRequest,
    /// What was asked for makes no sense.
    Invalid,
    /// There is no such reservation.
    NotFound,
    /// The call's state does not allow it.
    Conflict,
    /// None, or one that does not say what happened: it may have happened, or may yet.
    None,
    /// One that must not come.
    Strange(String),
}

impl Answer {
    /// The state of the call, if that was told.
    pub fn state(&self) -> Option<State> {
        match self {
            Self::Granted { state, .. } | Self::State(state) => Some(*state),
            _ => None,
        }
    }

    /// The bound that a call with this whole has by the answer. Of a call that has ended it need not be told.
    pub fn bound(&self, whole: Amount) -> Option<Amount> {
        match self {
            Self::Granted { bound: Some(bound), .. } => Some(*bound),
            Self::Granted { state, bound: None } if !state.is_end() => Some(whole),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Reserved,
    Dispatched,
    Settled,
    Released,
    Unknown,
}

impl State {
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "Reserved" => Self::Reserved,
            "Dispatched" => Self::Dispatched,
            "Settled" => Self::Settled,
            "Released" => Self::Released,
            "Unknown" => Self::Unknown,
            _ => return None,
        })
    }

    /// Nothing changes any more.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Settled | Self::Released)
    }
}

/// One question with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub ask: Ask,
    pub answer: Answer,
    pub start: Moment,
    /// [`NEVER`] without an answer.
    pub end: Moment,
}

/// An edit of an account's limits: in force at the earliest from `start`, at the latest from `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    pub account: usize,
    pub limit: Limit,
    pub start: Moment,
    pub end: Moment,
}

/// A call and everything that was asked about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    pub call: Call,
    pub events: Vec<Event>,
}

/// All of a round.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub stories: Vec<Story>,
    pub edits: Vec<Edit>,
}

/// A row as Postgres has it in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub state: State,
    /// What was granted.
    pub bound: Amount,
    /// What it used, or counts as used.
    pub actual: Both<Option<i64>>,
}

/// An account as Postgres has it in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Books {
    pub limit: Limit,
    pub spent: Amount,
    pub reserved: Amount,
    pub overage: Amount,
    pub committed_at_edit: Amount,
}
