//! The fewest ballots that decide otherwise.

use crate::ballot::Verdict;
use crate::decide::{Case, Vote, additional_approves};
use crate::outcome::{Outcome, OutcomeKind};
use crate::tally::Shares;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// The smallest set of counted ballots that, each saying otherwise, turn an approval into no approval, or what is no
/// approval into one. Which of several smallest sets is shown follows from weights, then from voters' names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MinimalFlip {
    pub voters: Vec<String>,
    /// The outcome then.
    pub outcome: OutcomeKind,
}

/// `None` if no other words of those who voted change it: guards failed, a required voter or the quorum is missing.
///
/// Exact, by greedy choice. Changed ballots are still cast, so quorum and required voters stay as they are, and only
/// vetoes and the two weights matter. Let `p` be the share needed, at least 50: approved means
/// `(100 − p) · approve − p · reject ≥ 0` and more for than against. Turning a ballot of weight `w` around moves that
/// sum by `100 w`; turning an abstention moves it by `(100 − p) w` towards an approval and `p w` away. No other change
/// of that ballot moves it further, the moves add up, and the outcome depends on whether their sum passes a
/// threshold: of all sets of `k` ballots the `k` largest moves come furthest, so the first `k` that suffices is the
/// smallest. A veto is not weighed. To approve, all vetoes must be given up, so they are in every set; to stop an
/// approval, any one voter with a veto is a set of one. On an additional reviewer's word depend vetoes without verified
/// evidence, and perhaps the quorum, so that sets with it and sets without are searched apart. Cost: `O(n log n)` for `n`
/// ballots.
pub(crate) fn minimal_flip(
    case: &Case<'_>,
    votes: &[Vote<'_>],
    shares: &Shares,
    actual: &Outcome,
) -> Option<MinimalFlip> {
    let wanted = actual.kind() != OutcomeKind::Approved;
    let said = if wanted { Verdict::Approve } else { Verdict::Reject };
    let plain = by_move(case, votes, shares, Way { wanted, lifted: additional_approves(votes), first: None });
    let additional = votes.iter().position(|v| v.additional && v.verdict != said);
    let with = additional
        .map(|first| by_move(case, votes, shares, Way { wanted, lifted: wanted, first: Some(first) }));
    let found = [Some(plain), with].into_iter().flatten();
    let found = found.filter_map(|order| shortest(case, votes, shares, said, &order));
    found.min_by_key(|flip| flip.voters.len())
}

/// The shortest beginning of the order that decides otherwise.
fn shortest(
    case: &Case<'_>,
    votes: &[Vote<'_>],
    shares: &Shares,
    said: Verdict,
    order: &[usize],
) -> Option<MinimalFlip> {
    let wanted = said == Verdict::Approve;
    let after = |changed: usize| {
        let mut others = votes.to_vec();
        for i in order.iter().take(changed) {
            others[*i].verdict = said;
        }
        case.kind(&others, shares)
    };
    let enough = |changed: usize| (after(changed) == OutcomeKind::Approved) == wanted;
    if !enough(order.len()) {
        return None;
    }
    // Once enough are changed, one more changes nothing: the first number is found by halving.
    let (mut few, mut changed) = (0, order.len());
    while changed - few > 1 {
        let middle = few.midpoint(changed);
        if enough(middle) {
            changed = middle;
        } else {
            few = middle;
        }
    }
    let mut who: Vec<String> = order.iter().take(changed).map(|i| votes[*i].voter.to_owned()).collect();
    who.sort_unstable();
    Some(MinimalFlip { voters: who, outcome: after(changed) })
}

/// What is to become of the votes.
#[derive(Clone, Copy)]
struct Way {
    /// An approval, or anything else.
    wanted: bool,
    /// Whether vetoes without verified evidence are rejections like any other.
    lifted: bool,
    /// The voter that says otherwise whatever it moves.
    first: Option<usize>,
}

/// Those who can say otherwise, the one that moves the sum furthest first.
fn by_move(case: &Case<'_>, votes: &[Vote<'_>], shares: &Shares, way: Way) -> Vec<usize> {
    let Way { wanted, lifted, first } = way;
    let said = if wanted { Verdict::Approve } else { Verdict::Reject };
    let mut order: Vec<usize> = (0..votes.len()).filter(|i| votes[*i].verdict != said).collect();
    let percent = u64::from(case.approval_share());
    order.sort_by_key(|i| {
        let vote = &votes[*i];
        let weight = u128::from(shares.opinion(vote.role));
        let way = match (vote.verdict, wanted) {
            (Verdict::Abstain, true) => 100 - percent,
            (Verdict::Abstain, false) => percent,
            _ => 100,
        };
        // Vetoes first: those that stand in the way of an approval must all go, one more ends it.
        let stands = vote.veto && (vote.verified || !lifted);
        let veto = stands && (!wanted || vote.verdict == Verdict::Reject);
        Reverse((first == Some(*i), veto, weight * u128::from(way), weight))
    });
    order
}
