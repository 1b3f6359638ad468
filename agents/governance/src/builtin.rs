//! The policy that applies where no other matches.

use golden_crds::governance_policy::{
    EscalationRules, ForecastRules, GovernancePolicySpec, OnUndecided, PauseRules, ReviewRules, SandboxRules,
    Voter,
};

/// Its name. A GovernancePolicy cannot take it: the operator shows this one as its own.
pub const BUILT_IN: &str = "golden-built-in";

/// Four roles of one weight each, half of them a quorum, a plain majority, a veto for security; gVisor;
/// a budget is required. Undecided reviews go to a person.
pub fn built_in() -> GovernancePolicySpec {
    GovernancePolicySpec {
        priority: i32::MIN,
        namespace_selector: None,
        task_selector: None,
        require_budget: true,
        review: Some(built_in_review()),
        guards: None,
        protected_paths: vec![],
        approvals: vec![],
        sandbox: Some(SandboxRules::default()),
        escalation: Some(EscalationRules::default()),
        forecast: Some(ForecastRules::default()),
        auto_fix: None,
        pause: Some(PauseRules::default()),
    }
}

/// The review that also applies where the matching policies carry none.
pub(crate) fn built_in_review() -> ReviewRules {
    let voter =
        |role: &str, veto| Voter { role: role.into(), weight: 1, veto, required: false, model_ref: None };
    ReviewRules {
        voters: vec![
            voter("reviewer", false),
            voter("security", true),
            voter("architect", false),
            voter("tester", false),
        ],
        quorum_percent: 50,
        approve_percent: 50,
        on_tie: OnUndecided::Escalate,
        rounds: None,
        independence: None,
        weights: None,
        timeout_seconds: 180,
        on_timeout: OnUndecided::Escalate,
        additional_reviewer: None,
    }
}
