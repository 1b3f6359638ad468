//! The admission of a task: everything it needs from the cluster, found and fixed; or the first thing missing.
//! Pure, in the order in which people mend things.

use super::inputs::Inputs;
use super::{dependencies, forecast, independence};
use crate::budgets::{chain, selecting, shown};
use crate::models::{Fault, From, resolve, resolve_voter};
use golden_crds::agent_task::DesiredState;
use golden_crds::conditions::agent_task as reason;
use golden_crds::conditions::{READY, find};
use golden_crds::{AgentTeam, Budget, GovernancePolicy};
use golden_governance::{BUILT_IN, MergeFault, MergedPolicy, NamedPolicy, merge};
use golden_ledger::forecast::{Forecast, Work};
use golden_platform::ledger_accounts::TaskAccount;
use golden_platform::wire::{Admission, ModelBinding, PolicySource};
use kube::ResourceExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Policies that go into a record, in bytes of all together: a quarter of what an entry takes.
const MAX_SOURCES_BYTES: usize = 262_144;

/// The role that produces.
pub(crate) const PRODUCER: &str = "developer";

/// What an admission fixes.
#[derive(Debug)]
pub(crate) struct Admit {
    pub(crate) team_uid: Uuid,
    pub(crate) admission: Admission,
    pub(crate) account: TaskAccount,
    /// Accounts that pay, roots first, the task's own last.
    pub(crate) path: Vec<Uuid>,
    /// What the task works on and with.
    pub(crate) work: Work,
    /// What holds for it.
    pub(crate) policy: MergedPolicy,
    /// What it will cost, once that is known.
    pub(crate) forecast: Option<Forecast>,
}

/// Admits, or says what is missing.
pub(crate) fn admit(inputs: &Inputs) -> Result<Admit, Fault> {
    let task = &inputs.task;
    if let Some(ended) = ended(inputs) {
        return Err(ended);
    }
    let submitted_by = task.spec.submitted_by.clone().ok_or_else(|| {
        fault(
            reason::SUBMITTER_MISSING,
            "spec.submittedBy is missing; submit the task with your user name in it",
        )
    })?;
    let team = team(inputs)?;
    let policy = policy(inputs)?;
    isolation(inputs, &policy)?;
    let models = models(inputs, team, &policy)?;
    independence::check(&policy, &models, &inputs.golden, &inputs.providers)?;
    if let Some(secret) = &inputs.secret {
        return Err(secret.clone());
    }
    let path = path(inputs, &policy)?;
    let depends_on = dependencies::resolve(inputs)?;
    let team_uid = uid(team.uid()).ok_or_else(|| fault(reason::INTERNAL_ERROR, "the team has no uid"))?;
    Ok(Admit {
        team_uid,
        account: account(inputs, team_uid),
        path,
        work: forecast::work(&task.spec, &models),
        forecast: None,
        admission: Admission {
            namespace: namespace(inputs),
            name: task.name_any(),
            generation: task.metadata.generation.unwrap_or(0),
            labels: task.labels().clone(),
            submitted_by,
            spec: task.spec.clone(),
            team_name: team.name_any(),
            team: team.spec.clone(),
            policy: serde_json::to_value(&policy).map_err(|e| {
                fault(reason::INTERNAL_ERROR, format!("the merged policy cannot be written: {e}"))
            })?,
            namespace_labels: Some(inputs.namespace_labels.clone()),
            policy_sources: policy_sources(inputs, &policy),
            models,
            depends_on,
            started_anyway: None,
        },
        policy,
    })
}

/// The end of a task that never begins.
fn ended(inputs: &Inputs) -> Option<Fault> {
    let cancelled = inputs.task.spec.desired_state == DesiredState::Cancelled;
    dependencies::ended(&inputs.task)
        .or_else(|| cancelled.then(|| fault(reason::CANCELLED, "spec.desiredState is Cancelled")))
        .or_else(|| dependencies::broken(inputs))
}

fn team(inputs: &Inputs) -> Result<&AgentTeam, Fault> {
    let name = &inputs.task.spec.team_ref.name;
    let team = inputs.team.as_ref().ok_or_else(|| {
        fault(
            reason::TEAM_NOT_FOUND,
            format!("AgentTeam {name} does not exist in namespace {}; create it", namespace(inputs)),
        )
    })?;
    if team.metadata.deletion_timestamp.is_some() {
        let message =
            format!("AgentTeam {name} is being deleted; create it again once it is gone, or name another");
        return Err(fault(reason::TEAM_NOT_FOUND, message));
    }
    Ok(team)
}

