//! The shapes that cross a process boundary: facts, desired pods, messages, and the bodies of internal HTTP calls.
//!
//! One place, so that writer and reader cannot differ. Additive changes only: services serve version N and N−1.

mod calls;
mod facts;
mod ledger;
mod messages;
mod pods;
mod view;

pub use calls::{AGENT_CALLS, VOTER_ANSWER_TOKENS, VOTER_CALLS, VOTER_PARTS, voter_calls};
pub use facts::{
    APPROVAL_QUESTION, Admission, AttemptNotSaved, AttemptResult, AttemptSaved, Dependency, DesiredKind,
    DesiredPod, Fact, GuardOutcome, HeldCall, JobResult, ModelBinding, NewFact, PersonDecision, PodOutcome,
    PodPhase, PolicySource, StartedAnyway,
};
pub use ledger::{
    Bound, LedgerAnswer, LedgerAnswers, LedgerOperation, LedgerOperations, MOST_OPERATIONS, OpAnswer,
    OpRequest, Refusal, ReserveAnswer, ReserveRequest, SettleRequest,
};
pub use messages::{Envelope, EscalationRaised, GuardRequest, Message, ReviewRequest};
pub use pods::{ArtifactStored, Credential, JobContext, PauseWish, Resumes, TryContext};
pub use view::{TaskView, ViewCondition};
