//! One more reviewer, asked once the others came to no decision.

use super::support::{SUBJECT, ballot, by, fact, policy, team, voter, with_evidence};
use crate::{
    Ballot, GuardFact, GuardVerdict, OutcomeKind, Policy, SeatWeight, TrackRecord, Verdict, Voter, Weights,
    decide, least_weight, validate_policy,
};
use Verdict::{Abstain, Approve, Reject};
use proptest::prelude::*;

/// The policy with one seat more, as it is once the additional reviewer is asked.
fn beside(mut policy: Policy) -> Policy {
    let weight = least_weight(policy.voters.iter().map(|v| v.weight));
    policy.voters.push(Voter { additional: true, ..voter("arbiter", weight) });
    policy
}

fn kind(policy: &Policy, ballots: &[Ballot], facts: &[GuardFact]) -> OutcomeKind {
    decide(policy, ballots, facts, SUBJECT, true).outcome.kind()
}

#[test]
fn it_settles_what_is_open_and_nothing_else() {
    use OutcomeKind::{
        Approved, ChangesRequested, QuorumMissing, RequiredVoterMissing, Tie, VetoUnverified, Vetoed,
    };
    let vague = || ballot("security", Reject);
    let proven = || with_evidence(ballot("security", Reject), true);
    let (for_it, against, open) =
        (ballot("reviewer", Approve), ballot("architect", Reject), ballot("tester", Abstain));
    let required = || {
        let mut policy = team();
        policy.voters[1].required = true;
        policy
    };
    let all = |policy: Policy| Policy { approve_percent: 75, ..policy };
    let whole = |policy: Policy| Policy { quorum_percent: 80, ..policy };
    let cases = [
        (team(), vec![for_it.clone(), against.clone()], Tie, [Approved, ChangesRequested, Tie]),
        (all(team()), vec![for_it.clone(), against.clone()], Tie, [ChangesRequested, ChangesRequested, Tie]),
        // Three of six, and half of seven is four: what is asked for grows with who is asked.
        (team(), vec![open.clone(), ballot("security", Approve)], QuorumMissing, [QuorumMissing; 3]),
        (
            whole(team()),
            vec![for_it.clone(), ballot("architect", Approve)],
            QuorumMissing,
            [QuorumMissing; 3],
        ),
        (
            Policy { quorum_percent: 60, ..policy(vec![voter("a", 1), voter("b", 1)]) },
            vec![ballot("a", Approve)],
            QuorumMissing,
            [Approved, QuorumMissing, QuorumMissing],
        ),
        (required(), vec![for_it.clone()], RequiredVoterMissing, [RequiredVoterMissing; 3]),
        (
            team(),
            vec![for_it.clone(), ballot("architect", Approve), vague()],
            VetoUnverified,
            [Approved, VetoUnverified, VetoUnverified],
        ),
        (
            team(),
            vec![open.clone(), ballot("architect", Reject), vague()],
            VetoUnverified,
            [ChangesRequested, VetoUnverified, VetoUnverified],
        ),
        (team(), vec![for_it, ballot("architect", Approve), proven()], Vetoed, [Vetoed; 3]),
    ];
    for (n, (rules, ballots, before, after)) in cases.into_iter().enumerate() {
        assert_eq!(kind(&rules, &ballots, &[]), before, "{n}");
        let rules = beside(rules);
        validate_policy(&rules).unwrap();
        for (verdict, want) in [Approve, Reject, Abstain].into_iter().zip(after) {
            let mut ballots = ballots.clone();
            ballots.push(ballot("arbiter", verdict));
            assert_eq!(kind(&rules, &ballots, &[]), want, "{n} {verdict:?}");
            assert_eq!(
                kind(&rules, &ballots, &[fact("unit", GuardVerdict::Failed)]),
                OutcomeKind::GuardFailed
            );
        }
    }
}

#[test]
fn it_has_one_seat_no_rights_and_the_least_weight() {
    let seat = |weight| Voter { additional: true, ..voter("arbiter", weight) };
    let with =
        |seats: Vec<Voter>| policy([vec![voter("a", 3), voter("b", 2), voter("c", 0)], seats].concat());
    assert_eq!(validate_policy(&with(vec![seat(2)])), Ok(()));
    let refused = [
        vec![seat(3)],
        vec![seat(1), seat(1)],
        vec![Voter { veto: true, ..seat(1) }],
        vec![Voter { required: true, ..seat(1) }],
        vec![Voter { weight_per_mille: Some(1000), ..seat(1) }],
    ];
    for seats in refused {
        let fault = validate_policy(&with(seats.clone())).unwrap_err().to_string();
        assert!(fault.contains("additional role arbiter") && fault.contains("(2)"), "{fault}: {seats:?}");
    }
    assert_eq!((least_weight([3, 0, 2]), least_weight([0])), (2, 0));
}

