//! Opinions that follow track records: what those may change, and what they may not.

use super::flips::smallest;
use super::power::by_definition;
use super::properties::{any_ballots, any_facts, any_policy};
use super::support::{SUBJECT, ballot, by, team, with_evidence};
use crate::{
    Ballot, GuardFact, OutcomeKind, Policy, SeatWeight, TrackRecord, Verdict, Weights, decide, policy_power,
    validate_policy,
};
use proptest::prelude::*;

fn seat(role: &str, right_ppm: u32, observations: u64) -> SeatWeight {
    SeatWeight::of(role, "p/m", TrackRecord { right_ppm, observations }, 800_000)
}

/// The policy with opinions that weigh this much.
fn weighed(policy: &Policy, weights: &[SeatWeight]) -> Policy {
    let mut weighed = Policy { weights: Weights::TrackRecord, ..policy.clone() };
    weighed.weigh(weights);
    weighed
}

/// Of the roles that random policies have.
fn any_weights() -> impl Strategy<Value = Vec<SeatWeight>> {
    let record = (0..=1_000_000u32, 0..200u64);
    proptest::collection::vec(record, 4).prop_map(|records| {
        let roles = ["reviewer", "security", "architect", "tester"];
        roles.iter().zip(records).map(|(role, (right, n))| seat(role, right, n)).collect()
    })
}

fn kind(policy: &Policy, ballots: &[Ballot], facts: &[GuardFact]) -> OutcomeKind {
    decide(policy, ballots, facts, SUBJECT, true).outcome.kind()
}

fn is_by_weight(kind: OutcomeKind) -> bool {
    matches!(kind, OutcomeKind::Approved | OutcomeKind::ChangesRequested | OutcomeKind::Tie)
}

#[test]
fn a_better_record_settles_what_weights_alone_left_even_and_the_reason_says_so() {
    let ballots = [
        ballot("reviewer", Verdict::Approve),
        ballot("architect", Verdict::Reject),
        ballot("tester", Verdict::Abstain),
        ballot("security", Verdict::Abstain),
    ];
    assert_eq!(kind(&team(), &ballots, &[]), OutcomeKind::Tie);
    let weights = [seat("reviewer", 950_000, 180), seat("architect", 500_000, 180)];
    let policy = weighed(&team(), &weights);
    let decision = decide(&policy, &ballots, &[], SUBJECT, true);
    assert_eq!(decision.outcome.kind(), OutcomeKind::Approved);
    assert_eq!(
        decision.reason,
        "approving weight 2.4 against rejecting 1 (needed: more than half); cast 6 of 6, quorum 3; no guard was required; \
         by track record: architect × 0.5, reviewer × 1.2"
    );
    let tally = decision.tally;
    assert_eq!((tally.approve_weight, tally.reject_weight, tally.scale), (2400, 1000, 1000));
    assert_eq!((tally.cast_weight, tally.total_weight, tally.quorum), (6000, 6000, 3000));
    assert_eq!(decision.minimal_flip.unwrap().voters, ["security"], "a veto needs no weight");
}

