//! The rules of a vote in which the additional reviewer has part.

use golden_consensus::least_weight;
use golden_crds::governance_policy::ReviewRules;
use serde_json::{Value, json};

/// The rules with one seat more, in the form in which rules are sent and decided by; none if the policy names no additional
/// reviewer. Quorum and shares are those of the policy, of all who are asked.
pub fn with_additional(rules: &ReviewRules) -> Option<Value> {
    let additional = rules.additional_reviewer.as_ref()?;
    let weight = least_weight(rules.voters.iter().map(|v| u64::try_from(v.weight).unwrap_or(0)));
    let mut seat = json!({"role": additional.role, "weight": weight, "additional": true});
    if let Some(model) = &additional.model_ref {
        seat["modelRef"] = json!(model);
    }
    let mut extended = serde_json::to_value(rules).ok()?;
    extended.get_mut("voters")?.as_array_mut()?.push(seat);
    Some(extended)
}
