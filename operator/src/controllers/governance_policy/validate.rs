//! Whether a policy can be enforced. A policy that cannot be blocks the tasks it selects. Pure.

use super::observe::{Labels, Seen};
use crate::models::{Fault, From, resolve_voter};
use golden_consensus::policy_from_value;
use golden_crds::conditions::governance_policy as reason;
use golden_crds::governance_policy::ReviewRules;
use golden_governance::{MergeFault, NamedPolicy, merge};
use kube::ResourceExt;
use std::collections::BTreeSet;

/// The first fault.
pub(crate) fn validate(seen: &Seen) -> Option<Fault> {
    arithmetic(seen).or_else(|| runtime_class(seen)).or_else(|| voters(seen)).or_else(|| conflict(seen))
}

fn arithmetic(seen: &Seen) -> Option<Fault> {
    let review = seen.policy.spec.review.as_ref()?;
    let review = serde_json::to_value(review).ok()?;
    let error = policy_from_value(&review).err()?;
    Some(Fault { reason: reason::QUORUM_UNREACHABLE, message: format!("spec.review: {error}") })
}

fn runtime_class(seen: &Seen) -> Option<Fault> {
    let class = &seen.policy.spec.sandbox.as_ref()?.runtime_class_name;
    (!seen.runtime_class_exists).then(|| Fault {
        reason: reason::RUNTIME_CLASS_NOT_FOUND,
        message: format!(
            "RuntimeClass {class} of spec.sandbox does not exist in this cluster; install it or name another"
        ),
    })
}

/// Voters' models come from Golden's namespace: never from the team they judge.
fn voters(seen: &Seen) -> Option<Fault> {
    let from = From { namespace: &seen.golden, golden: &seen.golden, providers: &seen.providers };
    let voters = seen.policy.spec.review.iter().flat_map(ReviewRules::reviewers);
    voters
        .filter_map(|(role, model)| resolve_voter(role, model, &seen.default_model, from).err())
        // A provider that is not ready is told of there, and by the tasks that wait for it.
        .find(|fault| fault.reason != golden_crds::conditions::agent_task::PROVIDER_NOT_READY)
}

/// Merges as an admission would, for every open task and for an unlabelled one in every namespace.
fn conflict(seen: &Seen) -> Option<Fault> {
    let named: Vec<(String, &golden_crds::GovernancePolicySpec)> =
        seen.all.iter().map(|p| (p.name_any(), &p.spec)).collect();
    let policies: Vec<NamedPolicy<'_>> =
        named.iter().map(|(name, spec)| NamedPolicy { name, spec }).collect();
    let none = Labels::new();
    let unlabelled = seen.namespaces.iter().map(|n| (&none, n));
    let open = seen.tasks.iter().map(|t| (&t.labels, &t.namespace_labels));
    let cases: BTreeSet<(&Labels, &Labels)> = unlabelled.chain(open).collect();
    let mine = seen.policy.name_any();
    cases.into_iter().find_map(|(task, namespace)| {
        let fault = merge(task, namespace, &policies, &[]).err()?;
        fault.policies().contains(&mine.as_str()).then(|| told(&fault))
    })
}

fn told(fault: &MergeFault) -> Fault {
    let reason = match fault {
        MergeFault::Selector { .. } => reason::SELECTOR_INVALID,
        MergeFault::Glob { .. } | MergeFault::GuardTwice { .. } | MergeFault::GuardGlob { .. } => {
            reason::INVALID_SPEC
        }
        _ => reason::POLICY_CONFLICT,
    };
    Fault { reason, message: fault.to_string() }
}
