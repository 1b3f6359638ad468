//! Guards: from what a run did to evidence, and from failed evidence to the brief of a repair.
//!
//! Contract: pure. A run that could not be made is not a verdict: [`judge`] says `Inconclusive` then and the
//! caller retries. Output of examined code is hostile: it is stripped of control characters, bounded, and
//! fenced where a model reads it.

mod brief;
pub mod builtin;
mod excerpt;
mod fact;
mod flake;
mod outcome;
mod parts;
mod progress;

pub use brief::{MAX_BRIEF_BYTES, brief};
pub use excerpt::{MAX_EXCERPT_BYTES, excerpt};
pub use fact::{GuardFact, Judged, RunOutcome, judge};
pub use flake::{Followed, follow};
pub use outcome::{Class, GuardVerdict, Inconclusive, classify};
pub use progress::{Cited, change_fingerprint, failure_fingerprint, objection_fingerprint};

#[cfg(test)]
mod tests;
