//! Which approvals by people a change needs, and whether the answers at hand are enough.
//!
//! An approval binds a person to a digest: on another digest it is stale. Who submitted the work cannot
//! approve it. One approver's answer serves every need; a denial by anyone stands.

use crate::glob::glob_matches;
use crate::merged::MergedPolicy;
use golden_crds::governance_policy::ApprovalWhen;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Paths named in a need; the rest is counted.
const SHOWN_PATHS: usize = 10;

/// An approval that is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NeededApproval {
    pub reason: NeedReason,
    /// The policies that ask for it.
    pub policies: Vec<String>,
    /// Distinct approvers.
    pub count: u32,
    /// The changed paths that call for it, the first ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// How many changed paths call for it.
    #[serde(default)]
    pub path_count: usize,
}

/// Why an approval is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NeedReason {
    /// The policy asks always.
    Always,
    /// Paths named by the rule changed.
    PathsChanged,
    /// Protected paths changed.
    ProtectedPaths,
}

/// The approvals a change needs. A rename changes both its paths: pass the old and the new one.
pub fn needed_approvals<S: AsRef<str>>(policy: &MergedPolicy, changed_paths: &[S]) -> Vec<NeededApproval> {
    let mut needed = vec![];
    for approval in &policy.approvals {
        let rule = &approval.rule;
        let hit = match rule.when {
            ApprovalWhen::Always => vec![],
            ApprovalWhen::PathsChanged => {
                matching(changed_paths, |path| rule.paths.iter().any(|glob| glob_matches(glob, path)))
            }
        };
        let reason = match rule.when {
            ApprovalWhen::Always => NeedReason::Always,
            ApprovalWhen::PathsChanged if hit.is_empty() => continue,
            ApprovalWhen::PathsChanged => NeedReason::PathsChanged,
        };
        needed.push(need(reason, vec![approval.origin.clone()], rule.count.max(1), &hit));
    }
    let hit =
        matching(changed_paths, |path| policy.protected_paths.iter().any(|p| glob_matches(&p.glob, path)));
    if !hit.is_empty() {
        let protecting =
            policy.protected_paths.iter().filter(|p| hit.iter().any(|path| glob_matches(&p.glob, path)));
        let policies: BTreeSet<String> = protecting.flat_map(|p| p.policies.iter().cloned()).collect();
        needed.push(need(NeedReason::ProtectedPaths, policies.into_iter().collect(), 1, &hit));
    }
    needed
}

fn matching<S: AsRef<str>>(paths: &[S], hit: impl Fn(&str) -> bool) -> Vec<&str> {
    paths.iter().map(AsRef::as_ref).filter(|path| hit(path)).collect()
}

fn need(reason: NeedReason, policies: Vec<String>, count: u32, hit: &[&str]) -> NeededApproval {
    let paths = hit.iter().take(SHOWN_PATHS).map(|p| (*p).to_owned()).collect();
    NeededApproval { reason, policies, count, paths, path_count: hit.len() }
}

/// One person's answer, as an authenticated Decision states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Name of the Decision object.
    pub name: &'a str,
    pub decided_by: &'a str,
    pub verdict: AnswerVerdict,
    pub digest: &'a str,
}

/// What the person says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnswerVerdict {
    Approve,
    Deny,
}

/// Whether the approvals are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum ApprovalState {
    /// Nothing was needed, or these people approved.
    Met { approvers: Vec<String> },
    /// This person denied.
    Denied { by: String, decision: String },
    /// So many more distinct approvers are needed.
    Waiting { approvers: Vec<String>, missing: u32 },
}

/// An answer that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedAnswer {
    pub decision: String,
    pub reason: RefusedBecause,
}

/// Why an answer does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusedBecause {
    /// It is about another digest.
    StaleDigest,
    /// Who submitted the work cannot approve it.
    OwnWork,
    /// It names nobody.
    NoPerson,
}

/// Weighs the answers against the needs. Independent of their order; a denial beats an approval by the same person.
pub fn approvals_met(
    needed: &[NeededApproval],
    submitter: &str,
    digest: &str,
    answers: &[Answer<'_>],
) -> (ApprovalState, Vec<RefusedAnswer>) {
    let mut approvers: BTreeSet<&str> = BTreeSet::new();
    let mut denials: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut refused = vec![];
    for answer in answers {
        match refuse(answer, submitter, digest) {
            Some(reason) => refused.push(RefusedAnswer { decision: answer.name.to_owned(), reason }),
            None if answer.verdict == AnswerVerdict::Deny => {
                denials.insert((answer.decided_by, answer.name));
            }
            None => {
                approvers.insert(answer.decided_by);
            }
        }
    }
    refused.sort_by(|a, b| a.decision.cmp(&b.decision));
    if let Some((by, decision)) = denials.first() {
        return (ApprovalState::Denied { by: (*by).to_owned(), decision: (*decision).to_owned() }, refused);
    }
    let wanted = needed.iter().map(|n| n.count).max().unwrap_or(0);
    let missing = wanted.saturating_sub(u32::try_from(approvers.len()).unwrap_or(u32::MAX));
    let approvers = approvers.into_iter().map(str::to_owned).collect();
    let state = if missing == 0 {
        ApprovalState::Met { approvers }
    } else {
        ApprovalState::Waiting { approvers, missing }
    };
    (state, refused)
}

fn refuse(answer: &Answer<'_>, submitter: &str, digest: &str) -> Option<RefusedBecause> {
    if answer.decided_by.is_empty() {
        Some(RefusedBecause::NoPerson)
    } else if answer.digest != digest {
        Some(RefusedBecause::StaleDigest)
    } else if answer.decided_by == submitter && answer.verdict == AnswerVerdict::Approve {
        Some(RefusedBecause::OwnWork)
    } else {
        None
    }
}
