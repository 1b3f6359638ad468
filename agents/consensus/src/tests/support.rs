//! Short forms for tests.

use crate::{
    Ballot, Evidence, GuardFact, GuardVerdict, Independence, OnUndecided, Policy, Rounds, Severity, Verdict,
    Voter, Weights,
};

pub(super) const SUBJECT: &str = "sha256:subject";

pub(super) fn voter(role: &str, weight: u64) -> Voter {
    Voter {
        role: role.into(),
        weight,
        veto: false,
        required: false,
        weight_per_mille: None,
        additional: false,
    }
}

pub(super) fn policy(voters: Vec<Voter>) -> Policy {
    Policy {
        voters,
        quorum_percent: 50,
        approve_percent: 50,
        on_tie: OnUndecided::Escalate,
        on_timeout: OnUndecided::Escalate,
        required_guards: vec![],
        rounds: Rounds::default(),
        independence: Independence::None,
        weights: Weights::Policy,
        timeout_seconds: None,
    }
}

/// Reviewer 2, architect 2, tester 1, security 1 with a veto: 6 in all.
pub(super) fn team() -> Policy {
    let security = Voter { veto: true, ..voter("security", 1) };
    policy(vec![voter("reviewer", 2), voter("architect", 2), voter("tester", 1), security])
}

/// A ballot by the voter named as its role.
pub(super) fn ballot(role: &str, verdict: Verdict) -> Ballot {
    by(role, role, verdict)
}

pub(super) fn by(voter: &str, role: &str, verdict: Verdict) -> Ballot {
    Ballot {
        voter: voter.into(),
        role: role.into(),
        model: "m".into(),
        answered_by: vec![],
        verdict,
        severity: Severity::Info,
        confidence: 80,
        evidence: vec![],
        rationale: String::new(),
        digest: SUBJECT.into(),
        round: 1,
        cast_after_seconds: None,
    }
}

pub(super) fn with_evidence(mut ballot: Ballot, verified: bool) -> Ballot {
    let quote = "eval(input)".into();
    ballot.evidence.push(Evidence { file: "a.py".into(), start_line: 3, end_line: 3, quote, verified });
    ballot
}

pub(super) fn fact(guard: &str, verdict: GuardVerdict) -> GuardFact {
    GuardFact { guard: guard.into(), verdict, required: true, digest: None }
}
