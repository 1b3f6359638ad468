use super::support::{SUBJECT, by, fact, policy, voter, with_evidence};
use crate::{Ballot, Decision, GuardFact, GuardVerdict, OutcomeKind, Policy, Verdict, Voter, decide};
use proptest::prelude::*;

const ROLES: [&str; 4] = ["reviewer", "security", "architect", "tester"];

fn any_voter(role: &'static str) -> impl Strategy<Value = Vec<Voter>> {
    (0..6u64, any::<bool>(), any::<bool>(), 1..3usize).prop_map(move |(weight, veto, required, seats)| {
        vec![Voter { veto, required, ..voter(role, weight) }; seats]
    })
}

pub(super) fn any_policy() -> impl Strategy<Value = Policy> {
    let voters = ROLES.map(any_voter);
    (voters, 1..=100u32, 1..=100u32).prop_map(|(voters, quorum_percent, approve_percent)| Policy {
        quorum_percent,
        approve_percent,
        ..policy(voters.concat())
    })
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![Just(Verdict::Approve), Just(Verdict::Reject), Just(Verdict::Abstain)]
}

/// Up to eleven voters, some in unknown roles, some stale, some with verified evidence.
pub(super) fn any_ballots() -> impl Strategy<Value = Vec<Ballot>> {
    let one = (0..5usize, any_verdict(), any::<bool>(), 0..8u8);
    proptest::collection::vec(one, 0..12).prop_map(|votes| {
        let make = |(i, (role, verdict, verified, age)): (usize, (usize, Verdict, bool, u8))| {
            let role = ROLES.get(role).copied().unwrap_or("intruder");
            let mut ballot = with_evidence(by(&format!("v{i:02}"), role, verdict), verified);
            if age == 0 {
                ballot.digest = "sha256:old".into();
            }
            ballot
        };
        votes.into_iter().enumerate().map(make).collect()
    })
}

pub(super) fn any_facts() -> impl Strategy<Value = Vec<GuardFact>> {
    let verdict = prop_oneof![4 => Just(GuardVerdict::Passed), 1 => Just(GuardVerdict::Failed)];
    proptest::collection::vec((0..3u8, verdict, any::<bool>()), 0..4).prop_map(|facts| {
        facts
            .into_iter()
            .map(|(n, verdict, required)| GuardFact { required, ..fact(&format!("g{n}"), verdict) })
            .collect()
    })
}

fn kind(policy: &Policy, ballots: &[Ballot], facts: &[GuardFact], closed: bool) -> OutcomeKind {
    decide(policy, ballots, facts, SUBJECT, closed).outcome.kind()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_of_ballots_and_facts_changes_nothing(
        policy in any_policy(),
        (ballots, shuffled) in any_ballots().prop_flat_map(|b| (Just(b.clone()), Just(b).prop_shuffle())),
        (facts, mixed) in any_facts().prop_flat_map(|f| (Just(f.clone()), Just(f).prop_shuffle())),
        closed: bool,
    ) {
        let one: Decision = decide(&policy, &ballots, &facts, SUBJECT, closed);
        prop_assert_eq!(one, decide(&policy, &shuffled, &mixed, SUBJECT, closed));
    }

    #[test]
    fn added_approval_never_turns_approval_into_anything_else(
        policy in any_policy(), ballots in any_ballots(), facts in any_facts(), role in 0..4usize,
    ) {
        let before = kind(&policy, &ballots, &facts, true);
        let mut more = ballots;
        more.push(by("newcomer", ROLES[role], Verdict::Approve));
        let after = kind(&policy, &more, &facts, true);
        if before == OutcomeKind::Approved {
            prop_assert_eq!(after, OutcomeKind::Approved);
        }
        prop_assert!(!(before == OutcomeKind::Tie && after == OutcomeKind::ChangesRequested && policy.approve_percent <= 50));
    }

    #[test]
    fn turning_to_approve_never_costs_the_approval(
        policy in any_policy(), ballots in any_ballots(), facts in any_facts(), at in 0..12usize,
    ) {
        let before = kind(&policy, &ballots, &facts, true);
        let mut turned = ballots;
        if let Some(ballot) = turned.get_mut(at) {
            ballot.verdict = Verdict::Approve;
        }
        if before == OutcomeKind::Approved {
            prop_assert_eq!(kind(&policy, &turned, &facts, true), OutcomeKind::Approved);
        }
    }

    #[test]
    fn names_within_a_role_do_not_matter(
        policy in any_policy(), ballots in any_ballots(), facts in any_facts(), a in 0..12usize, b in 0..12usize,
    ) {
        let mut swapped = ballots.clone();
        if a < swapped.len() && b < swapped.len() && swapped[a].role == swapped[b].role {
            let (first, second) = (swapped[a].voter.clone(), swapped[b].voter.clone());
            swapped[a].voter = second;
            swapped[b].voter = first;
        }
        let (one, two) = (
            decide(&policy, &ballots, &facts, SUBJECT, true),
            decide(&policy, &swapped, &facts, SUBJECT, true),
        );
        prop_assert_eq!(one.outcome.kind(), two.outcome.kind());
        prop_assert_eq!(one.tally, two.tally);
    }

    #[test]
    fn failed_required_guard_is_never_approved(
        policy in any_policy(), ballots in any_ballots(), facts in any_facts(), closed: bool,
    ) {
        let mut facts = facts;
        facts.push(fact("unit-tests", GuardVerdict::Failed));
        prop_assert_eq!(kind(&policy, &ballots, &facts, closed), OutcomeKind::GuardFailed);
    }

    #[test]
    fn stale_and_unknown_ballots_change_nothing(policy in any_policy(), ballots in any_ballots(), facts in any_facts()) {
        let valid: Vec<Ballot> =
            ballots.iter().filter(|b| b.digest == SUBJECT && b.role != "intruder").cloned().collect();
        let (all, some) = (
            decide(&policy, &ballots, &facts, SUBJECT, true),
            decide(&policy, &valid, &facts, SUBJECT, true),
        );
        prop_assert_eq!((all.outcome, all.tally, all.impact), (some.outcome, some.tally, some.impact));
        prop_assert_eq!(all.ignored.len(), ballots.len() - valid.len());
    }

    #[test]
    fn a_decision_while_open_is_the_decision_when_closed(
        policy in any_policy(), ballots in any_ballots(), facts in any_facts(),
    ) {
        let open = kind(&policy, &ballots, &facts, false);
        if open != OutcomeKind::Undecided {
            prop_assert_eq!(open, kind(&policy, &ballots, &facts, true));
        }
    }

    #[test]
    fn approval_means_quorum_majority_share_and_no_veto(
        policy in any_policy(), ballots in any_ballots(), facts in any_facts(),
    ) {
        let decision = decide(&policy, &ballots, &facts, SUBJECT, true);
        let t = decision.tally;
        prop_assert!(t.cast_weight <= t.total_weight);
        if decision.outcome.kind() == OutcomeKind::Approved {
            prop_assert!(t.cast_weight * 100 >= t.total_weight * u64::from(policy.quorum_percent));
            prop_assert!(t.approve_weight > t.reject_weight);
            prop_assert!(
                t.approve_weight * 100 >= (t.approve_weight + t.reject_weight) * u64::from(policy.approve_percent)
            );
            let veto = |role: &str| policy.voters.iter().any(|v| v.role == role && v.veto);
            prop_assert!(!decision.dissent.iter().any(|b| veto(&b.role)));
        }
    }
}
