//! What can happen to a task: facts as the engine completed them, and time.

use super::state::{Usage, Why};
use golden_consensus::SeatWeight;
use golden_crds::agent_task::{DesiredState, TaskLimits};
use golden_platform::wire::{
    AttemptNotSaved, AttemptResult, AttemptSaved, GuardOutcome, HeldCall, JobResult, PersonDecision,
    PodOutcome,
};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// One observation. Admission is not one of them: it makes the task, see [`super::admit`].
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Nothing happened but time.
    Tick,
    /// What the ledger settled so far; goes into the entries that follow.
    Usage(Usage),
    /// A task this one waits for ended, with its outcome (`Complete`, `Failed`, `Cancelled`).
    DependencyEnded {
        uid: Uuid,
        outcome: String,
    },
    /// The team has room for the task.
    SlotGranted,
    /// The inline source is stored under this digest, or can never be.
    InlineBase(Result<String, Why>),
    SpecChanged {
        generation: i64,
        desired_state: DesiredState,
        limits: Option<TaskLimits>,
    },
    Deleted,
    Decided(PersonDecision),
    Pod(PodOutcome),
    Attempt(AttemptEnded),
    /// A pod that was asked to save has done so, or could not.
    Saved(AttemptSaved),
    NotSaved(AttemptNotSaved),
    /// A fetch or delivery ended; `pod` is the name of the pod that says so.
    Job {
        pod: String,
        result: JobResult,
    },
    Guard(GuardOutcome),
    /// Peers decided; `ballots` go into the record, so that the decision can be recomputed from it.
    Reviewed {
        attempt: u32,
        round: u32,
        digest: String,
        decision: Value,
        ballots: Vec<Value>,
    },
    EscalationDefaulted {
        escalation_id: Uuid,
        option: String,
    },
    BudgetHeld {
        op_key: String,
        call: HeldCall,
    },
    BudgetResumed {
        op_key: String,
        /// It waits on, for another account: its next hold follows.
        moved: bool,
    },
    /// Nobody waits for that call any more.
    BudgetHoldLeft {
        op_key: String,
    },
    /// What the accounts have, where [`super::needs_money`] says that it matters: whether a held call, made again, could
    /// be paid or would be refused for good.
    Money {
        ask_again: bool,
    },
    /// What the voters' opinions weigh by their track records, where [`super::needs_weights`] says that a review waits for
    /// it.
    Weighed(Vec<SeatWeight>),
    /// A message of the task can never be sent; it is a dead letter.
    DeadLettered {
        attempt: u32,
        id: String,
        why: String,
    },
    /// Calls of the model come to nothing for now.
    CallStuck {
        caller: String,
        attempt: u32,
        why: Why,
    },
    /// They are answered again.
    CallUnstuck {
        caller: String,
    },
    /// A store the engine needs for this task is away, or is back.
    StoreTrouble(Option<Why>),
}

/// The end of a try, with what the engine derived from its tree.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptEnded {
    pub result: AttemptResult,
    /// Absent when the try left no tree; an error when the tree is refused.
    pub produced: Option<Result<ProducedTree, Why>>,
}

/// A produced tree and what was derived from it and stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ProducedTree {
    pub tree: String,
    /// Digest of the unified diff against the base.
    pub patch: String,
    /// [`golden_guard::change_fingerprint`] of that change.
    pub change: String,
    /// Paths that differ from the base; of a rename both.
    pub changed_paths: Vec<String>,
    /// Guard → tree it examines, for guards that reset paths to the base.
    pub guard_trees: BTreeMap<String, String>,
}
