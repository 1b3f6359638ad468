//! The merge of all policies that match a task.
//!
//! - `review` is taken whole from the matching policy of highest priority that carries one; two of that
//!   priority block admission;
//! - guards, approvals and protected paths unite; one guard name with two meanings blocks admission, and a
//!   task cannot take the name of a policy's guard; a guard is in quarantine if all that require it say so;
//! - limits take the minimum, `forecast` the strictest whole, `pause` the shortest, `requireBudget` is off only if every matching policy says so;
//! - `runtimeClassName`: gVisor wins; two other classes block admission, since neither is known to be stronger;
//! - what no matching policy says is taken from the built-in policy.

use crate::builtin::{BUILT_IN, built_in, built_in_review};
use crate::glob::{GlobFault, check_glob};
use crate::merged::{
    GuardOrigin, MergedApproval, MergedEscalation, MergedGuard, MergedPath, MergedPolicy, MergedSandbox,
    Part, built_in_pause, no_forecast,
};
use crate::selector::{SelectorFault, selects};
use golden_crds::GovernancePolicySpec;
use golden_crds::agent_task::{BuiltinGuard, GuardSpec};
use golden_crds::governance_policy::{
    EscalationRules, ForecastRules, OnDeadline, PauseRules, Quarantine, ReviewRules, SandboxRules,
};
use std::collections::BTreeMap;

/// A policy with its object's name.
#[derive(Clone, Copy, Debug)]
pub struct NamedPolicy<'a> {
    pub name: &'a str,
    pub spec: &'a GovernancePolicySpec,
}

/// A contradiction. It blocks the admission of the tasks it concerns and is shown on the policies it names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeFault {
    #[error("policy {policy}: {fault}")]
    Selector { policy: String, fault: SelectorFault },
    #[error("policy {policy}: {fault}")]
    Glob { policy: String, fault: GlobFault },
    #[error("guard {guard} of {owner}: {fault}")]
    GuardGlob { guard: String, owner: String, fault: GlobFault },
    #[error(
        "policies {first} and {second} both carry a review at priority {priority}; give one of them a higher priority"
    )]
    ReviewTie { first: String, second: String, priority: i32 },
    #[error("policies {first} and {second} define guard {guard} differently; rename one or make them alike")]
    GuardConflict { guard: String, first: String, second: String },
    #[error("the task defines guard {guard}, which policy {policy} defines; rename the task's guard")]
    TaskRedefinesGuard { guard: String, policy: String },
    #[error("{owner} defines guard {guard} twice; rename one")]
    GuardTwice { guard: String, owner: String },
    #[error(
        "policies {first} and {second} name runtime classes {first_class} and {second_class}, neither of which is \
         gvisor; make them agree"
    )]
    RuntimeClassConflict { first: String, first_class: String, second: String, second_class: String },
}

impl MergeFault {
    /// Names of the policies that have to change; empty where the task has to.
    pub fn policies(&self) -> Vec<&str> {
        match self {
            Self::Selector { policy, .. } | Self::Glob { policy, .. } => vec![policy],
            Self::ReviewTie { first, second, .. }
            | Self::GuardConflict { first, second, .. }
            | Self::RuntimeClassConflict { first, second, .. } => vec![first, second],
            Self::GuardTwice { owner, .. } | Self::GuardGlob { owner, .. } if owner != THE_TASK => {
                vec![owner]
            }
            Self::TaskRedefinesGuard { .. } | Self::GuardTwice { .. } | Self::GuardGlob { .. } => vec![],
        }
    }
}

/// Who owns what the task itself asks for.
pub(crate) const THE_TASK: &str = "the task";

/// The strongest isolation there is here.
const GVISOR: &str = "gvisor";