/// The task's own account.
pub(crate) fn account(inputs: &Inputs, team_uid: Uuid) -> TaskAccount {
    let limits = inputs.task.spec.limits.as_ref();
    TaskAccount {
        task_uid: inputs.uid,
        team_uid,
        namespace: namespace(inputs),
        name: inputs.task.name_any(),
        limit_cost: limits.and_then(|l| l.cost_micro_usd),
        limit_tokens: limits.and_then(|l| l.tokens),
    }
}

fn policy(inputs: &Inputs) -> Result<MergedPolicy, Fault> {
    // It may be the one that forbids what the others allow.
    if let Some(unreadable) = &inputs.unreadable.policy {
        let message = format!("{unreadable}; whether it concerns this task cannot be known until then");
        return Err(fault(reason::POLICY_NOT_READY, message));
    }
    let named: Vec<(String, &golden_crds::GovernancePolicySpec)> = inputs
        .policies
        .iter()
        .filter(|p| p.metadata.deletion_timestamp.is_none())
        .map(|p| (p.name_any(), &p.spec))
        .collect();
    let policies: Vec<NamedPolicy<'_>> =
        named.iter().map(|(name, spec)| NamedPolicy { name, spec }).collect();
    let merged = merge(inputs.task.labels(), &inputs.namespace_labels, &policies, &inputs.task.spec.guards)
        .map_err(|f| fault(merge_reason(&f), f.to_string()))?;
    for name in merged.policies.iter().filter(|n| *n != BUILT_IN) {
        policy_ready(inputs, name)?;
    }
    Ok(merged)
}

/// The policies that the merge is made of, as far as a record takes them.
fn policy_sources(inputs: &Inputs, merged: &MergedPolicy) -> Option<Vec<PolicySource>> {
    let matching = inputs.policies.iter().filter(|p| merged.policies.contains(&p.name_any()));
    let source = |p: &Arc<GovernancePolicy>| {
        serde_json::to_value(&p.spec).ok().map(|spec| PolicySource { name: p.name_any(), spec })
    };
    let sources: Vec<PolicySource> = matching.map(source).collect::<Option<_>>()?;
    let bytes: usize = sources.iter().map(|source| source.spec.to_string().len()).sum();
    (bytes <= MAX_SOURCES_BYTES).then_some(sources)
}

fn merge_reason(fault: &MergeFault) -> &'static str {
    match fault {
        MergeFault::TaskRedefinesGuard { .. } => reason::GUARD_REDEFINED,
        MergeFault::GuardTwice { .. } | MergeFault::GuardGlob { .. } if fault.policies().is_empty() => {
            reason::INVALID_SPEC
        }
        MergeFault::Selector { .. } | MergeFault::Glob { .. } | MergeFault::GuardGlob { .. } => {
            reason::POLICY_NOT_READY
        }
        _ => reason::POLICY_CONFLICT,
    }
}

/// A policy that cannot be enforced blocks its tasks: nothing may only look enforced.
fn policy_ready(inputs: &Inputs, name: &str) -> Result<(), Fault> {
    let policy = inputs.policies.iter().find(|p| p.name_any() == name);
    let status = policy.and_then(|p| p.status.as_ref());
    // An edited policy has to be looked at again before anything is admitted by it.
    let current = status.and_then(|s| s.observed_generation) == policy.and_then(|p| p.metadata.generation);
    match status.filter(|_| current).and_then(|s| find(&s.conditions, READY)) {
        Some(c) if c.status == "True" => Ok(()),
        // A conflict over other tasks is none of this one, since the merge above has found none here; and which class
        // this one needs, the merge says, too.
        Some(c)
            if [reason::POLICY_CONFLICT, reason::RUNTIME_CLASS_NOT_FOUND].contains(&c.reason.as_str()) =>
        {
            Ok(())
        }
        Some(c) => Err(fault(
            reason::POLICY_NOT_READY,
            format!("GovernancePolicy {name} is not ready: {}: {}", c.reason, c.message),
        )),
        None => Err(fault(
            reason::POLICY_NOT_READY,
            format!("GovernancePolicy {name} has not been looked at since its last change"),
        )),
    }
}

