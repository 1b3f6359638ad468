//! The merged policy: what holds for one task, each part with whose it is.

use crate::builtin::BUILT_IN;
use golden_crds::agent_task::GuardSpec;
use golden_crds::governance_policy::{ApprovalRule, ForecastRules, OnDeadline, PauseRules, ReviewRules};
use serde::{Deserialize, Serialize};

/// A rule and the policy it is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part<T> {
    /// Name of the GovernancePolicy, or `golden-built-in`.
    pub origin: String,
    pub value: T,
}

/// All rules that hold for one task. Stored as JSON with each run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MergedPolicy {
    /// The policies that matched, the one of highest priority first; the built-in one where none did.
    pub policies: Vec<String>,
    pub require_budget: Part<bool>,
    /// Whole from the matching policy of highest priority that carries one.
    pub review: Part<ReviewRules>,
    /// By name.
    pub guards: Vec<MergedGuard>,
    pub protected_paths: Vec<MergedPath>,
    pub approvals: Vec<MergedApproval>,
    /// Attempts at most: the smallest; none where no policy says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<Part<u32>>,
    pub sandbox: MergedSandbox,
    pub escalation: MergedEscalation,
    /// The strictest. Runs of earlier versions were stored without one.
    #[serde(default = "no_forecast")]
    pub forecast: Part<ForecastRules>,
    /// The shortest. Runs of earlier versions were stored without one.
    #[serde(default = "built_in_pause")]
    pub pause: Part<PauseRules>,
}

pub(crate) fn no_forecast() -> Part<ForecastRules> {
    Part { origin: BUILT_IN.into(), value: ForecastRules::default() }
}

pub(crate) fn built_in_pause() -> Part<PauseRules> {
    Part { origin: BUILT_IN.into(), value: PauseRules::default() }
}

/// A guard and who asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MergedGuard {
    pub origin: GuardOrigin,
    /// Names of the policies that ask for it; empty for a task's own guard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    #[serde(flatten)]
    pub spec: GuardSpec,
    /// Why it stops nothing for now, and the first of the policies that say so. Never of a task's own guard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Part<String>>,
}

/// Who asks for a guard. All of them are required, but for those in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GuardOrigin {
    Policy,
    Task,
}

/// A protected path and the policies that protect it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MergedPath {
    pub glob: String,
    pub policies: Vec<String>,
}

/// An approval and the policy that asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MergedApproval {
    pub origin: String,
    #[serde(flatten)]
    pub rule: ApprovalRule,
}

/// Isolation and ceilings, the strictest of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MergedSandbox {
    pub runtime_class_name: Part<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_timeout_seconds: Option<Part<i64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_bytes: Option<Part<i64>>,
}

/// The shortest deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MergedEscalation {
    pub deadline_seconds: Part<i64>,
    pub on_deadline: OnDeadline,
}

impl MergedPolicy {
    /// Names of the guards without which nothing is approved.
    pub fn required_guards(&self) -> impl Iterator<Item = &str> {
        self.guards.iter().filter(|g| g.quarantine.is_none()).map(|g| g.spec.name.as_str())
    }

    /// Why the guard of that name stops nothing for now.
    pub fn quarantine(&self, name: &str) -> Option<&str> {
        self.guard(name)?.quarantine.as_ref().map(|why| why.value.as_str())
    }

    /// The guard of that name.
    pub fn guard(&self, name: &str) -> Option<&MergedGuard> {
        self.guards.iter().find(|g| g.spec.name == name)
    }

    /// Attempts that may be judged: as many as the task asks for, under the ceiling, and one in any case.
    pub fn max_attempts(&self, asked: u32) -> u32 {
        self.max_attempts.as_ref().map_or(asked, |max| asked.min(max.value)).max(1)
    }

    /// Seconds a run may take: what it asks for, under the ceiling.
    pub fn timeout_seconds(&self, asked: i64) -> i64 {
        self.sandbox.max_timeout_seconds.as_ref().map_or(asked, |max| asked.min(max.value))
    }

    /// Bytes of memory a run may take: what it asks for, under the ceiling.
    pub fn memory_bytes(&self, asked: i64) -> i64 {
        self.sandbox.max_memory_bytes.as_ref().map_or(asked, |max| asked.min(max.value))
    }
}
