//! Whether another round of votes is worth its time, and what is shown in it.
//!
//! The first round is blind. A later one shows the objections: their severity, reasons and evidence, and neither who
//! made them nor how many voted which way, since a known majority draws others along whatever its reasons. It can
//! therefore only persuade towards rejection, and is held only where that would change something:
//! * after a tie, which one changed ballot breaks;
//! * after an approval over an objection whose evidence was verified: a fact that those who approved may not have seen.
//!
//! A rejection goes back to its author with the same objections, and guards and vetoes are not talked away.

use crate::ballot::{Ballot, Evidence, Severity, Verdict};
use crate::count::{Roles, count};
use crate::decide::decide;
use crate::guards::GuardFact;
use crate::outcome::OutcomeKind;
use crate::policy::Policy;
use crate::subject::Subject;

/// A round to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextRound {
    /// From 2.
    pub number: u32,
    /// Who is asked again: those who did not reject. By name, sorted.
    pub voters: Vec<String>,
    /// What they are shown, the most severe first.
    pub objections: Vec<Objection>,
}

/// A rejection without its voter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    pub severity: Severity,
    pub rationale: String,
    pub evidence: Vec<Evidence>,
}

/// The round after round `held`, whose ballots and those before are given; `None` where another is not worth it.
pub fn next_round<'a>(
    policy: &Policy,
    ballots: &[Ballot],
    facts: &[GuardFact],
    subject: impl Into<Subject<'a>>,
    held: u32,
) -> Option<NextRound> {
    let number = held.checked_add(1).filter(|number| *number <= policy.rounds.max)?;
    let subject = subject.into();
    let decision = decide(policy, ballots, facts, subject, true);
    let worth = |ballot: &Ballot| match decision.outcome.kind() {
        OutcomeKind::Tie => !ballot.rationale.trim().is_empty() || !ballot.evidence.is_empty(),
        OutcomeKind::Approved => ballot.has_verified_evidence(),
        _ => false,
    };
    let shown = decision.dissent.iter().filter(|ballot| worth(ballot));
    let objections: Vec<Objection> = shown.map(Objection::of).collect();
    if objections.is_empty() {
        return None;
    }
    let roles = Roles::of(policy);
    let matters = |role: usize| roles.all.get(role).is_some_and(|r| r.rule.weight > 0 || r.rule.veto);
    let (counted, _) = count(policy, &roles, ballots, &subject);
    let asked = counted.iter().filter(|c| c.ballot.verdict != Verdict::Reject && matters(c.role));
    let voters = asked.map(|c| c.ballot.voter.clone()).collect();
    Some(NextRound { number, voters, objections })
}

impl Objection {
    fn of(ballot: &Ballot) -> Self {
        let Ballot { severity, rationale, evidence, .. } = ballot.clone();
        Self { severity, rationale, evidence }
    }
}
