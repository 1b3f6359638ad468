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
mod count;
mod decide;
mod guards;
mod impact;
mod lines;
mod outcome;
mod policy;
mod reason;
mod tally;

pub use ballot::{Ballot, Evidence, Severity, Verdict};
pub use count::{Ignored, IgnoredReason, MAX_VOTERS_PER_ROLE};
pub use decide::{Decision, DecisionRecord, decide};
pub use guards::{GuardFact, GuardVerdict, GuardsBlocked, GuardsCleared, clear};
pub use impact::Impact;
pub use lines::{ItemDecision, LinesError, MAX_ITEMS, MAX_LINE_BYTES, decide_lines};
pub use outcome::{Next, Outcome, OutcomeKind};
pub use policy::{
    MAX_TOTAL_WEIGHT, MAX_VOTERS, OnUndecided, Policy, PolicyError, Voter, parse_policy, policy_from_value,
    validate_policy,
};
pub use tally::Tally;

#[cfg(test)]
mod tests;
