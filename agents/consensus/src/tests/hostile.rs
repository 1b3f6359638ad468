//! Whatever comes in, a decision comes out, and no sender gains an approval by it.

use super::support::{SUBJECT, by, fact, policy, with_evidence};
use crate::{
    Ballot, GuardFact, GuardVerdict, Independence, OutcomeKind, Policy, Rounds, Subject, Verdict, Voter,
    Weights, decide, validate_policy,
};
use proptest::prelude::*;

const ROLES: [&str; 4] = ["reviewer", "security", "", "intruder"];

fn any_policy() -> impl Strategy<Value = Policy> {
    let weight = prop_oneof![4 => 0..5u64, 1 => Just(u64::MAX)];
    let seat = (0..3usize, weight, any::<bool>(), any::<bool>());
    let voters = proptest::collection::vec(seat, 0..5);
    let rules = (any::<u32>(), any::<u32>(), 0..4u32, any::<bool>(), proptest::option::of(0..3u32));
    let records = proptest::option::of(proptest::option::of(any::<u32>()));
    (voters, rules, records).prop_map(
        |(seats, (quorum, approve, max, independent, timeout_seconds), records)| {
            let weights = if records.is_some() { Weights::TrackRecord } else { Weights::Policy };
            let per_mille = records.flatten();
            let voter = |(role, weight, veto, required): (usize, u64, bool, bool)| Voter {
                role: ROLES[role].into(),
                weight,
                veto,
                required,
                weight_per_mille: per_mille,
                additional: weight.is_multiple_of(7),
            };
            Policy {
                quorum_percent: quorum % 150,
                approve_percent: approve % 150,
                rounds: Rounds { max, blind_first: true },
                independence: if independent { Independence::DifferentModel } else { Independence::None },
                timeout_seconds,
                weights,
                ..policy(seats.into_iter().map(voter).collect())
            }
        },
    )
}

/// Few names, so that voters repeat and contradict themselves, in several rounds and roles.
fn any_ballot() -> impl Strategy<Value = Ballot> {
    let verdict = prop_oneof![Just(Verdict::Approve), Just(Verdict::Reject), Just(Verdict::Abstain)];
    (0..6usize, 0..4usize, verdict, any::<bool>(), 0..4u32, proptest::option::of(0..4u32), 0..3usize)
        .prop_map(|(voter, role, verdict, verified, round, cast_after_seconds, model)| {
            let name = ["", "a", "b", "c", "d", "e\u{202e}"][voter];
            let ballot = with_evidence(by(name, ROLES[role], verdict), verified);
            Ballot { round, cast_after_seconds, model: ["", "m", "n"][model].into(), ..ballot }
        })
}

fn kind(policy: &Policy, ballots: &[Ballot], facts: &[GuardFact]) -> OutcomeKind {
    let authors = ["n".to_owned()];
    decide(policy, ballots, facts, Subject { digest: SUBJECT, author_models: &authors }, true).outcome.kind()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_input_is_decided_the_same_in_any_order(
        policy in any_policy(),
        (ballots, shuffled) in proptest::collection::vec(any_ballot(), 0..60)
            .prop_flat_map(|b| (Just(b.clone()), Just(b).prop_shuffle())),
        closed: bool,
    ) {
        let _ = validate_policy(&policy);
        let one = decide(&policy, &ballots, &[], SUBJECT, closed);
        // Nothing is lost: what did not count is listed. While open there is no impact to count by.
        if one.outcome.kind() != OutcomeKind::Undecided {
            prop_assert_eq!(one.ignored.len() + one.impact.len(), ballots.len());
        }
        prop_assert_eq!(one, decide(&policy, &shuffled, &[], SUBJECT, closed));
    }

    #[test]
    fn sending_more_ballots_never_gains_an_approval(
        policy in any_policy(), ballots in proptest::collection::vec(any_ballot(), 0..12), at in 0..12usize,
        verdict in prop_oneof![Just(Verdict::Approve), Just(Verdict::Abstain)],
    ) {
        // A second, milder ballot of the same voter, role and round.
        let Some(again) = ballots.get(at % ballots.len().max(1)).map(|b| Ballot { verdict, ..b.clone() }) else {
            return Ok(());
        };
        let before = kind(&policy, &ballots, &[]);
        let mut more = ballots;
        more.push(again);
        let after = kind(&policy, &more, &[]);
        prop_assert!(before == OutcomeKind::Approved || after != OutcomeKind::Approved);
    }

    #[test]
    fn turning_a_ballot_to_approve_never_costs_the_approval(
        policy in any_policy(), ballots in proptest::collection::vec(any_ballot(), 1..12), at in 0..12usize,
    ) {
        let before = kind(&policy, &ballots, &[]);
        let mut turned = ballots;
        // All that the voter says: turning one of two contradictory ballots leaves the other.
        let voter = turned[at % turned.len()].voter.clone();
        let role = turned[at % turned.len()].role.clone();
        if turned.iter().any(|b| b.voter == voter && b.role != role) {
            return Ok(());
        }
        for ballot in turned.iter_mut().filter(|b| b.voter == voter) {
            ballot.verdict = Verdict::Approve;
        }
        if before == OutcomeKind::Approved {
            prop_assert_eq!(kind(&policy, &turned, &[]), OutcomeKind::Approved);
        }
    }

    #[test]
    fn no_set_of_ballots_beats_a_failed_guard(
        policy in any_policy(), ballots in proptest::collection::vec(any_ballot(), 0..12),
    ) {
        let failed = [fact("unit-tests", GuardVerdict::Failed)];
        prop_assert_eq!(kind(&policy, &ballots, &failed), OutcomeKind::GuardFailed);
    }
}
