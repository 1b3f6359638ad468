//! The work of an attempt: where it starts, its pods, its result.

use super::Why;
use golden_governance::NeededApproval;
use golden_platform::wire::{DesiredKind, PodPhase};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the work started from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    pub tree: String,
    /// Absent for an inline source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// Pods made for the same piece of work: an attempt, a fetch or a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tries {
    pub kind: DesiredKind,
    pub attempt: u32,
    /// Pods asked for so far; the number of the newest.
    pub made: u32,
    /// Pods lost through no fault of the work.
    pub lost: u32,
    /// Ends that may go better another time.
    pub failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Why>,
}

impl Tries {
    /// Before the first.
    pub fn none(kind: DesiredKind, attempt: u32) -> Self {
        Self { kind, attempt, made: 0, lost: 0, failures: 0, retry_at: None, trouble: None }
    }
}

/// The pod that is wanted now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSlot {
    pub kind: DesiredKind,
    pub name: String,
    pub attempt: u32,
    pub r#try: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<PodPhase>,
    /// Why it cannot start for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Why>,
    /// Since when a call of it waits for money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_since: Option<Timestamp>,
    /// Since when none of its calls waits any more, since the client of the last one gave up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Timestamp>,
    /// Since when it is asked to save its work and end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saving: Option<Timestamp>,
    /// Why its work cannot be saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsaved: Option<String>,
    /// It ended, and its result is waited for a little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// Work of an attempt that was saved before its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    /// The try that was saved.
    pub r#try: u32,
    /// The workspace as it was then.
    pub tree: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
}

/// The end of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    pub at: Timestamp,
    pub reason: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

/// How an attempt's agent ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finish {
    pub exit_code: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub produced: Option<Produced>,
    /// Why it is no result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Why>,
    pub summary: String,
}

/// A result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Produced {
    pub tree: String,
    pub patch: String,
    /// [`golden_guard::change_fingerprint`]; empty in the state of an earlier version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub change: String,
    pub changed: u32,
    /// Approvals by people that this change needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needed: Vec<NeededApproval>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guard_trees: BTreeMap<String, String>,
}
