//! What is known about a task and changes: the JSON of `tasks.state`.
//!
//! Small on purpose, since it is rewritten with every step: texts are bounded, bytes are in the artifact store.

mod best;
mod judgement;
mod setback;
mod work;

use golden_consensus::SeatWeight;
use golden_crds::agent_task::TaskLimits;
use golden_crds::agent_team::AgentSpec;
use golden_platform::wire::{Dependency, HeldCall, JobResult, PersonDecision};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub use best::BestAttempt;
pub use judgement::{Approval, Choice, Delivered, Delivery, Escalation, GuardSlot, Review};
pub use setback::{Judge, Setback};
pub use work::{Base, Ended, Finish, PodSlot, Produced, Saved, Tries};

/// The state of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own, and all combinations occur")]
pub struct State {
    /// Version of this shape.
    pub v: u32,
    pub stage: Stage,
    /// The newest generation of the spec taken in.
    pub generation: i64,
    pub admitted_at: Timestamp,
    pub deadline: Timestamp,
    /// Dependencies that are not Complete yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_for: Vec<Dependency>,
    /// A dependency that ended otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_dependency: Option<Why>,
    /// Whether the task counts against `team.maxConcurrentTasks`.
    #[serde(default)]
    pub slot: bool,
    #[serde(default)]
    pub suspended: bool,
    #[serde(default)]
    pub cancelled: bool,
    #[serde(default)]
    pub deleted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<TaskLimits>,
    /// The producer's own agent; the built-in one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentSpec>,

    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// The attempt under way, from 1; 0 before the first.
    #[serde(default)]
    pub attempt: u32,
    /// The tree the attempt starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Why the last attempt was not accepted, in the words its successor reads.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub feedback: String,
    /// The same in one reason and one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Why>,
    /// Results that guards or peers sent back, so that going in circles is seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setbacks: Vec<Setback>,
    /// The best attempt so far that was judged and not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<BestAttempt>,

    pub tries: Tries,
    /// The one pod that is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodSlot>,
    /// Since when there is no pod because a call of the attempt waits for money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freed: Option<Timestamp>,
    /// Where further tries of the attempt go on, once one of them was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<Saved>,
    /// How the attempt's agent ended, until it is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<Finish>,
    /// What a fetch or delivery reported, until it is acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobResult>,
    /// The attempt's result, which guards, peers and people judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub produced: Option<Produced>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guards: BTreeMap<String, GuardSlot>,
    /// What the voters' opinions on the attempt's result weigh, once it is known, where that follows track records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Vec<SeatWeight>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// The additional reviewer was asked, which happens once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub additional_asked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
    /// People's answers about the present digest that are in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<PersonDecision>,
    /// Decision objects that were looked at, so that each is recorded once.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub decisions: BTreeSet<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,

    /// Calls that wait for money.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<String, Held>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub resumed: BTreeSet<String>,
    /// Callers whose calls of a model come to nothing for now, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stuck: BTreeMap<String, Why>,
    #[serde(default)]
    pub usage: Usage,
    /// A store that is away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Why>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    pub record: RecordHead,
}

/// Where the work stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// For dependencies or for its turn.
    Waiting,
    /// The source is fetched.
    Preparing,
    /// An agent works.
    Producing,
    /// Guards examine the result.
    Guarding,
    /// Peers judge it.
    Reviewing,
    /// A person has to decide.
    Escalated,
    /// People have to approve.
    Approving,
    /// The approved result goes out. No way back.
    Delivering,
    /// See the outcome.
    Ended,
}

impl Stage {
    /// The value of `tasks.stage` while the task is open.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Preparing => "Preparing",
            Self::Producing => "Producing",
            Self::Guarding => "Guarding",
            Self::Reviewing => "Reviewing",
            Self::Escalated => "Escalated",
            Self::Approving => "Approving",
            Self::Delivering => "Delivering",
            Self::Ended => "Ended",
        }
    }
}

/// A documented reason and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    pub reason: String,
    pub message: String,
}

impl Why {
    pub fn new(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into() }
    }
}

/// A call that waits for money, as the machine knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    #[serde(flatten)]
    pub call: HeldCall,
    /// Its client has given up; it stands only for a pod that is asked to save.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left: bool,
}

/// What the ledger settled for the task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    pub calls: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    #[serde(rename = "costMicroUSD")]
    pub cost_micro_usd: i64,
}

/// How the task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub kind: OutcomeKind,
    pub reason: String,
    pub message: String,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutcomeKind {
    Complete,
    Failed,
    Cancelled,
}

impl OutcomeKind {
    /// The value of `tasks.outcome`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "Complete",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// The newest entry of the record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordHead {
    pub entries: u64,
    pub head: String,
}

impl State {
    /// The value of `tasks.stage`: the stage, or how it ended.
    pub fn stage_name(&self) -> &'static str {
        self.outcome.as_ref().map_or(self.stage.as_str(), |o| o.kind.as_str())
    }

    /// Whether the task waits only for room in its team.
    pub fn wants_slot(&self) -> bool {
        self.stage == Stage::Waiting
            && !self.slot
            && !self.suspended
            && self.waiting_for.is_empty()
            && self.broken_dependency.is_none()
            && self.outcome.is_none()
    }
}
