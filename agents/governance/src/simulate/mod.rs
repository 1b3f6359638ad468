//! A recorded task under changed policies: the same guards' facts and ballots, decided again.
//!
//! Nothing is invented. Where the changed rules ask for a guard that did not run, or for a ballot nobody gave, and the
//! answer depends on it, the decision is unknown and the reason says what is missing. From where the task would have
//! gone another way, only the way up to there is told: the figures are then lower bounds.

mod course;
mod independence;
mod judge;

use crate::approvals::needed_approvals;
use crate::merge::{NamedPolicy, merge};
use crate::merged::{GuardOrigin, MergedPolicy};
use crate::selector::selects;
use course::{Attempt, Course};
use golden_consensus::Next;
use golden_crds::GovernancePolicySpec;
use golden_crds::agent_task::GuardSpec;
use golden_record::Export;
use judge::{Judgement, judge};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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
    /// It would have been accepted where it was not, so nothing came after; all figures are whole.
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

struct Way {
    decision: String,
    waits: Option<u32>,
    cost: Option<i64>,
    reach: Reach,
    because: String,
}

/// Attempt by attempt, as long as each leads to the next as it did.
fn replay(course: &Course, after: &MergedPolicy) -> Way {
    let same_voters = voters(&course.merged) == voters(after);
    let cost = |cost: i64| same_voters.then_some(cost);
    let (mut waits, mut last, mut spent) = (0, course.decision(), 0);
    for attempt in &course.attempts {
        if let Some(most) = after.max_attempts.as_ref().filter(|most| attempt.number > most.value) {
            let because = format!(
                "policy {} allows no attempt {}: the task fails before it",
                most.origin, attempt.number
            );
            return Way {
                decision: last,
                waits: Some(waits),
                cost: cost(spent),
                reach: Reach::Diverges,
                because,
            };
        }
        spent = attempt.judged_at_cost();
        let (was, now) = match both(attempt, course, after) {
            Ok(Some(both)) => both,
            Ok(None) => {
                waits += attempt.escalations;
                continue;
            }
            Err(why) => return unknown(attempt, &why),
        };
        now.kind.as_str().clone_into(&mut last);
        if !was.leads_where(&now) {
            return diverges(attempt, after, &was, &now, waits, cost(attempt.judged_at_cost()));
        }
        waits += attempt.escalations;
        if attempt.accepted.is_some() {
            match asks_people(attempt, after) {
                Ok(asks) => waits += u32::from(asks),
                Err(why) => return Way { decision: last, ..unknown(attempt, why) },
            }
        }
    }
    let most = |policy: &MergedPolicy| policy.max_attempts(u32::MAX);
    if let Some(last) =
        course.attempts.last().filter(|_| course.exhausted && most(after) > most(&course.merged))
    {
        return unknown(last, "the policy allows another one, if the task does");
    }
    let same = "it would have gone as it did";
    let because = if same_voters {
        same.to_owned()
    } else {
        format!("{same}; other voters' ballots cost something else")
    };
    Way { decision: last, waits: Some(waits), cost: cost(course.cost), reach: Reach::Same, because }
}

/// How the recorded rules judge an attempt and how the changed ones do; none if neither has a say, since the attempt was
/// refused before it was judged.
fn both(
    attempt: &Attempt,
    course: &Course,
    after: &MergedPolicy,
) -> Result<Option<(Judgement, Judgement)>, String> {
    if attempt.refused.is_some() {
        return Ok(None);
    }
    let was = judge(attempt, course, &course.merged)?;
    let told = attempt.review.as_ref().map(|review| review.kind);
    if let Some(told) = told.filter(|told| *told != was.kind) {
        let (told, was) = (told.as_str(), was.kind.as_str());
        return Err(format!("the record says {told}, and its own ballots and rules give {was}"));
    }
    Ok(Some((was, judge(attempt, course, after)?)))
}

/// Everyone who may be asked: role, provider and model.
fn voters(policy: &MergedPolicy) -> BTreeSet<(&str, Option<(&str, &str)>)> {
    let reviewers = policy.review.value.reviewers();
    reviewers.map(|(role, model)| (role, model.map(|m| (m.provider.as_str(), m.model.as_str())))).collect()
}

/// The attempt at which the task would have turned off its way.
fn diverges(
    attempt: &Attempt,
    after: &MergedPolicy,
    was: &Judgement,
    now: &Judgement,
    waits: u32,
    cost: Option<i64>,
) -> Way {
    let (before, kind) = (was.kind.as_str(), now.kind.as_str());
    let instead = if before == kind { String::new() } else { format!(" instead of {before}") };
    let turn = format!("attempt {}: {kind}{instead}, {}", attempt.number, now.reason);
    let way =
        |waits, reach, because| Way { decision: kind.to_owned(), waits: Some(waits), cost, reach, because };
    match now.next {
        Next::Proceed => match asks_people(attempt, after) {
            Ok(asks) => way(waits + u32::from(asks), Reach::Accepted, turn),
            Err(why) => Way { decision: kind.to_owned(), ..unknown(attempt, why) },
        },
        Next::Escalate => way(waits + 1, Reach::Diverges, format!("{turn}; what is answered is not known")),
        Next::Wait => unknown(attempt, "its guards would let it pass, and nobody has reviewed it"),
        Next::Revise | Next::Repair => {
            way(waits, Reach::Diverges, format!("{turn}; what the next attempt then gives is not known"))
        }
    }
}

/// Whether people are asked before the result goes out, or why that is not known.
fn asks_people(attempt: &Attempt, after: &MergedPolicy) -> Result<bool, &'static str> {
    let none: [&str; 0] = [];
    if !needed_approvals(after, &none).is_empty() {
        return Ok(true);
    }
    let by_paths =
        !after.protected_paths.is_empty() || after.approvals.iter().any(|a| !a.rule.paths.is_empty());
    if !by_paths {
        return Ok(false);
    }
    let paths = attempt.paths.as_ref();
    paths
        .map(|paths| !needed_approvals(after, paths).is_empty())
        .ok_or("an approval depends on the paths that changed, and the record does not hold them")
}

fn unknown(attempt: &Attempt, why: &str) -> Way {
    let because = format!("attempt {}: {why}", attempt.number);
    Way { decision: "Unknown".into(), waits: None, cost: None, reach: Reach::Unknown, because }
}
