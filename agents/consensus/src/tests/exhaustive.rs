//! Every combination of verdicts for up to nine voters.

use super::support::{SUBJECT, by, fact, policy, voter, with_evidence};
use crate::{Ballot, GuardVerdict, OutcomeKind, Policy, Verdict, Voter, decide};

const VERDICTS: [Option<Verdict>; 4] =
    [None, Some(Verdict::Approve), Some(Verdict::Reject), Some(Verdict::Abstain)];

/// Calls `check` with every choice of one of `choices` for each of `voters`.
fn every<T: Copy>(voters: usize, choices: &[T], mut check: impl FnMut(&[T])) {
    let mut at = vec![0usize; voters];
    loop {
        check(&at.iter().map(|i| choices[*i]).collect::<Vec<T>>());
        let Some(digit) = at.iter().position(|i| i + 1 < choices.len()) else { return };
        at[digit] += 1;
        at[..digit].fill(0);
    }
}

fn ballots(votes: &[Option<Verdict>]) -> Vec<Ballot> {
    let cast = votes.iter().enumerate().filter_map(|(i, v)| v.map(|v| (i, v)));
    cast.map(|(i, verdict)| by(&format!("r{i}"), &format!("r{i}"), verdict)).collect()
}

fn weighted(weights: &[u64]) -> Policy {
    policy(weights.iter().enumerate().map(|(i, w)| voter(&format!("r{i}"), *w)).collect())
}

/// The rule, written a second time from its documentation.
fn expected(policy: &Policy, weights: &[u64], votes: &[Option<Verdict>]) -> OutcomeKind {
    let sum = |wanted: &[Verdict]| -> u64 {
        let cast = weights.iter().zip(votes).filter(|(_, v)| v.is_some_and(|v| wanted.contains(&v)));
        cast.map(|(w, _)| *w).sum()
    };
    let (approve, reject, abstain) =
        (sum(&[Verdict::Approve]), sum(&[Verdict::Reject]), sum(&[Verdict::Abstain]));
    let cast = approve + reject + abstain;
    let total: u64 = weights.iter().sum();
    if cast == 0 || cast * 100 < total * u64::from(policy.quorum_percent) {
        OutcomeKind::QuorumMissing
    } else if approve == reject {
        OutcomeKind::Tie
    } else if approve > reject && approve * 100 >= (approve + reject) * u64::from(policy.approve_percent) {
        OutcomeKind::Approved
    } else {
        OutcomeKind::ChangesRequested
    }
}

#[test]
fn five_weighted_voters_follow_the_documented_rule_in_every_case() {
    let weights = [5, 3, 2, 1, 1];
    for (quorum_percent, approve_percent) in [(1, 50), (50, 50), (67, 50), (50, 67), (100, 100), (50, 75)] {
        let policy = Policy { quorum_percent, approve_percent, ..weighted(&weights) };
        every(5, &VERDICTS, |votes| {
            let decided = decide(&policy, &ballots(votes), &[], SUBJECT, true).outcome.kind();
            assert_eq!(decided, expected(&policy, &weights, votes), "{votes:?} under {policy:?}");
        });
    }
}

#[test]
fn no_minority_below_the_bound_flips_a_decision_for_up_to_nine_voters() {
    let two = [Verdict::Approve, Verdict::Reject];
    for voters in 1..=9usize {
        let policy = Policy { quorum_percent: 100, ..weighted(&vec![1; voters]) };
        every(voters, &two, |votes| {
            let votes: Vec<Option<Verdict>> = votes.iter().copied().map(Some).collect();
            let approving = votes.iter().filter(|v| **v == Some(Verdict::Approve)).count();
            let decided = decide(&policy, &ballots(&votes), &[], SUBJECT, true).outcome.kind();
            let wanted = match (2 * approving).cmp(&voters) {
                std::cmp::Ordering::Greater => OutcomeKind::Approved,
                std::cmp::Ordering::Equal => OutcomeKind::Tie,
                std::cmp::Ordering::Less => OutcomeKind::ChangesRequested,
            };
            assert_eq!(decided, wanted, "{votes:?}");
        });
    }
}

#[test]
fn no_set_below_the_reported_flip_turns_a_decision_for_up_to_nine_voters() {
    for weights in [&[1; 9][..], &[5, 4, 3, 3, 2, 2, 1, 1, 1], &[7, 1, 1, 1], &[1], &[2, 2]] {
        for approve_percent in [50, 67, 100] {
            let policy = Policy { approve_percent, ..weighted(weights) };
            // By the set of those who approve; the others reject.
            let decided: Vec<(bool, u32)> = (0..1usize << weights.len())
                .map(|approving| {
                    let verdict =
                        |i: usize| if approving & (1 << i) == 0 { Verdict::Reject } else { Verdict::Approve };
                    let votes: Vec<Option<Verdict>> = (0..weights.len()).map(verdict).map(Some).collect();
                    let decision = decide(&policy, &ballots(&votes), &[], SUBJECT, true);
                    let flip = u32::try_from(decision.minimal_flip.unwrap().voters.len()).unwrap();
                    (decision.outcome.kind() == OutcomeKind::Approved, flip)
                })
                .collect();
            for (one, (approved, flip)) in decided.iter().enumerate() {
                let others = decided.iter().enumerate().filter(|(_, (other, _))| other != approved);
                let nearest = others.map(|(other, _)| (one ^ other).count_ones()).min();
                assert_eq!(nearest, Some(*flip), "{one:b} of {weights:?} at {approve_percent} %");
            }
        }
    }
}

#[test]
fn veto_always_holds_for_up_to_nine_voters() {
    let two = [Verdict::Approve, Verdict::Reject];
    for others in 0..=8usize {
        let mut policy = weighted(&vec![1; others]);
        policy.voters.push(Voter { veto: true, ..voter("security", 1) });
        every(others, &two, |votes| {
            let votes: Vec<Option<Verdict>> = votes.iter().copied().map(Some).collect();
            for (verified, wanted) in [(true, OutcomeKind::Vetoed), (false, OutcomeKind::VetoUnverified)] {
                let mut cast = ballots(&votes);
                cast.push(with_evidence(by("security", "security", Verdict::Reject), verified));
                assert_eq!(decide(&policy, &cast, &[], SUBJECT, true).outcome.kind(), wanted);
            }
        });
    }
}

#[test]
fn no_set_of_votes_beats_a_failed_guard_for_up_to_nine_voters() {
    let failed = [fact("unit-tests", GuardVerdict::Failed)];
    let three = [Verdict::Approve, Verdict::Reject, Verdict::Abstain];
    for voters in 1..=9usize {
        let policy = weighted(&vec![1; voters]);
        every(voters, &three, |votes| {
            let cast = ballots(&votes.iter().copied().map(Some).collect::<Vec<_>>());
            assert_eq!(
                decide(&policy, &cast, &failed, SUBJECT, true).outcome.kind(),
                OutcomeKind::GuardFailed
            );
        });
    }
}
