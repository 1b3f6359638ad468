//! What was asked and what was answered, with when: all that the checks know.

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
    pub bound: i64,
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
        cost: i64,
    },
    Release,
    Abandon,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The call's state now.
    State(State),
    Exhausted,
    OtherRequest,
    /// There is no such reservation.
    NotFound,
    /// The call's state does not allow it.
    Conflict,
    /// None, or one that does not say what happened: it may have happened, or may yet.
    None,
    /// One that must not come.
    Strange(String),
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

/// An edit of an account's limit: in force at the earliest from `start`, at the latest from `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    pub account: usize,
    pub limit: Option<i64>,
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
    pub bound: i64,
    pub actual: Option<i64>,
}

/// An account as Postgres has it in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Books {
    pub limit: Option<i64>,
    pub spent: i64,
    pub reserved: i64,
    pub overage: i64,
    pub committed_at_edit: i64,
}
