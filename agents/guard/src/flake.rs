//! Guards that say now this and now that of the same tree.

use crate::outcome::GuardVerdict;

/// What follows from a verdict on a tree, given what earlier runs said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The first run passed.
    Passed,
    /// It passed after it had failed on the very same tree: it counts as passed, and has to be shown.
    Flaky,
    /// It failed, and may be run again.
    Again,
    /// It failed as often as it may.
    Failed,
}

/// `failures` runs on the same tree failed before this one; a failed guard is run again at most `retries` times.
///
/// A retry is a rule of whoever defines the guard, for checks that are known to be unsteady. Without one the first
/// failure stands, so that nobody learns to try until it passes.
pub fn follow(verdict: GuardVerdict, failures: u32, retries: u32) -> Followed {
    match verdict {
        GuardVerdict::Passed if failures == 0 => Followed::Passed,
        GuardVerdict::Passed => Followed::Flaky,
        GuardVerdict::Failed if failures < retries => Followed::Again,
        GuardVerdict::Failed => Followed::Failed,
    }
}
