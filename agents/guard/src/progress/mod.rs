//! Whether an attempt got any further than one before it, told from two fingerprints.
//!
//! - [`failure_fingerprint`] and [`objection_fingerprint`] are of why it was sent back: equal ones are the same failure.
//! - [`change_fingerprint`] is of what it changed: equal ones differ in white space, blank lines and comments at most.
//!
//! Only both together say that the work goes in circles. A change that is really another one is a try worth its judgement
//! though it fails in the same words, since a check that says little cannot show how far it came; and a comment may be
//! just what was missing, in which case the failure is gone. What is folded is less than what a person would call the same:
//! a fingerprint that is too fine costs an attempt, and one that is too coarse stops work that was getting somewhere.

mod change;
mod failure;
mod fold;

#[cfg(test)]
mod tests;

pub use change::change_fingerprint;
pub use failure::{Cited, failure_fingerprint, objection_fingerprint};
