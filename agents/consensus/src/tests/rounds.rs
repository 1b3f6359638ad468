use super::support::{SUBJECT, ballot, by, fact, policy, team, voter, with_evidence};
use crate::Verdict::{Abstain, Approve, Reject};
use crate::{Ballot, GuardVerdict, NextRound, Policy, Rounds, next_round};

fn two_rounds() -> Policy {
    Policy { rounds: Rounds { max: 2, ..Rounds::default() }, ..team() }
}

fn next(policy: &Policy, ballots: &[Ballot]) -> Option<NextRound> {
    next_round(policy, ballots, &[], SUBJECT, 1)
}

fn because(ballot: Ballot) -> Ballot {
    Ballot { rationale: "drops the last row".into(), ..ballot }
}

#[test]
fn tie_is_voted_on_again_with_the_reasons_and_without_names_or_numbers() {
    let ballots = [ballot("reviewer", Approve), because(ballot("architect", Reject))];
    let round = next(&two_rounds(), &ballots).unwrap();
    assert_eq!((round.number, round.voters), (2, vec!["reviewer".to_owned()]));
    assert_eq!(round.objections.len(), 1);
    assert_eq!(round.objections[0].rationale, "drops the last row");
    assert_eq!(next(&team(), &ballots), None, "the policy has one round");
    assert_eq!(next_round(&two_rounds(), &ballots, &[], SUBJECT, 2), None);
    assert_eq!(next_round(&two_rounds(), &ballots, &[], SUBJECT, u32::MAX), None);
    let silent = [ballot("reviewer", Approve), ballot("architect", Reject)];
    assert_eq!(next(&two_rounds(), &silent), None, "nothing to show");
}

#[test]
fn approval_is_voted_on_again_over_verified_evidence_only() {
    let approving = [ballot("reviewer", Approve), ballot("security", Abstain), ballot("tester", Approve)];
    let with = |objection: Ballot| [&approving[..], &[objection]].concat();
    let proven = next(&two_rounds(), &with(with_evidence(ballot("architect", Reject), true))).unwrap();
    assert_eq!(proven.voters, ["reviewer", "security", "tester"]);
    assert_eq!(next(&two_rounds(), &with(because(ballot("architect", Reject)))), None);
    assert_eq!(next(&two_rounds(), &with(with_evidence(ballot("architect", Reject), false))), None);
    assert_eq!(next(&two_rounds(), &approving), None, "nobody objects");
}

#[test]
fn rejections_vetoes_and_failed_guards_are_not_talked_away() {
    let proven = with_evidence(because(ballot("architect", Reject)), true);
    let rejected = [ballot("tester", Approve), proven.clone(), ballot("reviewer", Reject)];
    assert_eq!(next(&two_rounds(), &rejected), None);
    let vetoed = [ballot("reviewer", Approve), with_evidence(ballot("security", Reject), true)];
    assert_eq!(next(&two_rounds(), &vetoed), None);
    let tie = [ballot("reviewer", Approve), proven];
    let failed = [fact("g", GuardVerdict::Failed)];
    assert_eq!(next_round(&two_rounds(), &tie, &failed, SUBJECT, 1), None);
}

#[test]
fn who_can_change_nothing_is_not_asked() {
    let policy = Policy {
        rounds: Rounds { max: 3, ..Rounds::default() },
        ..policy(vec![voter("a", 1), voter("b", 1), voter("observer", 0)])
    };
    let second = Ballot { round: 2, ..because(by("b", "b", Reject)) };
    let ballots = [ballot("a", Approve), ballot("b", Approve), ballot("observer", Approve), second];
    let round = next_round(&policy, &ballots, &[], SUBJECT, 2).unwrap();
    assert_eq!((round.number, round.voters), (3, vec!["a".to_owned()]));
}