#[test]
fn who_has_too_few_votes_or_is_not_named_weighs_what_the_policy_says() {
    let ballots = [ballot("reviewer", Verdict::Approve), ballot("architect", Verdict::Reject)];
    for weights in [vec![], vec![seat("reviewer", 1_000_000, 19), seat("architect", 0, 19)]] {
        let decision = decide(&weighed(&team(), &weights), &ballots, &[], SUBJECT, true);
        assert_eq!(decision.outcome.kind(), OutcomeKind::Tie);
        assert!(decision.reason.ends_with("; track records change no weight"), "{}", decision.reason);
    }
    let mut policy = team();
    policy.weigh(&[seat("reviewer", 0, 1000)]);
    assert_eq!(policy, team(), "the policy asks for its own weights");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn quorum_vetoes_guards_and_required_voters_know_no_track_record(
        policy in any_policy(), weights in any_weights(), ballots in any_ballots(), facts in any_facts(),
    ) {
        let weighed = weighed(&policy, &weights);
        let plain = decide(&policy, &ballots, &facts, SUBJECT, true);
        let other = decide(&weighed, &ballots, &facts, SUBJECT, true);
        prop_assert_eq!(plain.tally.has_quorum(), other.tally.has_quorum());
        let (plain, other) = (plain.outcome.kind(), other.outcome.kind());
        prop_assert!(plain == other || is_by_weight(plain) && is_by_weight(other), "{:?} {:?}", plain, other);
    }

    #[test]
    fn no_track_record_makes_a_policy_one_that_cannot_be_met(policy in any_policy(), weights in any_weights()) {
        prop_assume!(validate_policy(&policy).is_ok());
        let weighed = weighed(&policy, &weights);
        prop_assert_eq!(validate_policy(&weighed), Ok(()));
        // All agree, and nobody more than has to.
        let seats = || policy.voters.iter().enumerate();
        let all: Vec<Ballot> = seats().map(|(i, v)| by(&format!("v{i}"), &v.role, Verdict::Approve)).collect();
        prop_assert_eq!(kind(&weighed, &all, &[]), OutcomeKind::Approved);
        for some in 0..all.len() {
            prop_assert_eq!(kind(&weighed, &all[..some], &[]), kind(&policy, &all[..some], &[]));
        }
    }

    #[test]
    fn three_times_the_others_weight_prevails_whatever_the_records(
        policy in any_policy(), weights in any_weights(), ballots in any_ballots(), facts in any_facts(),
    ) {
        let policy = Policy { approve_percent: 50, ..policy };
        let plain = decide(&policy, &ballots, &facts, SUBJECT, true);
        let other = kind(&weighed(&policy, &weights), &ballots, &facts);
        let (approve, reject) = (plain.tally.approve_weight, plain.tally.reject_weight);
        if is_by_weight(other) && approve != reject {
            prop_assert!(approve <= 3 * reject || other == OutcomeKind::Approved);
            prop_assert!(reject <= 3 * approve || other == OutcomeKind::ChangesRequested);
        }
    }

    #[test]
    fn records_that_say_nothing_change_nothing(
        policy in any_policy(), ballots in any_ballots(), facts in any_facts(),
    ) {
        let plain = decide(&policy, &ballots, &facts, SUBJECT, true);
        let other = decide(&weighed(&policy, &[]), &ballots, &facts, SUBJECT, true);
        prop_assert_eq!(plain.tally.approve_weight * 1000, other.tally.approve_weight);
        prop_assert_eq!(plain.tally.scale * 1000, other.tally.scale);
        prop_assert_eq!(plain.outcome, other.outcome);
        prop_assert_eq!(plain.impact, other.impact);
        prop_assert_eq!(plain.minimal_flip, other.minimal_flip);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flips_and_power_are_those_of_the_decision(
        weights in any_weights(), approve_percent in 1..=100u32, verdicts in proptest::collection::vec(0..3usize, 4),
    ) {
        let policy = weighed(&Policy { approve_percent, ..team() }, &weights);
        let said = |verdict: usize| [Verdict::Approve, Verdict::Reject, Verdict::Abstain][verdict];
        let cast = |(voter, verdict): (&crate::Voter, &usize)| with_evidence(ballot(&voter.role, said(*verdict)), true);
        let ballots: Vec<Ballot> = policy.voters.iter().zip(&verdicts).map(cast).collect();
        let flip = decide(&policy, &ballots, &[], SUBJECT, true).minimal_flip;
        prop_assert_eq!(flip.map(|f| f.voters.len()), smallest(&policy, &ballots));
        let wins = |coalition: usize| {
            let side = |i: usize| said(usize::from(coalition & (1 << i) == 0));
            let all = policy.voters.iter().enumerate();
            let ballots: Vec<Ballot> =
                all.map(|(i, v)| with_evidence(ballot(&v.role, side(i)), true)).collect();
            kind(&policy, &ballots, &[]) == OutcomeKind::Approved
        };
        let expected = by_definition(policy.voters.len(), wins).shapley_shubik;
        let found = policy_power(&policy).unwrap();
        prop_assert_eq!(found.into_iter().map(|s| s.shapley_shubik).collect::<Vec<_>>(), expected);
    }
}
