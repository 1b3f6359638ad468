//! The smallest sets of ballots that decide otherwise, against all sets there are.

use super::support::{SUBJECT, ballot, by, fact, policy, team, voter, with_evidence};
use crate::Verdict::{Abstain, Approve, Reject};
use crate::{
    Ballot, GuardFact, GuardVerdict, MinimalFlip, OutcomeKind, Policy, Verdict, Voter, Weights, decide,
};
use proptest::prelude::*;

fn approved(policy: &Policy, ballots: &[Ballot]) -> bool {
    decide(policy, ballots, &[], SUBJECT, true).outcome.kind() == OutcomeKind::Approved
}

/// The size of the smallest set of ballots whose other verdicts turn the decision, by trying all verdicts.
pub(super) fn smallest(policy: &Policy, ballots: &[Ballot]) -> Option<usize> {
    let verdicts = [Approve, Reject, Abstain];
    let now = approved(policy, ballots);
    let mut best = None;
    for mut code in 0..3usize.pow(u32::try_from(ballots.len()).unwrap()) {
        let mut others = ballots.to_vec();
        for ballot in &mut others {
            ballot.verdict = verdicts[code % 3];
            code /= 3;
        }
        let changed = others.iter().zip(ballots).filter(|(a, b)| a.verdict != b.verdict).count();
        if best.is_none_or(|b| changed < b) && approved(policy, &others) != now {
            best = Some(changed);
        }
    }
    best
}

#[test]
fn smallest_flip_names_who_and_what_then() {
    let ballots = ["reviewer", "architect", "tester"].map(|r| ballot(r, Approve));
    let flip = decide(&team(), &ballots, &[], SUBJECT, true).minimal_flip.unwrap();
    // 5 to 0: turning a 2 makes it 3 to 2, turning both 1 to 4.
    assert_eq!(flip.voters, ["architect", "reviewer"]);
    assert_eq!(flip.outcome, OutcomeKind::ChangesRequested);
}

#[test]
fn veto_is_a_flip_of_its_own_and_must_be_given_up() {
    let all = ["reviewer", "architect", "tester", "security"].map(|r| ballot(r, Approve));
    let flip = decide(&team(), &all, &[], SUBJECT, true).minimal_flip.unwrap();
    assert_eq!(flip, MinimalFlip { voters: vec!["security".into()], outcome: OutcomeKind::VetoUnverified });
    let mut vetoed = all.to_vec();
    vetoed[3] = with_evidence(ballot("security", Reject), true);
    let flip = decide(&team(), &vetoed, &[], SUBJECT, true).minimal_flip.unwrap();
    assert_eq!(flip, MinimalFlip { voters: vec!["security".into()], outcome: OutcomeKind::Approved });
}

#[test]
fn what_no_words_can_change_has_no_flip() {
    let all = ["reviewer", "architect"].map(|r| ballot(r, Approve));
    let failed = [fact("g", GuardVerdict::Failed)];
    assert_eq!(decide(&team(), &all, &failed, SUBJECT, true).minimal_flip, None);
    assert_eq!(decide(&team(), &all[..1], &[], SUBJECT, true).minimal_flip, None, "no quorum");
    assert_eq!(decide(&team(), &all, &[], SUBJECT, false).minimal_flip, None, "still open");
    let required = policy(vec![voter("reviewer", 1), Voter { required: true, ..voter("security", 1) }]);
    assert_eq!(decide(&required, &all[..1], &[], SUBJECT, true).minimal_flip, None);
}

#[test]
fn thousands_of_ballots_are_flipped_quickly() {
    let voters: Vec<Voter> = (0..1024).map(|i| voter(&format!("r{i}"), i + 1)).collect();
    let ballots: Vec<Ballot> = (0..1024).map(|i| by(&format!("r{i}"), &format!("r{i}"), Approve)).collect();
    let decision = decide(&policy(voters), &ballots, &[], SUBJECT, true);
    // The heaviest voters with half of 524,800: Σ from 1024 − k + 1 to 1024 ≥ 262,400 needs 301.
    assert_eq!(decision.minimal_flip.unwrap().voters.len(), 301);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_smaller_set_decides_otherwise(
        seats in proptest::collection::vec((0..6u64, prop::bool::weighted(0.15), prop::bool::weighted(0.2), 0..4usize, any::<bool>()), 1..7),
        quorum_percent in 1..=100u32, approve_percent in 1..=100u32, additional: bool,
        records in proptest::option::of(proptest::collection::vec(5..=15u32, 6)),
    ) {
        let role = |i: usize| format!("r{i}");
        let seat = |(i, s): (usize, &(u64, bool, bool, usize, bool))| {
            let additional = additional && i == 0;
            let weight_per_mille = records.as_ref().filter(|_| !additional).map(|tenths| tenths[i] * 100);
            Voter { veto: s.1, required: s.2, additional, weight_per_mille, ..voter(&role(i), s.0) }
        };
        let policy = Policy {
            quorum_percent, approve_percent,
            weights: if records.is_some() { Weights::TrackRecord } else { Weights::Policy },
            ..policy(seats.iter().enumerate().map(seat).collect())
        };
        let verdicts: [Option<Verdict>; 4] = [Some(Approve), Some(Reject), Some(Abstain), None];
        let cast = |(i, s): (usize, &(u64, bool, bool, usize, bool))|
            verdicts[s.3].map(|v| with_evidence(by(&role(i), &role(i), v), s.4));
        let ballots: Vec<Ballot> = seats.iter().enumerate().filter_map(cast).collect();
        let facts: [GuardFact; 0] = [];
        let decision = decide(&policy, &ballots, &facts, SUBJECT, true);
        let size = decision.minimal_flip.as_ref().map(|f| f.voters.len());
        prop_assert_eq!(size, smallest(&policy, &ballots));
        if let Some(flip) = decision.minimal_flip {
            let said = if decision.outcome.kind() == OutcomeKind::Approved { Reject } else { Approve };
            let mut others = ballots;
            for ballot in others.iter_mut().filter(|b| flip.voters.contains(&b.voter)) {
                ballot.verdict = said;
            }
            prop_assert_eq!(decide(&policy, &others, &facts, SUBJECT, true).outcome.kind(), flip.outcome);
        }
    }
}