/// Merges the policies that select a task with these labels in a namespace with these labels, and adds the
/// task's own guards. The order of `policies` changes nothing.
pub fn merge(
    task_labels: &BTreeMap<String, String>,
    namespace_labels: &BTreeMap<String, String>,
    policies: &[NamedPolicy<'_>],
    task_guards: &[GuardSpec],
) -> Result<MergedPolicy, MergeFault> {
    let mut matching = vec![];
    for policy in policies {
        if matches(policy, task_labels, namespace_labels)? {
            matching.push(*policy);
        }
    }
    // Highest priority first; names settle the order of the rest, so that the result is the same each time.
    matching.sort_by(|a, b| b.spec.priority.cmp(&a.spec.priority).then_with(|| a.name.cmp(b.name)));
    let built_in = built_in();
    if matching.is_empty() {
        matching.push(NamedPolicy { name: BUILT_IN, spec: &built_in });
    }
    Ok(MergedPolicy {
        policies: matching.iter().map(|p| p.name.to_owned()).collect(),
        require_budget: require_budget(&matching),
        review: review(&matching)?,
        guards: guards(&matching, task_guards)?,
        protected_paths: protected_paths(&matching)?,
        approvals: approvals(&matching)?,
        max_attempts: max_attempts(&matching),
        sandbox: sandbox(&matching)?,
        escalation: escalation(&matching),
        forecast: forecast(&matching),
        pause: pause(&matching),
    })
}

fn matches(
    policy: &NamedPolicy<'_>,
    task_labels: &BTreeMap<String, String>,
    namespace_labels: &BTreeMap<String, String>,
) -> Result<bool, MergeFault> {
    let fault = |fault| MergeFault::Selector { policy: policy.name.to_owned(), fault };
    let namespace = selects(policy.spec.namespace_selector.as_ref(), namespace_labels).map_err(fault)?;
    let task = selects(policy.spec.task_selector.as_ref(), task_labels).map_err(fault)?;
    Ok(namespace && task)
}

fn require_budget(matching: &[NamedPolicy<'_>]) -> Part<bool> {
    let strictest = matching.iter().find(|p| p.spec.require_budget).or(matching.first());
    strictest.map_or(Part { origin: BUILT_IN.into(), value: true }, |p| Part {
        origin: p.name.to_owned(),
        value: p.spec.require_budget,
    })
}

fn review(matching: &[NamedPolicy<'_>]) -> Result<Part<ReviewRules>, MergeFault> {
    let mut carrying = matching.iter().filter_map(|p| p.spec.review.as_ref().map(|review| (p, review)));
    let Some((first, review)) = carrying.next() else {
        return Ok(Part { origin: BUILT_IN.into(), value: built_in_review() });
    };
    match carrying.next() {
        Some((second, _)) if second.spec.priority == first.spec.priority => Err(MergeFault::ReviewTie {
            first: first.name.to_owned(),
            second: second.name.to_owned(),
            priority: first.spec.priority,
        }),
        _ => Ok(Part { origin: first.name.to_owned(), value: review.clone() }),
    }
}

fn guards(matching: &[NamedPolicy<'_>], task_guards: &[GuardSpec]) -> Result<Vec<MergedGuard>, MergeFault> {
    let mut merged: BTreeMap<&str, MergedGuard> = BTreeMap::new();
    for policy in matching {
        if let Some(rules) = &policy.spec.guards {
            for guard in &rules.required {
                let quarantine = rules.quarantined.iter().find(|q| q.name == guard.name);
                add_policy_guard(&mut merged, policy.name, guard, quarantine)?;
            }
        }
    }
    for guard in task_guards {
        check_globs(THE_TASK, guard)?;
        let own = MergedGuard {
            origin: GuardOrigin::Task,
            policies: vec![],
            spec: guard.clone(),
            quarantine: None,
        };
        match merged.insert(&guard.name, own) {
            None => {}
            Some(taken) => {
                let guard = guard.name.clone();
                return Err(match taken.policies.into_iter().next() {
                    Some(policy) => MergeFault::TaskRedefinesGuard { guard, policy },
                    None => MergeFault::GuardTwice { guard, owner: THE_TASK.into() },
                });
            }
        }
    }
    Ok(merged.into_values().collect())
}

fn add_policy_guard<'a>(
    merged: &mut BTreeMap<&'a str, MergedGuard>,
    policy: &str,
    guard: &'a GuardSpec,
    quarantine: Option<&Quarantine>,
) -> Result<(), MergeFault> {
    check_globs(policy, guard)?;
    let Some(present) = merged.get_mut(guard.name.as_str()) else {
        let policies = vec![policy.to_owned()];
        let quarantine = quarantine.map(|q| Part { origin: policy.to_owned(), value: q.reason.clone() });
        merged.insert(
            &guard.name,
            MergedGuard { origin: GuardOrigin::Policy, policies, spec: guard.clone(), quarantine },
        );
        return Ok(());
    };
    if present.policies.iter().any(|p| p == policy) {
        return Err(MergeFault::GuardTwice { guard: guard.name.clone(), owner: policy.to_owned() });
    }
    if present.spec != *guard {
        return Err(MergeFault::GuardConflict {
            guard: guard.name.clone(),
            first: present.policies.first().cloned().unwrap_or_default(),
            second: policy.to_owned(),
        });
    }
    present.policies.push(policy.to_owned());
    // One policy that still relies on the guard is enough for it to stop a result.
    if quarantine.is_none() {
        present.quarantine = None;
    }
    Ok(())
}

/// Globs that mean something else than their author thinks would leave a guard with nothing to examine, or let its
/// subject edit it.
fn check_globs(owner: &str, guard: &GuardSpec) -> Result<(), MergeFault> {
    let builtin = guard.builtin.iter().flat_map(BuiltinGuard::globs);
    let mut globs = guard.restore_paths.iter().map(String::as_str).chain(builtin);
    globs.try_for_each(check_glob).map_err(|fault| MergeFault::GuardGlob {
        guard: guard.name.clone(),
        owner: owner.to_owned(),
        fault,
    })
}

fn protected_paths(matching: &[NamedPolicy<'_>]) -> Result<Vec<MergedPath>, MergeFault> {
    let mut merged: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for policy in matching {
        for glob in &policy.spec.protected_paths {
            checked(policy.name, glob)?;
            let policies = merged.entry(glob).or_default();
            if policies.last().is_none_or(|last| last != policy.name) {
                policies.push(policy.name.to_owned());
            }
        }
    }
    Ok(merged.into_iter().map(|(glob, policies)| MergedPath { glob: glob.to_owned(), policies }).collect())
}

fn approvals(matching: &[NamedPolicy<'_>]) -> Result<Vec<MergedApproval>, MergeFault> {
    let mut merged = vec![];
    for policy in matching {
        for rule in &policy.spec.approvals {
            rule.paths.iter().try_for_each(|glob| checked(policy.name, glob))?;
            merged.push(MergedApproval { origin: policy.name.to_owned(), rule: rule.clone() });
        }
    }
    Ok(merged)
}

fn checked(policy: &str, glob: &str) -> Result<(), MergeFault> {
    check_glob(glob).map_err(|fault| MergeFault::Glob { policy: policy.to_owned(), fault })
}

fn max_attempts(matching: &[NamedPolicy<'_>]) -> Option<Part<u32>> {
    let ceilings = matching.iter().filter_map(|p| p.spec.auto_fix.map(|rules| (rules.max_attempts, p)));
    // Of equal ones the first, which has the highest priority.
    let (value, policy) = ceilings.min_by_key(|(most, _)| *most)?;
    Some(Part { origin: policy.name.to_owned(), value })
}

fn sandbox(matching: &[NamedPolicy<'_>]) -> Result<MergedSandbox, MergeFault> {
    let rules: Vec<(&str, &SandboxRules)> =
        matching.iter().filter_map(|p| p.spec.sandbox.as_ref().map(|s| (p.name, s))).collect();
    let least = |value: fn(&SandboxRules) -> Option<i64>| {
        let values = rules.iter().filter_map(|(origin, s)| value(s).map(|v| (v, *origin)));
        values.min().map(|(value, origin)| Part { origin: origin.to_owned(), value })
    };
    Ok(MergedSandbox {
        runtime_class_name: runtime_class(&rules)?,
        max_timeout_seconds: least(|s| s.max_timeout_seconds),
        max_memory_bytes: least(|s| s.max_memory_bytes),
    })
}

fn runtime_class(rules: &[(&str, &SandboxRules)]) -> Result<Part<String>, MergeFault> {
    let Some((first, rule)) = rules.iter().find(|(_, s)| s.runtime_class_name == GVISOR).or(rules.first())
    else {
        return Ok(Part { origin: BUILT_IN.into(), value: GVISOR.into() });
    };
    let other = rules.iter().find(|(_, s)| s.runtime_class_name != rule.runtime_class_name);
    match other {
        Some((second, against)) if rule.runtime_class_name != GVISOR => {
            Err(MergeFault::RuntimeClassConflict {
                first: (*first).to_owned(),
                first_class: rule.runtime_class_name.clone(),
                second: (*second).to_owned(),
                second_class: against.runtime_class_name.clone(),
            })
        }
        _ => Ok(Part { origin: (*first).to_owned(), value: rule.runtime_class_name.clone() }),
    }
}

fn escalation(matching: &[NamedPolicy<'_>]) -> MergedEscalation {
    let deadlines =
        matching.iter().filter_map(|p| p.spec.escalation.as_ref().map(|e| (e.deadline_seconds, p.name)));
    let shortest = deadlines.min().map(|(value, origin)| Part { origin: origin.to_owned(), value });
    let own = || Part { origin: BUILT_IN.into(), value: EscalationRules::default().deadline_seconds };
    MergedEscalation { deadline_seconds: shortest.unwrap_or_else(own), on_deadline: OnDeadline::Reject }
}

/// Whole, and not part by part: waiting by the p50 and admitting by the p90 do not make waiting by the p90.
fn forecast(matching: &[NamedPolicy<'_>]) -> Part<ForecastRules> {
    let rules = matching.iter().filter_map(|p| p.spec.forecast.map(|rules| (rules, p)));
    // The first of equal ones, which has the highest priority.
    rules
        .rev()
        .max_by_key(|(rules, _)| *rules)
        .map_or_else(no_forecast, |(value, policy)| Part { origin: policy.name.to_owned(), value })
}

/// The shortest grace; of equal ones the first, which has the highest priority.
fn pause(matching: &[NamedPolicy<'_>]) -> Part<PauseRules> {
    let rules = matching.iter().filter_map(|p| p.spec.pause.map(|rules| (rules, p)));
    rules
        .min_by_key(|(rules, _)| rules.grace_seconds)
        .map_or_else(built_in_pause, |(value, policy)| Part { origin: policy.name.to_owned(), value })
}
