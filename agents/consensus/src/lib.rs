//! Consensus: ballots, a policy and guards' facts in, one explained decision out.
//!
//! Contract: deterministic, total and without I/O. Guards' facts are of another type than ballots, and
//! [`Outcome::Approved`] holds a [`GuardsCleared`] which only [`clear`] can make: no number of votes can
//! approve what a required guard failed. Weights are integers, sums are exact.
//!
//! ```
//! use golden_consensus::{decide, OutcomeKind, Policy};
//! let policy: Policy = golden_consensus::parse_policy(r#"{"voters":[{"role":"reviewer"}]}"#)?;
//! let decision = decide(&policy, &[], &[], "sha256:00", true);
//! assert_eq!(decision.outcome.kind(), OutcomeKind::QuorumMissing);
//! # Ok::<(), golden_consensus::PolicyError>(())
//! ```

mod ballot;
mod caution;
mod count;
mod decide;
mod flip;
mod guards;
mod impact;
mod json;
mod lines;
mod manifest;
mod outcome;
mod policy;
mod power;
mod reason;
mod reliability;
mod rounds;
mod subject;
mod tally;

pub use ballot::{Ballot, Evidence, Severity, Verdict};
pub use count::{Ignored, IgnoredReason, MAX_VOTERS_PER_ROLE};
pub use decide::{Decision, DecisionRecord, decide};
pub use flip::MinimalFlip;
pub use guards::{GuardFact, GuardVerdict, GuardsBlocked, GuardsCleared, clear};
pub use impact::Impact;
pub use lines::{ItemDecision, LinesError, MAX_ITEMS, MAX_LINE_BYTES, Reviews};
pub use manifest::{parse_policy, policy_from_value};
pub use outcome::{Next, Outcome, OutcomeKind};
pub use policy::{
    Independence, MAX_ROUNDS, MAX_TOTAL_WEIGHT, MAX_VOTERS, OnUndecided, Policy, PolicyError, Rounds, Voter,
    Weights, least_weight, validate_policy,
};
pub use power::{Fraction, Power, PowerError, SeatPower, policy_power, power};
pub use reliability::{
    Estimate, ItemLabel, LEAST_OBSERVATIONS, MAX_ESTIMATES, MAX_LABELS, MAX_NAME_BYTES, MAX_NAMES, MAX_VOTES,
    Opinion, SeatWeight, TrackRecord, TrackRecords, VoterReliability, Votes, VotesCsvError, VotesError,
    read_outcomes, read_votes, write_labels, write_voters,
};
pub use subject::{Subject, same_model};
pub use tally::Tally;

#[cfg(test)]
mod tests;
