//! A policy from JSON: the text that people write, so that they are judged by it and by nothing else.
//!
//! The form is that of `GovernancePolicy.spec.review`. What is read is checked for fields that nobody knows: a misspelt rule
//! must not pass for an absent one.

use crate::json;
use crate::policy::{Policy, PolicyError, validate_policy};
use serde::Deserialize;
use serde_json::Value;

const MANIFEST_FIELDS: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
/// Those of GovernancePolicy; all but `review` and `guards` are others' business.
const SPEC_FIELDS: [&str; 13] = [
    "priority",
    "namespaceSelector",
    "taskSelector",
    "requireBudget",
    "review",
    "guards",
    "protectedPaths",
    "approvals",
    "autoFix",
    "sandbox",
    "escalation",
    "forecast",
    "pause",
];
const GUARDS_FIELDS: [&str; 2] = ["required", "quarantined"];
/// The last is for other parts, which ask one more reviewer; a decision does not use it.
const REVIEW_FIELDS: [&str; 11] = [
    "voters",
    "quorumPercent",
    "approvePercent",
    "onTie",
    "onTimeout",
    "requiredGuards",
    "rounds",
    "independence",
    "weights",
    "timeoutSeconds",
    "additionalReviewer",
];
const ROUNDS_FIELDS: [&str; 2] = ["max", "blindFirst"];
const VOTER_FIELDS: [&str; 7] =
    ["role", "weight", "veto", "required", "modelRef", "weightPerMille", "additional"];

/// Reads and validates a policy from JSON in which no key stands twice; see [`policy_from_value`].
pub fn parse_policy(json: &str) -> Result<Policy, PolicyError> {
    let value = json::read(json).map_err(|e| PolicyError::Unreadable(e.to_string()))?;
    policy_from_value(&value)
}

/// Reads and validates a policy: a review, an object with `review`, or a whole GovernancePolicy, whose
/// `guards.required` then become required guards, but for those in `guards.quarantined`, which stop nothing.
pub fn policy_from_value(value: &Value) -> Result<Policy, PolicyError> {
    if let Some(spec) = value.get("spec") {
        known(value, &MANIFEST_FIELDS, "")?;
        return governed(spec, "spec.");
    }
    if value.get("review").is_some() { governed(value, "") } else { policy(value, "", vec![]) }
}

fn governed(spec: &Value, place: &str) -> Result<Policy, PolicyError> {
    known(spec, &SPEC_FIELDS, place)?;
    let missing = || PolicyError::Unreadable(format!("it has no {place}review"));
    let review = spec.get("review").ok_or_else(missing)?;
    policy(review, &format!("{place}review."), guards(spec, place)?)
}

fn policy(review: &Value, place: &str, guards: Vec<String>) -> Result<Policy, PolicyError> {
    check_fields(review, place)?;
    let mut policy: Policy =
        serde_json::from_value(review.clone()).map_err(|e| PolicyError::Unreadable(e.to_string()))?;
    policy.required_guards.extend(guards);
    validate_policy(&policy)?;
    Ok(policy)
}

/// Of each guard only its name matters here, without which it is refused.
#[derive(Default, Deserialize)]
struct Guards {
    required: Option<Vec<Guard>>,
    quarantined: Option<Vec<Guard>>,
}

#[derive(Deserialize)]
struct Guard {
    name: String,
}

/// The names of a GovernancePolicy's own required guards. A list of another shape is no list without guards.
fn guards(spec: &Value, place: &str) -> Result<Vec<String>, PolicyError> {
    let Some(guards) = spec.get("guards") else { return Ok(vec![]) };
    known(guards, &GUARDS_FIELDS, &format!("{place}guards."))?;
    let guards: Option<Guards> = serde_json::from_value(guards.clone())
        .map_err(|e| PolicyError::Unreadable(format!("{place}guards: {e}")))?;
    let Guards { required, quarantined } = guards.unwrap_or_default();
    let quarantined = quarantined.unwrap_or_default();
    let required = required.unwrap_or_default().into_iter().map(|guard| guard.name);
    Ok(required.filter(|name| !quarantined.iter().any(|q| q.name == *name)).collect())
}

fn check_fields(review: &Value, place: &str) -> Result<(), PolicyError> {
    known(review, &REVIEW_FIELDS, place)?;
    if let Some(rounds) = review.get("rounds") {
        known(rounds, &ROUNDS_FIELDS, &format!("{place}rounds."))?;
    }
    let voters = review.get("voters").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    voters.iter().try_for_each(|voter| known(voter, &VOTER_FIELDS, &format!("{place}voters[].")))
}

/// Refuses an object's first field that is not among `fields`.
fn known(value: &Value, fields: &[&str], place: &str) -> Result<(), PolicyError> {
    let mut names = value.as_object().into_iter().flat_map(serde_json::Map::keys);
    match names.find(|name| !fields.contains(&name.as_str())) {
        Some(name) => Err(PolicyError::UnknownField(format!("{place}{name}"))),
        None => Ok(()),
    }
}
