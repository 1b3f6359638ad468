//! What services ask of each other over JetStream.

use super::{GuardOutcome, ModelBinding};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The envelope of every message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    pub v: u32,
    pub id: String,
    pub team: Uuid,
    pub task: Uuid,
    pub attempt: u32,
    pub r#try: u32,
    #[serde(flatten)]
    pub message: Message,
}

/// What is asked of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "body")]
pub enum Message {
    /// To peer-hub.
    ReviewRequested(Box<ReviewRequest>),
    /// To sandbox.
    GuardRequested(Box<GuardRequest>),
    /// To supervisor.
    EscalationRaised(Box<EscalationRaised>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewRequest {
    pub namespace: String,
    pub task_name: String,
    pub round: u32,
    /// The round whose objections this one hears; absent in a blind one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hears: Option<u32>,
    /// The round whose ballots stand, beside which the additional reviewer is asked; blind too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<u32>,
    pub goal: String,
    /// The judged tree.
    pub digest: String,
    pub base: String,
    /// Digest of the unified diff from the base to the judged tree.
    pub patch: String,
    /// A serialized `golden_crds::governance_policy::ReviewRules`; with `beside`, with the additional reviewer's seat.
    pub rules: Value,
    /// A serialized list of `golden_consensus::SeatWeight`: what the seats' opinions weigh, where the rules let that follow
    /// track records. Found when the result's first round was asked for.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub weights: Value,
    pub guards: Vec<GuardOutcome>,
    /// The voters' models.
    pub models: BTreeMap<String, ModelBinding>,
    /// The model that made the judged tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<ModelBinding>,
    /// RFC 3339.
    pub closes_at: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardRequest {
    pub namespace: String,
    pub task_name: String,
    /// Deterministic name of the SandboxRun.
    pub run_name: String,
    pub guard: golden_crds::agent_task::GuardSpec,
    pub required: bool,
    /// The tree to examine: restorePaths are already reset to the base.
    pub tree: String,
    /// The tree the work started from, for a built-in guard: it compares. Absent of an older orchestrator, which knows
    /// no built-in guards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    pub runtime_class_name: String,
    pub max_timeout_seconds: Option<i64>,
    pub max_memory_bytes: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EscalationRaised {
    pub escalation_id: Uuid,
    pub reason: String,
    pub evidence: Value,
    pub options: Vec<String>,
    pub owner: String,
    pub digest: String,
    /// RFC 3339.
    pub deadline: String,
    pub default_option: String,
}
