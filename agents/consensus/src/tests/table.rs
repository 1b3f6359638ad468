use super::support::{SUBJECT, ballot, by, fact, policy, team, voter, with_evidence};
use crate::GuardVerdict::{Failed, Passed};
use crate::Verdict::{Abstain, Approve, Reject};
use crate::{
    Ballot, DecisionRecord, GuardFact, Ignored, IgnoredReason, MAX_VOTERS_PER_ROLE, Next, OnUndecided,
    Outcome, OutcomeKind, Policy, Severity, Voter, clear, decide,
};

fn outcome(policy: &Policy, ballots: &[Ballot]) -> OutcomeKind {
    decide(policy, ballots, &[], SUBJECT, true).outcome.kind()
}

#[test]
fn failed_required_guard_cannot_be_outvoted() {
    let all = ["reviewer", "architect", "tester", "security"].map(|r| ballot(r, Approve));
    let facts = [fact("lint", Passed), fact("unit-tests", Failed)];
    for closed in [false, true] {
        let decision = decide(&team(), &all, &facts, SUBJECT, closed);
        assert_eq!(decision.outcome, Outcome::GuardFailed { guards: vec!["unit-tests".into()] });
        assert_eq!(decision.next, Next::Repair);
        assert!(decision.reason.contains("unit-tests"), "{}", decision.reason);
    }
}

#[test]
fn required_guard_without_a_verdict_blocks_too() {
    let policy = Policy { required_guards: vec!["unit-tests".into()], ..team() };
    let all = ["reviewer", "architect", "tester", "security"].map(|r| ballot(r, Approve));
    assert_eq!(decide(&policy, &all, &[], SUBJECT, false).outcome, Outcome::Undecided);
    let missing = Outcome::GuardMissing { guards: vec!["unit-tests".into()] };
    assert_eq!(decide(&policy, &all, &[], SUBJECT, true).outcome, missing);
    // Neither a fact about another digest nor one that calls itself optional lifts the requirement.
    let stale = GuardFact { digest: Some("sha256:other".into()), ..fact("unit-tests", Passed) };
    assert_eq!(decide(&policy, &all, &[stale], SUBJECT, true).outcome, missing);
    let optional = GuardFact { required: false, ..fact("unit-tests", Failed) };
    assert_eq!(decide(&policy, &all, &[optional], SUBJECT, true).outcome.kind(), OutcomeKind::GuardFailed);
    let passed = GuardFact { digest: Some(SUBJECT.into()), ..fact("unit-tests", Passed) };
    assert_eq!(decide(&policy, &all, &[passed], SUBJECT, true).outcome.kind(), OutcomeKind::Approved);
}

#[test]
fn contradictory_guard_facts_count_as_failed_in_either_order() {
    for facts in [[fact("g", Passed), fact("g", Failed)], [fact("g", Failed), fact("g", Passed)]] {
        assert_eq!(clear(&[], &facts, SUBJECT).unwrap_err().failed, ["g"]);
    }
}

#[test]
fn optional_guard_that_failed_does_not_block() {
    let optional = GuardFact { required: false, ..fact("style", Failed) };
    assert!(clear(&[], &[optional], SUBJECT).unwrap().passed().is_empty());
}

#[test]
fn approval_names_the_guards_it_rests_on() {
    let ballots = ["reviewer", "architect"].map(|r| ballot(r, Approve));
    let decision = decide(&team(), &ballots, &[fact("b", Passed), fact("a", Passed)], SUBJECT, true);
    let Outcome::Approved(cleared) = decision.outcome else { panic!("{:?}", decision.outcome) };
    assert_eq!((cleared.passed(), cleared.subject()), (&["a".to_owned(), "b".to_owned()][..], SUBJECT));
    assert_eq!(decision.next, Next::Proceed);
}

#[test]
fn majority_approves_over_a_dissent_which_is_kept_with_its_evidence() {
    let mut dissent = with_evidence(ballot("tester", Reject), true);
    dissent.severity = Severity::Major;
    let ballots = [ballot("reviewer", Approve), ballot("architect", Approve), dissent.clone()];
    let decision = decide(&team(), &ballots, &[], SUBJECT, true);
    assert_eq!(decision.outcome.kind(), OutcomeKind::Approved);
    assert_eq!(decision.dissent, [dissent]);
    let t = decision.tally;
    assert_eq!((t.approve_weight, t.reject_weight, t.cast_weight, t.total_weight, t.quorum), (4, 1, 5, 6, 3));
    assert_eq!(
        decision.reason,
        "approving weight 4 against rejecting 1 (needed: more than half); cast 5 of 6, quorum 3; no guard was required"
    );
}

