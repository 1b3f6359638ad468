use super::support::{SUBJECT, ballot, fact, team, with_evidence};
use crate::Verdict::{Abstain, Approve, Reject};
use crate::{Ballot, DecisionRecord, GuardFact, GuardVerdict, decide};

fn again(ballots: &[Ballot], facts: &[GuardFact]) -> bool {
    DecisionRecord::from(decide(&team(), ballots, facts, SUBJECT, true)).is_worth_another_round()
}

fn proven(voter: &str) -> Ballot {
    with_evidence(ballot(voter, Reject), true)
}

#[test]
fn approvals_and_ties_are_voted_on_again_over_verified_evidence_only() {
    let approving = [ballot("reviewer", Approve), ballot("security", Abstain), ballot("tester", Approve)];
    let tying = [ballot("reviewer", Approve)];
    for votes in [&approving[..], &tying[..]] {
        let with = |objection: Ballot| [votes, &[objection]].concat();
        assert!(again(&with(proven("architect")), &[]));
        assert!(!again(&with(ballot("architect", Reject)), &[]), "no reason is given");
        assert!(!again(&with(with_evidence(ballot("architect", Reject), false)), &[]), "it was not found");
        assert!(!again(votes, &[]), "nobody objects");
    }
}

#[test]
fn rejections_vetoes_and_failed_guards_are_not_talked_away() {
    assert!(!again(&[ballot("tester", Approve), proven("architect"), ballot("reviewer", Reject)], &[]));
    assert!(!again(&[ballot("reviewer", Approve), proven("security")], &[]), "a veto");
    let tie = [ballot("reviewer", Approve), proven("architect")];
    assert!(again(&tie, &[]) && !again(&tie, &[fact("g", GuardVerdict::Failed)]));
}
