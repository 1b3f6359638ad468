//! One recorded attempt, judged by some rules from the facts and ballots there are.

use super::course::{Attempt, Course};
use super::rounds::Round;
use super::vote::{Vote, vote};
use crate::merged::{MergedGuard, MergedPolicy};
use golden_consensus::{GuardVerdict, Next, OutcomeKind};
use std::collections::BTreeSet;

/// How rules judge an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    /// `Undecided` where the guards let it pass and nobody has reviewed it.
    pub(super) kind: OutcomeKind,
    pub(super) next: Next,
    /// Who objects, or may: guards that failed or did not run, or voters that rejected. The next attempt is told.
    pub(super) objections: BTreeSet<String>,
    pub(super) reason: String,
    /// What each round came to that was held and decided.
    pub(super) rounds: Vec<OutcomeKind>,
}

impl Judgement {
    /// Whether the task goes on from both alike: to people with the same question, or back with the same reasons; and after
    /// as many rounds.
    pub(super) fn leads_where(&self, other: &Self) -> bool {
        self.next == other.next
            && self.rounds.len() == other.rounds.len()
            && match self.next {
                Next::Proceed | Next::Wait => true,
                Next::Escalate => self.kind == other.kind,
                Next::Revise | Next::Repair => self.objections == other.objections,
            }
    }
}

/// Judges by `rules` what was done under those of the record, or says what is missing for that. The attempt is one that
/// was judged: where it was refused before, rules have no say.
pub(super) fn judge(attempt: &Attempt, course: &Course, rules: &MergedPolicy) -> Result<Judgement, String> {
    let recorded = &course.merged;
    let (mut failed, mut unknown) = (vec![], vec![]);
    for guard in rules.guards.iter().filter(|guard| guard.quarantine.is_none()) {
        match verdict(attempt, recorded, rules, guard) {
            Some(GuardVerdict::Passed) => {}
            Some(GuardVerdict::Failed) => failed.push(guard.spec.name.clone()),
            None => unknown.push(guard.spec.name.clone()),
        }
    }
    if failed.is_empty() {
        if unknown.is_empty() {
            return reviewed(attempt, course, rules);
        }
        return Err(format!("guard {} did not run so", unknown.join(", ")));
    }
    // Evidence beats votes: whatever else is missing, this is certain.
    Ok(Judgement {
        kind: OutcomeKind::GuardFailed,
        next: Next::Repair,
        reason: format!("guard {} failed", failed.join(", ")),
        objections: failed.into_iter().chain(unknown).collect(),
        rounds: vec![],
    })
}

/// The fact about a guard, if it ran as the rules say.
fn verdict(
    attempt: &Attempt,
    recorded: &MergedPolicy,
    rules: &MergedPolicy,
    guard: &MergedGuard,
) -> Option<GuardVerdict> {
    let ran = recorded.guard(&guard.spec.name).filter(|ran| ran.spec == guard.spec)?;
    let timeout = |policy: &MergedPolicy| policy.timeout_seconds(guard.spec.timeout_seconds);
    let memory = |policy: &MergedPolicy| policy.sandbox.max_memory_bytes.as_ref().map(|part| part.value);
    let isolation = |policy: &MergedPolicy| policy.sandbox.runtime_class_name.value.clone();
    let alike = timeout(recorded) == timeout(rules)
        && memory(recorded) == memory(rules)
        && isolation(recorded) == isolation(rules);
    if alike { attempt.guards.get(&ran.spec.name).copied() } else { None }
}

/// By the rounds of its review, one after the other, as far as these rules hold the recorded ones.
fn reviewed(attempt: &Attempt, course: &Course, rules: &MergedPolicy) -> Result<Judgement, String> {
    let mut rounds = vec![];
    for round in attempt.rounds.iter() {
        let Some(review) = &round.review else { break };
        let held = rounds.len() + 1;
        let vote = vote((round.beside, review), held, course, rules)?;
        rounds.push(vote.kind);
        let next = attempt.rounds.after(held);
        match follows(round, &vote, attempt, course, rules) {
            Follows::Nothing => return Ok(decided(vote, rounds)),
            Follows::Again => match next.filter(|next| !next.beside) {
                Some(_) => hears_alike(&vote, held)?,
                None => {
                    return Err(format!("its voters would have been heard in another round, after {held}"));
                }
            },
            Follows::Beside(role) => {
                let was = &course.merged.review.value.additional_reviewer;
                if next.is_none_or(|next| !next.beside) || *was != rules.review.value.additional_reviewer {
                    return Err(format!("{role} would have been asked before a person"));
                }
            }
        }
    }
    Ok(Judgement {
        kind: OutcomeKind::Undecided,
        next: Next::Wait,
        objections: BTreeSet::new(),
        reason: "its guards let it pass".into(),
        rounds,
    })
}

fn decided(vote: Vote, rounds: Vec<OutcomeKind>) -> Judgement {
    let Vote { kind, next, objections, reason, .. } = vote;
    Judgement { kind, next, objections, reason, rounds }
}

/// What is asked after a round was decided.
enum Follows<'a> {
    Nothing,
    /// The voters, once more.
    Again,
    /// The additional reviewer, of this role.
    Beside(&'a str),
}

/// As the orchestrator does it: another round comes before the additional reviewer, who is asked once in a task and after
/// whom none follows.
fn follows<'a>(
    round: &Round,
    vote: &Vote,
    attempt: &Attempt,
    course: &Course,
    rules: &'a MergedPolicy,
) -> Follows<'a> {
    if round.beside {
        return Follows::Nothing;
    }
    if vote.again {
        return Follows::Again;
    }
    let asks = vote.next == Next::Escalate && vote.kind.may_be_settled() && !course.asked_before(attempt);
    let additional = rules.review.value.additional_reviewer.as_ref().filter(|_| asks);
    additional.map_or(Follows::Nothing, |additional| Follows::Beside(&additional.role))
}

/// Whether the next round's voters would have heard the objections that they heard: what they said then answers no others.
fn hears_alike(vote: &Vote, held: usize) -> Result<(), String> {
    if !vote.absent.is_empty() {
        let who = vote.absent.join(", ");
        return Err(format!(
            "another round, after {held}, would have heard {who}, whose ballots nobody gave"
        ));
    }
    if !vote.is_heard_alike {
        return Err(format!("another round, after {held}, would have heard other objections"));
    }
    Ok(())
}