#[test]
fn dissent_is_sorted_by_severity() {
    let severe = |role: &str, severity| Ballot { severity, ..ballot(role, Reject) };
    let ballots = [
        severe("reviewer", Severity::Minor),
        severe("tester", Severity::Blocker),
        severe("architect", Severity::Minor),
    ];
    let order: Vec<String> =
        decide(&team(), &ballots, &[], SUBJECT, true).dissent.into_iter().map(|b| b.voter).collect();
    assert_eq!(order, ["tester", "architect", "reviewer"]);
}

#[test]
fn equal_weights_tie_and_the_policy_says_what_then() {
    let ballots = [ballot("reviewer", Approve), ballot("architect", Reject)];
    let decision = decide(&team(), &ballots, &[], SUBJECT, true);
    assert_eq!((decision.outcome, decision.next), (Outcome::Tie, Next::Escalate));
    let strict = Policy { on_tie: OnUndecided::Reject, ..team() };
    assert_eq!(decide(&strict, &ballots, &[], SUBJECT, true).next, Next::Revise);
}

#[test]
fn abstentions_count_for_the_quorum_and_not_for_the_shares() {
    let ballots = [ballot("reviewer", Abstain), ballot("tester", Approve)];
    assert_eq!(outcome(&team(), &ballots), OutcomeKind::Approved);
    assert_eq!(outcome(&team(), &ballots[1..]), OutcomeKind::QuorumMissing);
}

#[test]
fn all_abstaining_is_no_approval() {
    let ballots = ["reviewer", "architect", "tester", "security"].map(|r| ballot(r, Abstain));
    assert_eq!(outcome(&team(), &ballots), OutcomeKind::Tie);
}

#[test]
fn weightless_ballots_alone_are_no_quorum() {
    let policy = Policy { quorum_percent: 1, ..policy(vec![voter("observer", 0), voter("reviewer", 1)]) };
    assert_eq!(outcome(&policy, &[ballot("observer", Approve)]), OutcomeKind::QuorumMissing);
    assert_eq!(outcome(&policy, &[]), OutcomeKind::QuorumMissing);
}

#[test]
fn quorum_is_rounded_up() {
    // 51 % of 3 is 1.53: two are needed.
    let policy = Policy { quorum_percent: 51, ..policy(vec![voter("a", 1), voter("b", 1), voter("c", 1)]) };
    assert_eq!(policy.quorum_weight(), 2);
    assert_eq!(outcome(&policy, &[ballot("a", Approve)]), OutcomeKind::QuorumMissing);
    assert_eq!(outcome(&policy, &[ballot("a", Approve), ballot("b", Approve)]), OutcomeKind::Approved);
}

#[test]
fn approve_percent_is_reached_at_exactly_its_share() {
    let voters = || vec![voter("a", 3), voter("b", 2)];
    let ballots = [ballot("a", Approve), ballot("b", Reject)];
    for (percent, expected) in [
        (1, OutcomeKind::Approved),
        (50, OutcomeKind::Approved),
        (60, OutcomeKind::Approved),
        (61, OutcomeKind::ChangesRequested),
        (100, OutcomeKind::ChangesRequested),
    ] {
        let policy = Policy { approve_percent: percent, ..policy(voters()) };
        assert_eq!(outcome(&policy, &ballots), expected, "{percent} %");
    }
    let unanimous = Policy { approve_percent: 100, ..policy(voters()) };
    assert_eq!(outcome(&unanimous, &[ballot("a", Approve), ballot("b", Approve)]), OutcomeKind::Approved);
}

#[test]
fn minority_never_approves_however_low_the_percentage() {
    let policy = Policy { approve_percent: 1, ..policy(vec![voter("a", 3), voter("b", 2)]) };
    assert_eq!(outcome(&policy, &[ballot("a", Reject), ballot("b", Approve)]), OutcomeKind::ChangesRequested);
}

