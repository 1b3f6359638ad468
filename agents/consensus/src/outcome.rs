//! What a review can come to.

use crate::guards::GuardsCleared;
use crate::policy::{OnUndecided, Policy};
use serde::{Deserialize, Serialize};

/// The outcome, with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Enough weight approves and every required guard passed, as the token proves.
    Approved(GuardsCleared),
    /// Rejected; the dissent is the feedback for the next attempt.
    ChangesRequested,
    /// A role with a veto rejected with verified evidence. Names the voters.
    Vetoed { voters: Vec<String> },
    /// A role with a veto rejected, and none of its evidence could be verified: a person looks at it,
    /// because findings of absence have no line to quote.
    VetoUnverified { voters: Vec<String> },
    /// Equal weight for and against, or nobody with an opinion.
    Tie,
    /// Closed before a required voter's ballot came.
    RequiredVoterMissing { roles: Vec<String> },
    /// Closed with less than the quorum cast.
    QuorumMissing,
    /// Required guards failed. No ballot can change that.
    GuardFailed { guards: Vec<String> },
    /// Closed while a required guard had no verdict on this subject.
    GuardMissing { guards: Vec<String> },
    /// Still open.
    Undecided,
}

/// The outcome's name: the form that is stored, shown and read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OutcomeKind {
    Approved,
    ChangesRequested,
    Vetoed,
    VetoUnverified,
    Tie,
    RequiredVoterMissing,
    QuorumMissing,
    GuardFailed,
    GuardMissing,
    Undecided,
}

/// What the outcome leads to under the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Next {
    /// Go on to approvals and delivery.
    Proceed,
    /// Next attempt, with the dissent as feedback.
    Revise,
    /// Repair attempt, with the guards' evidence as feedback.
    Repair,
    /// A person decides.
    Escalate,
    /// Nothing yet.
    Wait,
}

impl Outcome {
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Approved(_) => OutcomeKind::Approved,
            Self::ChangesRequested => OutcomeKind::ChangesRequested,
            Self::Vetoed { .. } => OutcomeKind::Vetoed,
            Self::VetoUnverified { .. } => OutcomeKind::VetoUnverified,
            Self::Tie => OutcomeKind::Tie,
            Self::RequiredVoterMissing { .. } => OutcomeKind::RequiredVoterMissing,
            Self::QuorumMissing => OutcomeKind::QuorumMissing,
            Self::GuardFailed { .. } => OutcomeKind::GuardFailed,
            Self::GuardMissing { .. } => OutcomeKind::GuardMissing,
            Self::Undecided => OutcomeKind::Undecided,
        }
    }

    /// Where the work goes from here.
    pub fn next(&self, policy: &Policy) -> Next {
        self.kind().next(policy.on_tie, policy.on_timeout)
    }
}

impl OutcomeKind {
    /// Where the work goes from here, by the rules of ties and of reviews that close without a decision.
    pub fn next(self, on_tie: OnUndecided, on_timeout: OnUndecided) -> Next {
        let by = |rule: OnUndecided| match rule {
            OnUndecided::Escalate => Next::Escalate,
            OnUndecided::Reject => Next::Revise,
        };
        match self {
            Self::Approved => Next::Proceed,
            Self::ChangesRequested => Next::Revise,
            Self::Tie => by(on_tie),
            Self::QuorumMissing | Self::RequiredVoterMissing => by(on_timeout),
            Self::GuardFailed => Next::Repair,
            Self::Vetoed | Self::VetoUnverified | Self::GuardMissing => Next::Escalate,
            Self::Undecided => Next::Wait,
        }
    }

    /// Whether one more reviewer could settle it: nobody decided, or a veto rests on nothing that can be looked up. Of what
    /// a guard, or a veto with evidence, has stopped, nobody's ballot makes anything else.
    pub fn may_be_settled(self) -> bool {
        matches!(self, Self::Tie | Self::QuorumMissing | Self::RequiredVoterMissing | Self::VetoUnverified)
    }

    /// The name as it is serialised.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "Approved",
            Self::ChangesRequested => "ChangesRequested",
            Self::Vetoed => "Vetoed",
            Self::VetoUnverified => "VetoUnverified",
            Self::Tie => "Tie",
            Self::RequiredVoterMissing => "RequiredVoterMissing",
            Self::QuorumMissing => "QuorumMissing",
            Self::GuardFailed => "GuardFailed",
            Self::GuardMissing => "GuardMissing",
            Self::Undecided => "Undecided",
        }
    }
}
