//! What is said of a merged policy.

use super::support::{guard, merged, silent};
use crate::{BUILT_IN, explain};
use serde_json::json;

fn lines(
    policies: &[(&str, serde_json::Value)],
    guards: &[golden_crds::agent_task::GuardSpec],
) -> Vec<String> {
    let parts = explain(&merged(policies, guards).unwrap());
    parts.iter().map(|p| format!("{}: {} [{}] {}", p.part, p.value, p.from.join("+"), p.because)).collect()
}

#[test]
fn each_part_says_whose_it_is_and_why_theirs_counts() {
    let high = json!({
        "priority": 9, "protectedPaths": ["deploy/**"], "autoFix": {"maxAttempts": 4}, "sandbox": {"maxTimeoutSeconds": 60},
        "review": {"voters": [{"role": "security", "weight": 2, "veto": true},
                              {"role": "tester", "required": true, "modelRef": {"provider": "shared", "model": "large"}}],
                   "onTie": "Reject", "rounds": {"max": 2}, "independence": "DifferentModel", "weights": "TrackRecord",
                   "additionalReviewer": {"role": "arbiter", "modelRef": {"provider": "shared", "model": "small"}}},
        "guards": {"required": [{"name": "lint", "image": "i", "command": ["true"]},
                                {"name": "flaky", "image": "i", "command": ["true"]}],
                   "quarantined": [{"name": "flaky", "reason": "fails on Mondays"}]},
    });
    let low = json!({
        "protectedPaths": ["deploy/**"], "sandbox": {"maxTimeoutSeconds": 90}, "escalation": {"deadlineSeconds": 50},
        "approvals": [{"when": "PathsChanged", "paths": ["db/**"], "count": 2}],
    });
    let told = lines(&[("low", low), ("high", high)], &[guard("own", "i")]);
    for wanted in [
        "review.voters: security (weight 2, veto); tester (weight 1, required, shared/large) [high] whole, from the policy of \
         highest priority that has one",
        "review: quorum 50 %, approval 50 %, tie: Reject [high]",
        "review.rounds: at most 2 [high] whole",
        "review.independence: DifferentModel [high] whole",
        "review.weights: TrackRecord [high] whole",
        "autoFix.maxAttempts: 4 [high] the smallest",
        "review.additionalReviewer: arbiter (shared/small), once, before a person [high] whole, from the policy",
        "guards: flaky, in quarantine by high: fails on Mondays [high] guards",
        "guards: lint [high] guards, approvals and paths of all policies unite",
        "guards: own [the task] a task may add guards, and take none away",
        "protectedPaths: deploy/** [high+low]",
        "approvals: when db/** changed, by 2 people [low]",
        "sandbox.maxTimeoutSeconds: 60 s [high] the smallest of all that say something",
        "escalation: 50 s, then Reject [low]",
        "forecast: onExceeds Admit, percentile P90 [golden-built-in] no matching policy says anything of it",
    ] {
        assert!(told.iter().any(|line| line.starts_with(wanted)), "{wanted}\nis not in\n{}", told.join("\n"));
    }
}

#[test]
fn where_no_policy_says_anything_all_is_built_in() {
    for policies in [vec![], vec![("silent", silent())]] {
        let parts = explain(&merged(&policies, &[]).unwrap());
        // A matching policy says whether a budget is required, if only by its default.
        let rest = parts.iter().filter(|p| p.part != "requireBudget");
        assert!(rest.clone().count() > 5 && rest.clone().all(|p| p.from == [BUILT_IN]), "{parts:?}");
    }
}
