//! A recorded task under changed policies: the same guards' facts and ballots, decided again.
//!
//! Nothing is invented. Where the changed rules ask for a guard that did not run, or for a ballot nobody gave, and the
//! answer depends on it, the decision is unknown and the reason says what is missing. From where the task would have
//! gone another way, only the way up to there is told: the figures are then lower bounds.

mod answers;
mod ceiling;
mod course;
mod independence;
mod judge;
mod people;
mod replay;
mod rounds;
mod vote;

use crate::merge::{NamedPolicy, merge};
use crate::merged::{GuardOrigin, MergedPolicy};
use crate::selector::selects;
use course::Course;
use golden_crds::GovernancePolicySpec;
use golden_crds::agent_task::GuardSpec;
use golden_record::Export;
use replay::replay;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use course::RecordFault;

/// The label that Kubernetes gives every namespace: its name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// A value as it was recorded, and as it would have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change<T> {
    pub before: T,
    pub after: T,
}

/// How far the course of the task is known under the changed policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Reach {
    /// It would have gone as it did; all figures are whole.
    Same,
    /// It would have been accepted where it was not, or a round sooner, so nothing came after; all figures are whole.
    Accepted,
    /// It would have gone another way, in which others act: waits and cost count up to there.
    Diverges,
    /// Something that was never recorded would have decided.
    Unknown,
    /// It would not have been admitted.
    NotAdmitted,
}

/// One task, before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Simulation {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// Names of the policies that match, the one of highest priority first.
    pub policies: Change<Vec<String>>,
    /// The last judgement: an outcome of consensus, or why an attempt was refused before it was judged. After:
    /// `Unknown` and `NotAdmitted` too.
    pub decision: Change<String>,
    /// Questions to people: escalations, and an approval that was asked for.
    pub waits: Change<Option<u32>>,
    /// Micro-USD.
    #[serde(rename = "costMicroUSD")]
    pub cost: Change<Option<i64>>,
    pub reach: Reach,
    /// One sentence: what made the difference, or what is missing.
    pub because: String,
}

/// A policy with its name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ChangedPolicy {
    pub name: String,
    pub spec: GovernancePolicySpec,
}

/// Decides a verified record again, with `changed` in the place of policies of the same names and beside the others.
pub fn simulate(export: &Export, changed: &[ChangedPolicy]) -> Result<Simulation, RecordFault> {
    let course = Course::read(export)?;
    let before = &course.merged.policies;
    let told = |decision: String, reach, because: String| Simulation {
        namespace: course.namespace.clone(),
        name: course.name.clone(),
        uid: export.header.task.clone(),
        policies: Change { before: before.clone(), after: before.clone() },
        decision: Change { before: course.decision(), after: decision },
        waits: Change { before: Some(course.waits()), after: None },
        cost: Change { before: Some(course.cost), after: None },
        reach,
        because,
    };
    let merged = merge_again(&course, changed);
    let after = match merged.and_then(|after| independence::check(&course, &after).map(|()| after)) {
        Ok(after) => after,
        Err(Missing::Record(why)) => return Ok(told("Unknown".into(), Reach::Unknown, why)),
        Err(Missing::Admission(fault)) => {
            return Ok(told("NotAdmitted".into(), Reach::NotAdmitted, fault));
        }
    };
    let way = replay(&course, &after);
    let mut simulation = told(way.decision, way.reach, way.because);
    simulation.policies.after.clone_from(&after.policies);
    simulation.waits.after = way.waits;
    simulation.cost.after = way.cost;
    Ok(simulation)
}

enum Missing {
    /// The record does not say enough.
    Record(String),
    /// The policies contradict each other for this task, or its voters are not independent.
    Admission(String),
}

fn merge_again(course: &Course, changed: &[ChangedPolicy]) -> Result<MergedPolicy, Missing> {
    let is_changed = |name: &str| changed.iter().any(|policy| policy.name == name);
    let concerned = |policy: &ChangedPolicy| {
        course.merged.policies.contains(&policy.name)
            // One that cannot be read is left to the merge, which says so.
            || selects(policy.spec.task_selector.as_ref(), &course.labels).unwrap_or(true)
    };
    if !changed.iter().any(concerned) {
        return Ok(course.merged.clone());
    }
    let others: Vec<&String> =
        course.merged.policies.iter().filter(|n| *n != crate::BUILT_IN && !is_changed(n)).collect();
    let mut sources = vec![];
    for name in others {
        let source = course.sources.iter().flatten().find(|source| source.name == **name);
        sources.push(source.ok_or_else(|| {
            Missing::Record(format!(
                "the record does not hold the text of policy {name}; put it into the file with the changed policies"
            ))
        })?);
    }
    let labels = namespace_labels(course, changed).map_err(Missing::Record)?;
    let all = sources.into_iter().chain(changed);
    let named: Vec<NamedPolicy<'_>> = all.map(|p| NamedPolicy { name: &p.name, spec: &p.spec }).collect();
    let own = course.merged.guards.iter().filter(|guard| guard.origin == GuardOrigin::Task);
    let own: Vec<GuardSpec> = own.map(|guard| guard.spec.clone()).collect();
    merge(&course.labels, &labels, &named, &own).map_err(|fault| Missing::Admission(fault.to_string()))
}

/// Those of the record; of an older one the name alone, which is enough for selectors that ask for nothing else.
fn namespace_labels(course: &Course, changed: &[ChangedPolicy]) -> Result<BTreeMap<String, String>, String> {
    if let Some(labels) = &course.namespace_labels {
        return Ok(labels.clone());
    }
    for policy in changed {
        let selector = policy.spec.namespace_selector.as_ref();
        let labels = selector.and_then(|s| s.match_labels.as_ref()).into_iter().flatten().map(|(key, _)| key);
        let rules = selector.and_then(|s| s.match_expressions.as_ref()).into_iter().flatten().map(|r| &r.key);
        if let Some(key) = labels.chain(rules).find(|key| *key != NAMESPACE_NAME) {
            return Err(format!(
                "policy {} selects namespaces by {key}, and the record does not hold its namespace's labels",
                policy.name
            ));
        }
    }
    Ok([(NAMESPACE_NAME.to_owned(), course.namespace.clone())].into())
}
