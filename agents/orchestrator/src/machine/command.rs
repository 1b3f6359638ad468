//! What a step asks the engine to do. All of it is written in the transaction that moves the task.

use super::state::State;
use golden_platform::wire::{DesiredKind, DesiredPod, Envelope, EscalationRaised, ReviewRequest};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

/// One effect. Each is idempotent by its name or id.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The operator shall run this pod.
    Want(Box<DesiredRow>),
    /// The operator shall remove it.
    Unwant { kind: DesiredKind, name: String },
    /// The relay shall send this.
    Publish(Box<Envelope>),
    /// A round of review begins.
    OpenReview { attempt: u32, round: u32, digest: String, request: Box<ReviewRequest>, closes_at: Timestamp },
    /// A person shall decide.
    RaiseEscalation { attempt: u32, raised: Box<EscalationRaised> },
    /// The question is settled.
    CloseEscalation { id: Uuid, end: EscalationEnd, chosen: Option<String>, by: Option<String> },
}

/// A row of `desired`.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredRow {
    pub name: String,
    pub kind: DesiredKind,
    pub attempt: u32,
    pub r#try: u32,
    pub spec: DesiredPod,
}

/// How a question to a person ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EscalationEnd {
    Resolved,
    Defaulted,
    Withdrawn,
}

impl EscalationEnd {
    /// The value of `escalations.state`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolved => "Resolved",
            Self::Defaulted => "Defaulted",
            Self::Withdrawn => "Withdrawn",
        }
    }
}

/// One entry of the task's record, before it is chained.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub kind: &'static str,
    pub body: Value,
}

/// What came of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub state: State,
    pub commands: Vec<Command>,
    /// The record grows by these, already chained to `state.record`.
    pub record: Vec<golden_record::Entry>,
    /// When to look again if nothing happens before.
    pub wake: Option<Timestamp>,
    /// Why the event changed nothing, for the log.
    pub ignored: Option<&'static str>,
}
