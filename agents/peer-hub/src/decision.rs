//! From a request and its ballots to a decision, by the pure rules.

use golden_consensus::{
    Ballot, DecisionRecord, GuardFact, GuardVerdict, Policy, PolicyError, decide, parse_policy,
};
use golden_platform::wire::{GuardOutcome, ReviewRequest};

/// A voter of a review. A role listed several times has several voters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Voter {
    pub(crate) name: String,
    pub(crate) role: String,
}

/// The rules, with every guard of the task as a required one: the task's own count like the policy's.
pub(crate) fn policy(request: &ReviewRequest) -> Result<Policy, PolicyError> {
    let mut policy = parse_policy(&request.rules.to_string())?;
    for guard in &request.guards {
        if !policy.required_guards.contains(&guard.guard) {
            policy.required_guards.push(guard.guard.clone());
        }
    }
    Ok(policy)
}

pub(crate) fn voters(policy: &Policy) -> Vec<Voter> {
    let mut voters: Vec<Voter> = Vec::new();
    for seat in &policy.voters {
        let before = voters.iter().filter(|v| v.role == seat.role).count();
        let name = if before == 0 { seat.role.clone() } else { format!("{}-{}", seat.role, before + 1) };
        voters.push(Voter { name, role: seat.role.clone() });
    }
    voters
}

/// Decides; `closed`: nobody is waited for any more.
pub(crate) fn outcome(
    policy: &Policy,
    ballots: &[Ballot],
    request: &ReviewRequest,
    closed: bool,
) -> DecisionRecord {
    let facts: Vec<GuardFact> = request.guards.iter().filter_map(fact).collect();
    decide(policy, ballots, &facts, &request.digest, closed).into()
}

/// A run without a verdict is no fact: the guard then counts as missing.
fn fact(outcome: &GuardOutcome) -> Option<GuardFact> {
    let verdict = match outcome.verdict.as_str() {
        "Passed" => GuardVerdict::Passed,
        "Failed" => GuardVerdict::Failed,
        _ => return None,
    };
    Some(GuardFact { guard: outcome.guard.clone(), verdict, required: true, digest: None })
}
