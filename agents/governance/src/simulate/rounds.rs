//! The rounds in which a result was reviewed, each with what it came to and what had been spent by then.

use golden_consensus::{Ballot, OutcomeKind, SeatWeight};
use jiff::Timestamp;
use serde::Deserialize;

/// Those of one attempt, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Rounds(Vec<Round>);

#[derive(Debug)]
pub(super) struct Round {
    /// The additional reviewer was asked beside the voters of the round before.
    pub(super) beside: bool,
    /// When it was asked for, for the last time.
    asked_at: Option<Timestamp>,
    /// Nothing while nobody has decided it.
    pub(super) review: Option<Review>,
}

/// A round that was decided.
#[derive(Debug)]
pub(super) struct Review {
    pub(super) kind: OutcomeKind,
    pub(super) digest: String,
    pub(super) ballots: Vec<Ballot>,
    /// What opinions weighed, where that followed track records.
    pub(super) weights: Vec<SeatWeight>,
    pub(super) took: Option<Took>,
    /// Micro-USD that had been spent.
    pub(super) cost: i64,
}

/// How long a round took.
#[derive(Clone, Copy, Debug)]
pub(super) enum Took {
    /// On its own clock, which stands still while a voter's call waits.
    Clock(i64),
    /// From the request to the decision, with whatever it waited in between: older records say no more.
    AtMost(i64),
}

/// The entry of a decided round.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reviewed {
    decision: OutcomeKind,
    digest: String,
    /// Not in older records.
    #[serde(default)]
    took_seconds: Option<i64>,
    #[serde(default)]
    ballots: Vec<Cast>,
    /// The decision itself, of which nothing else is read.
    #[serde(default)]
    result: Decided,
}

#[derive(Deserialize)]
struct Cast {
    ballot: Ballot,
}

#[derive(Default, Deserialize)]
struct Decided {
    #[serde(default)]
    weights: Vec<SeatWeight>,
}

impl Took {
    pub(super) fn seconds(self) -> i64 {
        match self {
            Self::Clock(seconds) | Self::AtMost(seconds) => seconds,
        }
    }
}

impl Rounds {
    /// A round was asked for: another one, or the same once more where nobody answered.
    pub(super) fn asked(&mut self, at: Option<Timestamp>, beside: bool) {
        match self.open() {
            Some(open) => open.asked_at = at,
            None => self.0.push(Round { beside, asked_at: at, review: None }),
        }
    }

    /// The round that is open was decided.
    pub(super) fn decide(&mut self, reviewed: Reviewed, at: Option<Timestamp>, cost: i64) {
        if self.open().is_none() {
            self.asked(None, false);
        }
        let Some(open) = self.open() else { return };
        let lasted = open.asked_at.zip(at).map(|(from, to)| to.duration_since(from).as_secs());
        open.review = Some(Review {
            kind: reviewed.decision,
            digest: reviewed.digest,
            ballots: reviewed.ballots.into_iter().map(|cast| cast.ballot).collect(),
            weights: reviewed.result.weights,
            took: reviewed.took_seconds.map(Took::Clock).or(lasted.map(Took::AtMost)),
            cost,
        });
    }

    fn open(&mut self) -> Option<&mut Round> {
        self.0.last_mut().filter(|round| round.review.is_none())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Round> {
        self.0.iter()
    }

    /// The one that followed on so many.
    pub(super) fn after(&self, rounds: usize) -> Option<&Round> {
        self.0.get(rounds)
    }

    /// What those came to that were decided.
    pub(super) fn decided(&self) -> impl Iterator<Item = &Review> {
        self.0.iter().filter_map(|round| round.review.as_ref())
    }
}
