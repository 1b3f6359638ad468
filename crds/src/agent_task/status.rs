//! The status of an AgentTask: a projection of its record, small enough for etcd.
//!
//! Sizes are bounded here, forms are not: only Golden writes a status, and a refused status write would lose the
//! very condition that says what is wrong.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What Golden reports of a task. Small: run data is in the database and the artifact store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentTaskStatus {
    /// `metadata.generation` this status was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Where the work stands, for people; decisions rest on conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub stage: Option<String>,
    /// The current attempt, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// What the guards say of the current result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub guards: Vec<GuardStatus>,
    /// The tally of the current review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewStatus>,
    /// What was used so far, as the ledger settled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageStatus>,
    /// What the task was expected to cost when it was admitted, or is while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ForecastStatus>,
    /// The RuntimeClass the guards ran with, as named by the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub isolation: Option<String>,
    /// The open question to a person, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<EscalationStatus>,
    /// What was produced and where it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultStatus>,
    /// Of a failed task: the best of its attempts, by guards that passed, then votes, then fewer guards that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_attempt: Option<BestAttemptStatus>,
    /// The head of the task's hash-chained record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordStatus>,
}

/// The verdict of one guard on the current result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardStatus {
    /// The guard.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// `Pending`, `Passed` or `Failed`.
    #[schemars(extend("enum" = ["Pending", "Passed", "Failed"]))]
    pub verdict: String,
    /// The SandboxRun that produced the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub sandbox_run: Option<String>,
    /// Runs on the same result that failed before one passed: the guard is flaky.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3), inner(length(max = 253)))]
    pub failed_runs: Vec<String>,
    /// Why the guard stops nothing for now, as the policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub quarantine: Option<String>,
}

/// The tally of the current review.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewStatus {
    /// The round, counted from 1.
    pub round: u32,
    /// What the peers decided, in one word.
    #[schemars(length(max = 63))]
    pub decision: String,
    /// Weight of the approving opinions.
    #[schemars(range(min = 0))]
    pub approve_weight: i64,
    /// Weight of the rejecting opinions.
    #[schemars(range(min = 0))]
    pub reject_weight: i64,
    /// The policy's weight of all ballots, abstentions too.
    #[schemars(range(min = 0))]
    pub cast_weight: i64,
    /// Weight of all voters.
    #[schemars(range(min = 0))]
    pub total_weight: i64,
    /// What these weights are multiplied by to be whole: 1000 where opinions follow track records, else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub scale: Option<i64>,
    /// The voters whose ballots reject the result, the most severe first, whatever was decided. What they say, and the
    /// places that they name: `golden votes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 17), inner(length(max = 63)))]
    pub dissent: Vec<String>,
    /// The fewest voters whose opposite ballots would have turned the decision; absent while there is none, and where no
    /// ballots would.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 17), inner(length(max = 63)))]
    pub turned_by: Vec<String>,
    /// How often each seat decides under the rules; absent while there is no decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 17))]
    pub power: Vec<SeatPowerStatus>,
}

/// How often a seat decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeatPowerStatus {
    /// The role that votes.
    #[schemars(length(max = 63))]
    pub role: String,
    /// The share of all orders of joining in which its ballot turns the scale (Shapley and Shubik), as a fraction, for
    /// example `1/12`.
    #[schemars(length(max = 255))]
    pub shapley_shubik: String,
}

/// What was used so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageStatus {
    /// Tokens sent to models.
    #[schemars(range(min = 0))]
    pub input_tokens: i64,
    /// Tokens received from models.
    #[schemars(range(min = 0))]
    pub output_tokens: i64,
    /// Cost in millionths of a US dollar.
    #[serde(rename = "costMicroUSD")]
    #[schemars(range(min = 0))]
    pub cost_micro_usd: i64,
    /// The same for people, for example `$0.06`.
    #[schemars(length(max = 32))]
    pub cost: String,
}

/// What a task is expected to cost, from completed tasks of its team with the same models, the nearest by source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForecastStatus {
    /// Half of the like runs cost no more, in millionths of a US dollar.
    #[serde(rename = "p50CostMicroUSD")]
    #[schemars(range(min = 0))]
    pub p50_cost_micro_usd: i64,
    /// Nine in ten cost no more, in millionths of a US dollar.
    #[serde(rename = "p90CostMicroUSD")]
    #[schemars(range(min = 0))]
    pub p90_cost_micro_usd: i64,
    /// How many runs it rests on, at least 5; or 0: there are too few, and both figures are the same upper bound.
    pub basis: u32,
    /// The same for people, for example `$0.05, p90 $0.12`.
    #[schemars(length(max = 64))]
    pub cost: String,
}

/// An open question to a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EscalationStatus {
    /// What tells this question from an earlier one about the same digest.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63))]
    pub id: String,
    /// Why a person has to decide, as one of the documented reasons.
    #[schemars(length(max = 63))]
    pub reason: String,
    /// The team whose people are asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub owner: String,
    /// What happened, in a sentence or two.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,
    /// What it rests on, in short: who objected, why and where, and guards that failed, the first 4. `golden votes` and
    /// `golden explain` show the whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(max = 256)))]
    pub evidence: Vec<String>,
    /// What can be answered in a Decision's `option`.
    #[schemars(length(max = 8), inner(length(min = 1, max = 63)))]
    pub options: Vec<String>,
    /// When the default option counts. RFC 3339.
    #[schemars(length(max = 40))]
    pub deadline: String,
    /// What counts if nobody answers.
    #[schemars(length(max = 63))]
    pub default_option: String,
    /// The digest a Decision must name.
    #[schemars(length(max = 80))]
    pub digest: String,
}

/// What was produced and where it went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResultStatus {
    /// Digest of the produced tree.
    #[schemars(length(max = 80))]
    pub digest: String,
    /// Digest of the patch in the artifact store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub patch: Option<String>,
    /// The branch that was pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub branch: Option<String>,
    /// The commit that was pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub commit: Option<String>,
}

/// The best attempt of a task that failed. `golden diff --best` prints its patch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BestAttemptStatus {
    /// Its number, from 1.
    pub attempt: u32,
    /// Digest of the tree it produced.
    #[schemars(length(max = 80))]
    pub digest: String,
    /// Digest of its patch in the artifact store.
    #[schemars(length(max = 80))]
    pub patch: String,
    /// Required guards that did not pass on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub failed_guards: Vec<String>,
    /// Weight of the ballots for it.
    #[schemars(range(min = 0))]
    pub approve_weight: i64,
}

/// The head of the task's hash-chained record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordStatus {
    /// Digest of the last entry.
    #[schemars(length(max = 80))]
    pub head: String,
    /// How many entries the record has.
    #[schemars(range(min = 0))]
    pub entries: i64,
}