#[test]
fn verified_veto_holds_against_everyone_and_at_once() {
    let veto = with_evidence(with_evidence(ballot("security", Reject), false), true);
    let mut ballots = vec![veto];
    assert_eq!(decide(&team(), &ballots, &[], SUBJECT, false).outcome.kind(), OutcomeKind::Vetoed);
    ballots.extend(["reviewer", "architect", "tester"].map(|r| ballot(r, Approve)));
    let decision = decide(&team(), &ballots, &[], SUBJECT, true);
    assert_eq!(decision.outcome, Outcome::Vetoed { voters: vec!["security".into()] });
    assert_eq!(decision.next, Next::Escalate);
}

#[test]
fn unverified_veto_goes_to_a_person() {
    let mut ballots = vec![with_evidence(ballot("security", Reject), false)];
    ballots.extend(["reviewer", "architect", "tester"].map(|r| ballot(r, Approve)));
    let decision = decide(&team(), &ballots, &[], SUBJECT, true);
    assert_eq!(decision.outcome, Outcome::VetoUnverified { voters: vec!["security".into()] });
    assert_eq!(decision.next, Next::Escalate);
}

#[test]
fn rejection_without_the_right_to_veto_is_only_a_vote() {
    let ballots = [
        with_evidence(ballot("tester", Reject), true),
        ballot("reviewer", Approve),
        ballot("architect", Approve),
    ];
    assert_eq!(outcome(&team(), &ballots), OutcomeKind::Approved);
}

#[test]
fn required_voter_must_vote_but_may_abstain() {
    let security = Voter { required: true, ..voter("security", 1) };
    let policy = policy(vec![voter("reviewer", 5), security]);
    let decision = decide(&policy, &[ballot("reviewer", Approve)], &[], SUBJECT, true);
    assert_eq!(decision.outcome, Outcome::RequiredVoterMissing { roles: vec!["security".into()] });
    assert_eq!(decision.next, Next::Escalate);
    let ballots = [ballot("reviewer", Approve), ballot("security", Abstain)];
    assert_eq!(outcome(&policy, &ballots), OutcomeKind::Approved);
}

#[test]
fn open_review_waits_for_every_seat() {
    let mut ballots =
        vec![ballot("reviewer", Approve), ballot("architect", Approve), ballot("tester", Approve)];
    let open = decide(&team(), &ballots, &[], SUBJECT, false);
    assert_eq!((open.outcome, open.next, open.impact.len()), (Outcome::Undecided, Next::Wait, 0));
    ballots.push(ballot("security", Approve));
    assert_eq!(decide(&team(), &ballots, &[], SUBJECT, false).outcome.kind(), OutcomeKind::Approved);
}

#[test]
fn ballots_that_do_not_count_are_listed_with_their_reason() {
    let stale = Ballot { digest: "sha256:old".into(), ..ballot("tester", Reject) };
    let ballots = [
        ballot("reviewer", Approve),
        ballot("reviewer", Reject),
        stale,
        by("eve", "intruder", Reject),
        by("", "tester", Reject),
    ];
    let decision = decide(&team(), &ballots, &[], SUBJECT, true);
    let ignored =
        |voter: &str, role: &str, reason| Ignored { voter: voter.into(), role: role.into(), reason };
    assert_eq!(
        decision.ignored,
        [
            ignored("", "tester", IgnoredReason::NoVoter),
            ignored("eve", "intruder", IgnoredReason::UnknownRole),
            ignored("reviewer", "reviewer", IgnoredReason::Contradicted),
            ignored("tester", "tester", IgnoredReason::StaleDigest),
        ]
    );
    assert_eq!((decision.tally.approve_weight, decision.tally.reject_weight), (0, 2));
    assert_eq!(decision.dissent.len(), 1);
}

#[test]
fn one_voter_cannot_vote_in_two_roles() {
    let ballots = [by("x", "reviewer", Approve), by("x", "architect", Approve)];
    assert_eq!(decide(&team(), &ballots, &[], SUBJECT, true).tally.cast_weight, 2);
}

#[test]
fn voters_beyond_the_seats_share_the_weight_of_their_role() {
    let policy = policy(vec![voter("reviewer", 2), voter("tester", 1)]);
    let reviewers =
        [("r1", Approve), ("r2", Approve), ("r3", Reject)].map(|(v, verdict)| by(v, "reviewer", verdict));
    let mut ballots = reviewers.to_vec();
    ballots.push(ballot("tester", Reject));
    let t = decide(&policy, &ballots, &[], SUBJECT, true).tally;
    // In thirds: the role keeps 2 × 3, each of its voters has 2.
    assert_eq!((t.scale, t.approve_weight, t.reject_weight, t.total_weight, t.quorum), (3, 4, 5, 9, 6));
}

