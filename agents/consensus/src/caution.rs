//! Which of several ballots is the more cautious one.
//!
//! Where not all of several ballots can count (one voter contradicts itself, a role is crowded), the more cautious
//! ones do: nobody gains an approval by sending more, and the order of arrival changes nothing.

use crate::ballot::{Ballot, Verdict};
use std::cmp::Ordering;

/// `Less` where `a` is the more cautious: a rejection before an abstention before an approval, then by a right to
/// veto, verified evidence and severity. What still is equal is told apart by its words, only so that it is the same
/// every time.
pub(crate) fn caution(a: (&Ballot, bool), b: (&Ballot, bool)) -> Ordering {
    let ((a, a_veto), (b, b_veto)) = (a, b);
    rank(a.verdict)
        .cmp(&rank(b.verdict))
        .then(b_veto.cmp(&a_veto))
        .then(b.has_verified_evidence().cmp(&a.has_verified_evidence()))
        .then(b.severity.cmp(&a.severity))
        .then_with(|| words(a).cmp(&words(b)))
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Reject => 0,
        Verdict::Abstain => 1,
        Verdict::Approve => 2,
    }
}

fn words(ballot: &Ballot) -> impl Ord + '_ {
    let Ballot {
        role, voter, model, answered_by, rationale, confidence, evidence, cast_after_seconds, ..
    } = ballot;
    (role, voter, model, answered_by, rationale, confidence, evidence, cast_after_seconds)
}
