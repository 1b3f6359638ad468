//! From a request and its ballots to a decision, by the pure rules.

use golden_consensus::{
    Ballot, DecisionRecord, GuardFact, GuardVerdict, Policy, PolicyError, SeatWeight, Subject, Weights,
    decide, policy_from_value, policy_power, validate_policy,
};
use golden_platform::wire::{GuardOutcome, ReviewRequest};

/// A voter of a review. A role listed several times has several voters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Voter {
    pub(crate) name: String,
    pub(crate) role: String,
}

/// The rules of one review.
pub(crate) struct Rules {
    pub(crate) policy: Policy,
    /// What the seats' opinions weigh, where that follows track records.
    weights: Vec<SeatWeight>,
}

/// The policy's rules, with the weights that were found for this review, and with every guard of the task as a required
/// one: the task's own count like the policy's. One in quarantine is shown to the voters and stops nothing.
pub(crate) fn rules(request: &ReviewRequest) -> Result<Rules, PolicyError> {
    let mut policy = policy_from_value(&request.rules)?;
    let found: Option<Vec<SeatWeight>> = serde_json::from_value(request.weights.clone())
        .map_err(|e| PolicyError::Unreadable(format!("its weights: {e}")))?;
    let weights = found.filter(|_| policy.weights == Weights::TrackRecord).unwrap_or_default();
    policy.weigh(&weights);
    validate_policy(&policy)?;
    for guard in request.guards.iter().filter(|g| g.quarantine.is_none()) {
        if !policy.required_guards.contains(&guard.guard) {
            policy.required_guards.push(guard.guard.clone());
        }
    }
    Ok(Rules { policy, weights })
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

/// Decides, and says what power each seat had; `closed`: nobody is waited for any more.
pub(crate) fn outcome(
    rules: &Rules,
    ballots: &[Ballot],
    request: &ReviewRequest,
    closed: bool,
) -> DecisionRecord {
    let facts: Vec<GuardFact> = request.guards.iter().filter_map(fact).collect();
    let author_models: Vec<String> = request.author.iter().map(|m| m.model.clone()).collect();
    let subject = Subject { digest: &request.digest, author_models: &author_models };
    let Rules { policy, weights } = rules;
    let decided = decide(policy, ballots, &facts, subject, closed).into();
    // At most 16 voters and an additional one, who are counted in no time. A decision without their power is one all the same.
    let power = policy_power(policy)
        .inspect_err(|e| tracing::warn!(error = %e, "the power of the seats is not known"))
        .unwrap_or_default();
    DecisionRecord { power, weights: weights.clone(), ..decided }
}

/// A run without a verdict is no fact: the guard then counts as missing.
fn fact(outcome: &GuardOutcome) -> Option<GuardFact> {
    let verdict = match outcome.verdict.as_str() {
        "Passed" => GuardVerdict::Passed,
        "Failed" => GuardVerdict::Failed,
        _ => return None,
    };
    Some(GuardFact {
        guard: outcome.guard.clone(),
        verdict,
        required: outcome.quarantine.is_none(),
        digest: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_consensus::OutcomeKind;
    use serde_json::json;

    fn request(quarantine: Option<&str>) -> ReviewRequest {
        let mut guard = json!({
            "attempt": 1, "guard": "unit", "verdict": "Failed", "tree": "t", "sandboxRun": "r",
            "runUid": "00000000-0000-0000-0000-000000000009", "exitCode": 1, "reason": "NonZeroExit", "excerpt": "",
            "outputDigest": null, "imageId": null, "isolation": "gvisor",
        });
        if let Some(why) = quarantine {
            guard["quarantine"] = json!(why);
        }
        serde_json::from_value(json!({
            "namespace": "checkout", "taskName": "fix", "round": 1, "goal": "g", "digest": "d", "base": "b", "patch": "p",
            "rules": {"voters": [{"role": "reviewer"}]}, "guards": [guard], "models": {}, "closesAt": "",
        }))
        .unwrap()
    }

    fn decided(request: &ReviewRequest) -> OutcomeKind {
        let ballot = serde_json::from_value(json!({
            "voter": "reviewer", "role": "reviewer", "model": "m", "verdict": "Approve", "severity": "Minor",
            "confidence": 90, "rationale": "good", "digest": "d", "evidence": [],
        }))
        .unwrap();
        outcome(&rules(request).unwrap(), &[ballot], request, true).decision
    }

    #[test]
    fn a_failed_guard_stops_the_result_unless_it_is_in_quarantine() {
        assert_eq!(decided(&request(None)), OutcomeKind::GuardFailed);
        assert_eq!(decided(&request(Some("broken"))), OutcomeKind::Approved);
    }
}