#[test]
fn role_listed_several_times_has_as_many_seats() {
    let policy = policy(vec![voter("reviewer", 1), voter("reviewer", 1), voter("reviewer", 1)]);
    let ballots = [by("r1", "reviewer", Approve), by("r2", "reviewer", Approve)];
    let decision = decide(&policy, &ballots, &[], SUBJECT, true);
    let t = decision.tally;
    assert_eq!((t.scale, t.approve_weight, t.total_weight, t.quorum), (1, 2, 3, 2));
    assert_eq!(decision.outcome.kind(), OutcomeKind::Approved);
    assert_eq!(decide(&policy, &ballots, &[], SUBJECT, false).outcome, Outcome::Undecided);
}

#[test]
fn crowd_in_one_role_is_bounded() {
    let policy = policy(vec![voter("reviewer", 1)]);
    let ballots: Vec<Ballot> = (0..40).map(|i| by(&format!("v{i:02}"), "reviewer", Approve)).collect();
    let decision = decide(&policy, &ballots, &[], SUBJECT, true);
    assert_eq!(decision.ignored.len(), 40 - MAX_VOTERS_PER_ROLE);
    assert!(decision.ignored.iter().all(|i| i.reason == IgnoredReason::RoleFull));
    assert_eq!(decision.tally.approve_weight, decision.tally.total_weight);
}

#[test]
fn impact_says_who_was_pivotal() {
    let ballots = [ballot("reviewer", Approve), ballot("architect", Reject), ballot("tester", Approve)];
    let decision = decide(&team(), &ballots, &[], SUBJECT, true);
    assert_eq!(decision.outcome.kind(), OutcomeKind::Approved);
    let of = |voter: &str| decision.impact.iter().find(|i| i.voter == voter).unwrap();
    assert_eq!(
        (of("tester").without, of("tester").opposite),
        (OutcomeKind::Tie, OutcomeKind::ChangesRequested)
    );
    assert!(of("tester").pivotal && of("reviewer").pivotal);
    assert_eq!(
        (of("architect").without, of("architect").opposite),
        (OutcomeKind::Approved, OutcomeKind::Approved)
    );
    assert!(!of("architect").pivotal);
}

#[test]
fn ballot_that_only_matters_by_its_opposite_is_pivotal_too() {
    let ballots = [ballot("reviewer", Approve), ballot("architect", Approve), ballot("tester", Reject)];
    let decision = decide(&team(), &ballots, &[], SUBJECT, true);
    let reviewer = decision.impact.iter().find(|i| i.voter == "reviewer").unwrap();
    assert_eq!((reviewer.without, reviewer.opposite), (OutcomeKind::Approved, OutcomeKind::ChangesRequested));
    assert!(reviewer.pivotal);
}

#[test]
fn impact_of_a_failed_guard_is_that_no_vote_matters() {
    let decision = decide(&team(), &[ballot("reviewer", Approve)], &[fact("g", Failed)], SUBJECT, true);
    assert!(decision.impact.iter().all(|i| !i.pivotal && i.without == OutcomeKind::GuardFailed));
}

#[test]
fn unvalidated_extreme_weights_do_not_overflow() {
    let policy =
        Policy { quorum_percent: u32::MAX, ..policy(vec![voter("a", u64::MAX), voter("b", u64::MAX)]) };
    let ballots = [by("1", "a", Approve), by("2", "a", Approve), by("3", "b", Approve)];
    assert_eq!(decide(&policy, &ballots, &[], SUBJECT, true).tally.total_weight, u64::MAX);
}

#[test]
fn stored_form_reads_back() {
    let ballots = [ballot("reviewer", Approve), with_evidence(ballot("architect", Reject), true)];
    let record: DecisionRecord = decide(&team(), &ballots, &[], SUBJECT, true).into();
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!((json["decision"].as_str(), json["approveWeight"].as_u64()), (Some("Tie"), Some(2)));
    assert_eq!(serde_json::from_value::<DecisionRecord>(json).unwrap(), record);
}
