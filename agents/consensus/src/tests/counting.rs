//! Which ballots count: duplicates, rounds, time, independence.

use super::support::{SUBJECT, ballot, by, policy, team, voter, with_evidence};
use crate::Verdict::{Abstain, Approve, Reject};
use crate::{
    Ballot, Decision, IgnoredReason, Independence, MAX_VOTERS_PER_ROLE, OutcomeKind, Policy, Rounds,
    Severity, Subject, Voter, decide,
};

fn decided(policy: &Policy, ballots: &[Ballot]) -> Decision {
    decide(policy, ballots, &[], SUBJECT, true)
}

fn reasons(decision: &Decision) -> Vec<(&str, IgnoredReason)> {
    decision.ignored.iter().map(|i| (i.voter.as_str(), i.reason)).collect()
}

#[test]
fn contradictory_ballots_of_one_voter_count_as_the_most_cautious_in_any_order() {
    for (first, second, third) in
        [(Approve, Reject, Abstain), (Reject, Abstain, Approve), (Abstain, Approve, Reject)]
    {
        let ballots = [ballot("tester", first), ballot("tester", second), ballot("tester", third)];
        let decision = decided(&team(), &ballots);
        assert_eq!((decision.tally.reject_weight, decision.tally.cast_weight), (1, 1));
        let twice = ("tester", IgnoredReason::Contradicted);
        assert_eq!(reasons(&decision), [twice, twice]);
    }
}

#[test]
fn of_two_rejections_the_one_with_verified_evidence_then_the_more_severe_counts() {
    let bare = Ballot { severity: Severity::Blocker, ..ballot("security", Reject) };
    let proven = with_evidence(ballot("security", Reject), true);
    for ballots in [[bare.clone(), proven.clone()], [proven, bare]] {
        let decision = decided(&team(), &ballots);
        assert_eq!(decision.outcome.kind(), OutcomeKind::Vetoed);
        assert_eq!(reasons(&decision), [("security", IgnoredReason::Duplicate)]);
    }
}

#[test]
fn one_voter_in_two_roles_counts_once_and_a_veto_is_not_hidden_by_it() {
    let ballots = [by("x", "reviewer", Reject), by("x", "security", Reject)];
    for ballots in [ballots.to_vec(), ballots.iter().rev().cloned().collect()] {
        let decision = decided(&team(), &ballots);
        assert_eq!((decision.outcome.kind(), decision.tally.cast_weight), (OutcomeKind::VetoUnverified, 1));
    }
}

#[test]
fn later_round_replaces_the_ballot_of_an_earlier_one() {
    let policy = Policy { rounds: Rounds { max: 2, ..Rounds::default() }, ..team() };
    let second = |b: Ballot| Ballot { round: 2, ..b };
    let ballots = [
        second(ballot("reviewer", Reject)),
        ballot("reviewer", Approve),
        ballot("architect", Reject),
        second(ballot("architect", Approve)),
        ballot("tester", Reject),
    ];
    let decision = decided(&policy, &ballots);
    assert_eq!((decision.tally.approve_weight, decision.tally.reject_weight), (2, 3));
    assert_eq!(
        reasons(&decision),
        [("architect", IgnoredReason::Superseded), ("reviewer", IgnoredReason::Superseded)]
    );
}

#[test]
fn rounds_that_the_policy_does_not_hold_do_not_count() {
    for round in [0, 2, u32::MAX] {
        let decision = decided(&team(), &[Ballot { round, ..ballot("reviewer", Approve) }]);
        assert_eq!(reasons(&decision), [("reviewer", IgnoredReason::RoundNotHeld)]);
    }
}

#[test]
fn ballot_after_the_time_is_late() {
    let policy = Policy { timeout_seconds: Some(60), ..team() };
    let at = |seconds| Ballot { cast_after_seconds: Some(seconds), ..ballot("reviewer", Approve) };
    assert_eq!(decided(&policy, &[at(60)]).tally.cast_weight, 2);
    assert_eq!(reasons(&decided(&policy, &[at(61)])), [("reviewer", IgnoredReason::Late)]);
    assert_eq!(decided(&policy, &[ballot("reviewer", Approve)]).tally.cast_weight, 2);
    assert_eq!(decided(&team(), &[at(u32::MAX)]).tally.cast_weight, 2);
}