#[test]
fn no_track_record_moves_its_weight() {
    let poor = |role| SeatWeight::of(role, "p/m", TrackRecord { right_ppm: 0, observations: 500 }, 800_000);
    let follows = |policy: Policy| {
        let mut rules = beside(Policy { weights: Weights::TrackRecord, ..policy });
        rules.weigh(&["reviewer", "architect", "arbiter"].map(poor));
        assert_eq!(validate_policy(&rules), Ok(()));
        rules
    };
    let mut ballots =
        vec![ballot("reviewer", Approve), ballot("architect", Reject), ballot("arbiter", Approve)];
    let decision = decide(&follows(team()), &ballots, &[], SUBJECT, true);
    assert_eq!(
        decision.reason,
        "approving weight 2 against rejecting 1 (needed: more than half); cast 5 of 7, quorum 4; no guard was required; \
         by track record: architect × 0.5, reviewer × 0.5"
    );
    ballots = vec![ballot("reviewer", Approve), ballot("arbiter", Reject)];
    let two = policy(vec![voter("reviewer", 1), voter("architect", 1)]);
    let decision = decide(&follows(Policy { quorum_percent: 60, ..two }), &ballots, &[], SUBJECT, true);
    assert_eq!(
        decision.reason,
        "the quorum of 2 (60 %) is cast only with the additional reviewer, who does not approve; a person decides"
    );
}

#[test]
fn what_may_be_settled_is_what_nobody_decided() {
    use OutcomeKind as K;
    let open = [K::Tie, K::QuorumMissing, K::RequiredVoterMissing, K::VetoUnverified];
    let settled =
        [K::Approved, K::ChangesRequested, K::Vetoed, K::GuardFailed, K::GuardMissing, K::Undecided];
    assert!(open.into_iter().all(K::may_be_settled) && !settled.into_iter().any(K::may_be_settled));
}

fn any_case() -> impl Strategy<Value = (Policy, Vec<Ballot>)> {
    let seat = (0..5u64, prop::bool::weighted(0.3), prop::bool::weighted(0.2), 0..4usize, any::<bool>());
    let records = proptest::option::of(proptest::collection::vec(5..=15u32, 6));
    let rules = (proptest::collection::vec(seat, 1..6), 1..=100u32, 1..=100u32, records);
    rules.prop_map(|(seats, quorum, approve, records)| {
        let role = |i: usize| format!("r{i}");
        let per_mille = |i: usize| records.as_ref().map(|tenths| tenths[i] * 100);
        let voters = seats.iter().enumerate().map(|(i, s)| Voter {
            veto: s.1,
            required: s.2,
            weight_per_mille: per_mille(i),
            ..voter(&role(i), s.0)
        });
        let policy = Policy {
            quorum_percent: quorum,
            approve_percent: approve,
            weights: if records.is_some() { Weights::TrackRecord } else { Weights::Policy },
            ..policy(voters.collect())
        };
        let verdict = |n: usize| [Some(Approve), Some(Reject), Some(Abstain), None][n];
        let ballots = seats
            .iter()
            .enumerate()
            .filter_map(|(i, s)| verdict(s.3).map(|v| with_evidence(by(&role(i), &role(i), v), s.4)));
        (policy, ballots.collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn with_it_nothing_passes_that_the_policy_asks_more_for((rules, ballots) in any_case()) {
        let extended = beside(rules.clone());
        let before = decide(&rules, &ballots, &[], SUBJECT, true);
        let mut more = ballots.clone();
        more.push(ballot("arbiter", Approve));
        let after = decide(&extended, &more, &[], SUBJECT, true);
        if after.outcome.kind() == OutcomeKind::Approved {
            let t = after.tally;
            // The quorum of the policy's own electorate, and its share of all opinions.
            prop_assert!(t.cast_weight >= before.tally.quorum && t.quorum >= before.tally.quorum);
            let opinions = t.approve_weight + t.reject_weight;
            prop_assert!(t.approve_weight > t.reject_weight);
            prop_assert!(t.approve_weight * 100 >= opinions * u64::from(rules.approve_percent));
            // Its own word is no more than the lightest of the others', and so never more than theirs together.
            let own = extended.voters.last().map_or(0, |v| v.weight);
            prop_assert!(t.approve_weight - own + own.min(1) > 0);
            prop_assert!(rules.voters.iter().all(|v| v.weight == 0 || own <= v.weight));
            let all_asked = rules.voters.iter().filter(|v| v.required).all(|v| ballots.iter().any(|b| b.role == v.role));
            prop_assert!(all_asked, "a required voter is not replaced");
        }
        let stopped = [OutcomeKind::Vetoed, OutcomeKind::GuardFailed];
        if stopped.contains(&before.outcome.kind()) {
            prop_assert_eq!(after.outcome.kind(), before.outcome.kind());
        }
    }

    #[test]
    fn without_its_approval_nothing_passes_that_did_not_before(
        (rules, ballots) in any_case(), verdict in prop::sample::select(vec![Some(Reject), Some(Abstain), None]),
    ) {
        let before = kind(&rules, &ballots, &[]);
        prop_assume!(before != OutcomeKind::Approved);
        let mut more = ballots;
        more.extend(verdict.map(|verdict| ballot("arbiter", verdict)));
        prop_assert_ne!(kind(&beside(rules), &more, &[]), OutcomeKind::Approved);
    }
}
