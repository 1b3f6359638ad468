//! How a result is judged and what becomes of it: guards, review, people, delivery.

use super::Why;
use golden_consensus::{DecisionRecord, OutcomeKind as ReviewOutcome, SeatPower, Tally};
use golden_platform::wire::GuardOutcome;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One guard on the present result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardSlot {
    /// Runs asked for so far; 0 before the first.
    pub runs: u32,
    /// The newest run's name.
    pub run_name: String,
    /// The tree it examines.
    pub tree: String,
    /// When an unanswered request is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<Timestamp>,
    /// When to ask again, after a run that could not be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// Why the last run could not be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Why>,
    /// Runs that failed on this tree, of a guard that was run again after each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_runs: Vec<String>,
    /// The fact, with verdict `Passed` or `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<GuardOutcome>,
}

impl GuardSlot {
    pub fn passed(&self) -> bool {
        self.outcome.as_ref().is_some_and(|o| o.verdict == "Passed")
    }

    pub fn failed(&self) -> bool {
        self.outcome.as_ref().is_some_and(|o| o.verdict == "Failed")
    }

    /// Whether its run did not report in time, and no other is planned yet.
    pub fn is_lost(&self, now: Timestamp) -> bool {
        self.outcome.is_none() && self.retry_at.is_none() && self.patience.is_some_and(|at| at <= now)
    }

    /// Whether it passed on a tree on which it had failed.
    pub fn is_flaky(&self) -> bool {
        self.passed() && !self.failed_runs.is_empty()
    }
}

/// The review of the present result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    pub round: u32,
    /// The round whose objections this one hears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hears: Option<u32>,
    /// The round whose ballots stand, beside which the additional reviewer is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<u32>,
    /// Rounds on this result that were decided before this one.
    #[serde(default)]
    pub decided: u32,
    /// What they objected, in the words an author reads: it counts also where nobody answers any more.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub objections: String,
    pub digest: String,
    pub closes_at: Timestamp,
    /// Since when the clock stands still, since a voter's call waits for money or for its model, or the task is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Timestamp>,
    /// The peers' decision, until it is acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionRecord>,
    /// What it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<ReviewOutcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Tally>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Whose ballots reject the result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dissent: Vec<String>,
    /// The fewest voters whose opposite ballots would have turned it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turned_by: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub power: Vec<SeatPower>,
}

impl Review {
    /// Seconds on the round's clock, which stands still while it is paused: at most its `timeout`, also where the answer to a
    /// round that closed comes later.
    pub fn took(&self, timeout: i64, now: Timestamp) -> i64 {
        let left = self.closes_at.duration_since(self.paused_at.unwrap_or(now)).as_secs();
        timeout.saturating_sub(left).clamp(0, timeout.max(0))
    }
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Escalation {
    pub id: Uuid,
    pub reason: String,
    pub message: String,
    pub digest: String,
    pub options: Vec<String>,
    pub deadline: Timestamp,
    pub default_option: String,
    /// What it rests on, in short.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What the next attempt would read, should one be made.
    pub feedback: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    pub option: String,
    /// Absent when nobody answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// On what the acceptance of a digest rests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    pub digest: String,
    /// `PeersApproved` or `EscalationApproved`.
    pub basis: String,
    /// People whose approval counted.
    pub approvers: Vec<String>,
    /// Whether the policy asked for any.
    pub asked: bool,
}

/// The approved result on its way out, and where it arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    pub digest: String,
    /// The commit's date: fixed, so that a repeated delivery makes the same commit.
    pub approved_at: Timestamp,
    /// Head of the record when the digest was approved: the commit names it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub record: String,
    /// When a delivery whose task was deleted is given up, since nobody is left to make its pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub give_up: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Delivered>,
}

/// Where the result arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    pub branch: String,
    pub commit: String,
}