fn isolation(inputs: &Inputs, policy: &MergedPolicy) -> Result<(), Fault> {
    let class = &policy.sandbox.runtime_class_name;
    if inputs.runtime_classes.contains(&class.value) {
        return Ok(());
    }
    Err(fault(
        reason::RUNTIME_CLASS_NOT_FOUND,
        format!(
            "RuntimeClass {} (policy {}) does not exist in this cluster; install it, or let a GovernancePolicy name \
             another in spec.sandbox.runtimeClassName",
            class.value, class.origin
        ),
    ))
}

/// Roles resolve from the team's namespace, voters from Golden's: never from the team they judge.
fn models(
    inputs: &Inputs,
    team: &AgentTeam,
    policy: &MergedPolicy,
) -> Result<BTreeMap<String, ModelBinding>, Fault> {
    let namespace = namespace(inputs);
    let home = From { namespace: &namespace, golden: &inputs.golden, providers: &inputs.providers };
    let golden = From { namespace: &inputs.golden, ..home };
    let mut models = BTreeMap::new();
    for role in &team.spec.roles {
        let binding = resolve(&format!("role {}", role.name), &role.model_ref, home)?;
        models.insert(format!("role:{}", role.name), binding);
    }
    if !models.contains_key(&format!("role:{PRODUCER}")) {
        return Err(fault(
            reason::ROLE_NOT_FOUND,
            format!("AgentTeam {} has no role {PRODUCER}, which produces; add it", team.name_any()),
        ));
    }
    for (role, model) in policy.review.value.reviewers() {
        let binding = resolve_voter(role, model, &inputs.default_model, golden)?;
        models.insert(format!("voter:{role}"), binding);
    }
    Ok(models)
}

/// The accounts of every selecting budget and its parents. All callers lock in this order (depth, then uid), so
/// that two paths never lock against each other.
fn path(inputs: &Inputs, policy: &MergedPolicy) -> Result<Vec<Uuid>, Fault> {
    if let Some(unreadable) = &inputs.unreadable.budget {
        let message = format!("{unreadable}; whether it pays for this task cannot be known until then");
        return Err(fault(reason::BUDGET_NOT_READY, message));
    }
    let selecting = selecting(&namespace(inputs), inputs.task.labels(), &inputs.budgets);
    if selecting.is_empty() && policy.require_budget.value {
        return Err(fault(
            reason::NO_BUDGET,
            format!(
                "no Budget in namespace {} selects the task, and policy {} requires one; create one, or label the task",
                namespace(inputs),
                policy.require_budget.origin
            ),
        ));
    }
    let mut accounts: BTreeMap<Uuid, usize> = BTreeMap::new();
    for budget in &selecting {
        let chain = chain(budget, &inputs.budgets).map_err(|f| not_ready(budget, f.reason, &f.message))?;
        for (above, budget) in chain.iter().rev().enumerate() {
            budget_ready(budget)?;
            let uid =
                uid(budget.uid()).ok_or_else(|| fault(reason::INTERNAL_ERROR, "a budget has no uid"))?;
            accounts.insert(uid, above);
        }
    }
    let mut ordered: Vec<(usize, Uuid)> = accounts.into_iter().map(|(uid, depth)| (depth, uid)).collect();
    ordered.sort_unstable();
    Ok(ordered.into_iter().map(|(_, uid)| uid).chain([inputs.uid]).collect())
}

fn budget_ready(budget: &Budget) -> Result<(), Fault> {
    let ready = budget.status.as_ref().and_then(|s| find(&s.conditions, READY));
    match ready {
        Some(c) if c.status == "True" => Ok(()),
        Some(c) => Err(not_ready(budget, &c.reason, &c.message)),
        None => Err(not_ready(budget, "Progressing", "its account is being made")),
    }
}

fn not_ready(budget: &Budget, why: &str, message: &str) -> Fault {
    fault(reason::BUDGET_NOT_READY, format!("Budget {} is not ready: {why}: {message}", shown(budget)))
}

fn namespace(inputs: &Inputs) -> String {
    inputs.task.namespace().unwrap_or_default()
}

fn uid(uid: Option<String>) -> Option<Uuid> {
    uid?.parse().ok()
}

fn fault(reason: &'static str, message: impl Into<String>) -> Fault {
    Fault { reason, message: message.into() }
}