#[test]
fn one_answer_of_the_authors_model_is_enough_to_lose_the_vote_where_independence_is_asked() {
    let policy = Policy { independence: Independence::DifferentModel, ..team() };
    let of = |role: &str, answered: &[&str]| Ballot {
        model: "p/bound".into(),
        answered_by: answered.iter().map(|name| (*name).to_owned()).collect(),
        ..ballot(role, Approve)
    };
    let ballots = [
        of("reviewer", &["ns/p/bound", "ns/q/LARGE-1"]),
        of("tester", &["ns/p/bound", "ns/q/other"]),
        Ballot { model: "p/large-1".into(), ..of("architect", &["ns/q/other"]) },
    ];
    let authors = ["large-1".to_owned()];
    let subject = Subject { digest: SUBJECT, author_models: &authors };
    let set_aside = [("architect", IgnoredReason::AuthorsModel), ("reviewer", IgnoredReason::AuthorsModel)];
    assert_eq!(reasons(&decide(&policy, &ballots, &[], subject, true)), set_aside);
    assert!(reasons(&decide(&team(), &ballots, &[], subject, true)).is_empty());
}

#[test]
fn a_ballot_of_a_record_that_does_not_say_who_answered_reads_and_is_written_as_it_was() {
    let old = ballot("reviewer", Approve);
    let written = serde_json::to_value(&old).unwrap();
    assert_eq!(written.get("answeredBy"), None);
    assert_eq!(serde_json::from_value::<Ballot>(written).unwrap(), old);
}

#[test]
fn authors_own_model_has_no_vote_where_independence_is_asked() {
    let policy = Policy { independence: Independence::DifferentModel, ..team() };
    let of = |role: &str, model: &str| Ballot { model: model.into(), ..ballot(role, Approve) };
    let ballots = [
        of("reviewer", "local/Large-1"),
        of("architect", "other/small"),
        of("tester", " "),
        of("security", "large-1"),
    ];
    let authors = ["cloud/large-1".to_owned()];
    let subject = Subject { digest: SUBJECT, author_models: &authors };
    let decision = decide(&policy, &ballots, &[], subject, true);
    assert_eq!(
        reasons(&decision),
        [
            ("reviewer", IgnoredReason::AuthorsModel),
            ("security", IgnoredReason::AuthorsModel),
            ("tester", IgnoredReason::ModelUnknown)
        ]
    );
    assert_eq!((decision.outcome.kind(), decision.tally.cast_weight), (OutcomeKind::QuorumMissing, 2));
    // Their seats are empty: an open review waits for others to take them.
    assert_eq!(decide(&policy, &ballots, &[], subject, false).outcome.kind(), OutcomeKind::Undecided);
    let unknown = decided(&policy, &ballots);
    assert!(unknown.ignored.iter().all(|i| i.reason == IgnoredReason::AuthorUnknown));
    assert_eq!(decide(&team(), &ballots, &[], subject, true).ignored, []);
}

#[test]
fn crowded_role_hears_the_cautious_and_as_many_voters_as_it_has_seats() {
    let reject = (0..10).map(|i| by(&format!("z{i}"), "reviewer", Reject));
    let approve = (0..30).map(|i| by(&format!("a{i:02}"), "reviewer", Approve));
    let ballots: Vec<Ballot> = approve.chain(reject).collect();
    let one = policy(vec![voter("reviewer", 1)]);
    let decision = decided(&one, &ballots);
    assert_eq!(decision.outcome.kind(), OutcomeKind::ChangesRequested);
    assert_eq!(decision.ignored.len(), 40 - MAX_VOTERS_PER_ROLE);
    let seats = policy(vec![voter("reviewer", 1); 40]);
    let decision = decided(&seats, &ballots);
    assert_eq!((decision.outcome.kind(), decision.tally.cast_weight), (OutcomeKind::Approved, 40));
    let full =
        Policy { quorum_percent: 100, ..policy(vec![Voter { required: true, ..voter("reviewer", 1) }; 40]) };
    assert_eq!(decided(&full, &ballots).outcome.kind(), OutcomeKind::Approved);
}

#[test]
fn of_an_additional_role_the_most_cautious_voter_counts() {
    let arbiter = Voter { additional: true, ..voter("arbiter", 1) };
    let rules = policy(vec![voter("reviewer", 1), voter("tester", 1), arbiter]);
    let tied = [by("reviewer", "reviewer", Approve), by("tester", "tester", Reject)];
    let with = |others: &[Ballot]| decided(&rules, &[&tied, others].concat());
    let (yes, no) = (by("a2", "arbiter", Approve), by("a1", "arbiter", Reject));
    assert_eq!(with(std::slice::from_ref(&yes)).outcome.kind(), OutcomeKind::Approved);
    let both = with(&[yes, no]);
    assert_eq!(both.outcome.kind(), OutcomeKind::ChangesRequested);
    assert_eq!(reasons(&both), [("a2", IgnoredReason::RoleFull)]);
}
