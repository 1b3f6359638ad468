//! What each ballot changed: the outcome without it, and with its opposite.

use crate::decide::{Case, Vote};
use crate::outcome::{Outcome, OutcomeKind};
use crate::tally::Shares;
use serde::{Deserialize, Serialize};

/// One ballot's influence on the outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Impact {
    pub voter: String,
    /// The outcome had this ballot not been cast, and the review closed.
    pub without: OutcomeKind,
    /// The outcome had it said the opposite; the actual outcome for an abstention, which has no opposite.
    pub opposite: OutcomeKind,
    /// Whether either differs from the actual outcome.
    pub pivotal: bool,
}

pub(crate) fn impact(case: &Case<'_>, votes: &[Vote<'_>], shares: &Shares, actual: &Outcome) -> Vec<Impact> {
    let actual = actual.kind();
    let mut others = votes.to_vec();
    let mut impacts = Vec::with_capacity(votes.len());
    for (index, vote) in votes.iter().enumerate() {
        let opposite = vote.verdict.opposite().map_or(actual, |verdict| {
            others[index].verdict = verdict;
            let outcome = case.kind(&others, shares);
            others[index].verdict = vote.verdict;
            outcome
        });
        // The order of votes is no matter: the one in question goes to the end, which is left out.
        let last = others.len() - 1;
        others.swap(index, last);
        let without = case.kind(&others[..last], &case.shares(&others[..last]));
        others.swap(index, last);
        let pivotal = without != actual || opposite != actual;
        impacts.push(Impact { voter: vote.voter.to_owned(), without, opposite, pivotal });
    }
    impacts
}
