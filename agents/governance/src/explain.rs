//! What holds for a task, part by part: whose each is, and by which rule of the merge.

use crate::builtin::BUILT_IN;
use crate::merge::THE_TASK;
use crate::merged::{GuardOrigin, MergedGuard, MergedPolicy, Part};
use golden_crds::governance_policy::{ApprovalWhen, OnDeadline, ReviewRules};
use serde::Serialize;

/// One part of the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// Where it stands in a GovernancePolicy's spec.
    pub part: String,
    pub value: String,
    /// The policies it is from, or `the task`.
    pub from: Vec<String>,
    /// Why theirs counts.
    pub because: &'static str,
}

const STRICTEST: &str = "the strictest of all that say something";
const SMALLEST: &str = "the smallest of all that say something";
const UNITED: &str = "guards, approvals and paths of all policies unite";
const OWN: &str = "a task may add guards, and take none away";
const WHOLE: &str = "whole, from the policy of highest priority that has one";
const SILENT: &str = "no matching policy says anything of it";

/// All parts, in the order of a policy's spec.
pub fn explain(policy: &MergedPolicy) -> Vec<Explained> {
    let mut parts = vec![part("requireBudget", &policy.require_budget, bool::to_string, STRICTEST)];
    parts.extend(review(&policy.review));
    for guard in &policy.guards {
        let (from, because) = match guard.origin {
            GuardOrigin::Policy => (guard.policies.clone(), UNITED),
            GuardOrigin::Task => (vec![THE_TASK.to_owned()], OWN),
        };
        parts.push(Explained { part: "guards".into(), value: said_of(guard), from, because });
    }
    for path in &policy.protected_paths {
        let (value, from) = (path.glob.clone(), path.policies.clone());
        parts.push(Explained { part: "protectedPaths".into(), value, from, because: UNITED });
    }
    for approval in &policy.approvals {
        let when = match approval.rule.when {
            ApprovalWhen::Always => "always".to_owned(),
            ApprovalWhen::PathsChanged => format!("when {} changed", approval.rule.paths.join(", ")),
        };
        let value = format!("{when}, by {}", people(approval.rule.count));
        let from = vec![approval.origin.clone()];
        parts.push(Explained { part: "approvals".into(), value, from, because: UNITED });
    }
    let attempts = policy.max_attempts.as_ref();
    parts.extend(attempts.map(|most| part("autoFix.maxAttempts", most, ToString::to_string, SMALLEST)));
    let sandbox = &policy.sandbox;
    parts.push(part("sandbox.runtimeClassName", &sandbox.runtime_class_name, String::clone, STRICTEST));
    let seconds = |v: &i64| format!("{v} s");
    let ceilings = [
        ("sandbox.maxTimeoutSeconds", &sandbox.max_timeout_seconds, seconds as fn(&i64) -> String),
        ("sandbox.maxMemoryBytes", &sandbox.max_memory_bytes, |v| format!("{v} bytes")),
    ];
    for (name, ceiling, words) in ceilings {
        parts.extend(ceiling.as_ref().map(|ceiling| part(name, ceiling, words, SMALLEST)));
    }
    let OnDeadline::Reject = policy.escalation.on_deadline;
    let deadline = |v: &i64| format!("{v} s, then Reject");
    parts.push(part("escalation", &policy.escalation.deadline_seconds, deadline, SMALLEST));
    let forecast = |v: &_| words(v);
    parts.push(part("forecast", &policy.forecast, forecast, STRICTEST));
    parts.push(part("pause.graceSeconds", &policy.pause, |v| seconds(&v.grace_seconds), SMALLEST));
    parts
}

/// One in quarantine is asked for by all its policies, and stops nothing by the word of the one that is named.
fn said_of(guard: &MergedGuard) -> String {
    let name = &guard.spec.name;
    match &guard.quarantine {
        None => name.clone(),
        Some(why) => format!("{name}, in quarantine by {}: {}", why.origin, why.value),
    }
}

fn review(review: &Part<ReviewRules>) -> Vec<Explained> {
    let rules = &review.value;
    let voters = rules.voters.iter().map(|voter| {
        let rights = [(voter.veto, ", veto"), (voter.required, ", required")];
        let rights: String = rights.iter().filter(|(has, _)| *has).map(|(_, words)| *words).collect();
        let model = voter.model_ref.as_ref().map(|m| format!(", {}/{}", m.provider, m.model));
        format!("{} (weight {}{rights}{})", voter.role, voter.weight, model.unwrap_or_default())
    });
    let voters = voters.collect::<Vec<_>>().join("; ");
    let shares = format!(
        "quorum {} %, approval {} %, tie: {}",
        rules.quorum_percent,
        rules.approve_percent,
        words(&rules.on_tie)
    );
    let time = format!("{} s, then {}", rules.timeout_seconds, words(&rules.on_timeout));
    let additional = rules.additional_reviewer.as_ref().map(|reviewer| {
        let model = reviewer.model_ref.as_ref().map(|m| format!(" ({}/{})", m.provider, m.model));
        let told = format!("{}{}, once, before a person", reviewer.role, model.unwrap_or_default());
        ("review.additionalReviewer", told)
    });
    [
        ("review.voters", voters),
        ("review", shares),
        ("review.rounds", format!("at most {}", rules.max_rounds())),
        ("review.independence", words(&rules.independence.unwrap_or_default())),
        ("review.weights", words(&rules.weights.unwrap_or_default())),
        ("review.timeoutSeconds", time),
    ]
    .into_iter()
    .chain(additional)
    .map(|(name, value)| part(name, review, |_| value.clone(), WHOLE))
    .collect()
}

fn part<T>(name: &str, part: &Part<T>, words: impl Fn(&T) -> String, because: &'static str) -> Explained {
    let because = if part.origin == BUILT_IN { SILENT } else { because };
    Explained { part: name.to_owned(), value: words(&part.value), from: vec![part.origin.clone()], because }
}

/// A value as it is written in a policy.
fn words(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Object(fields)) => {
            let field = |(key, value): (&String, &serde_json::Value)| {
                format!("{key} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            };
            fields.iter().map(field).collect::<Vec<_>>().join(", ")
        }
        other => other.map(|v| v.to_string()).unwrap_or_default(),
    }
}

pub(crate) fn people(count: u32) -> String {
    if count == 1 { "1 person".to_owned() } else { format!("{count} people") }
}
