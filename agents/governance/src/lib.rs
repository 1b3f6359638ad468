//! Governance: which rules apply to a task, whose each of them is, and which approvals a change needs.
//!
//! Contract: pure. [`merge`] gives one [`MergedPolicy`] or the contradiction that blocks admission; the
//! result is stored with each run, so that a later edit of a policy changes no task that is under way.

mod additional;
mod approvals;
mod builtin;
mod explain;
mod glob;
mod merge;
mod merged;
mod selector;
pub mod simulate;

pub use additional::with_additional;
pub use approvals::{
    Answer, AnswerVerdict, ApprovalState, NeedReason, NeededApproval, RefusedAnswer, RefusedBecause,
    approvals_met, needed_approvals,
};
pub use builtin::{BUILT_IN, built_in};
pub use explain::{Explained, explain};
pub use glob::{GlobFault, MAX_GLOB_BYTES, check_glob, glob_matches};
pub use merge::{MergeFault, NamedPolicy, merge};
pub use merged::{
    GuardOrigin, MergedApproval, MergedEscalation, MergedGuard, MergedPath, MergedPolicy, MergedSandbox, Part,
};
pub use selector::{SelectorFault, selects};

#[cfg(test)]
mod tests;
