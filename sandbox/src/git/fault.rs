//! Why a fetch or a delivery failed, told from what git said.

use golden_crds::conditions::agent_task as reasons;
use golden_platform::wire::JobResult;

/// Bytes of git's words that are kept.
const MOST: usize = 1024;

/// A failure with its reason, and whether trying again may help.
#[derive(Debug, thiserror::Error)]
#[error("{reason}: {message}")]
pub(super) struct Fault {
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) retryable: bool,
}

/// The branch holds something else than this task's work.
pub(super) const BRANCH_MOVED: &str = "GitBranchMoved";
/// The approved tree cannot be committed on what was fetched.
pub(super) const TREE_MISMATCH: &str = "TreeMismatch";

impl Fault {
    pub(super) fn new(reason: &'static str, message: impl Into<String>, retryable: bool) -> Self {
        let message: String = message.into();
        let bounded = message.chars().filter(|c| !c.is_control() || *c == '\n').take(MOST).collect();
        Self { reason, message: bounded, retryable }
    }

    /// The reason behind what git printed when it failed.
    pub(super) fn of_git(said: &str) -> Self {
        let lower = said.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
        if has(&[
            "authentication failed",
            "could not read username",
            "error: 401",
            "error: 403",
            "permission denied",
        ]) {
            return Self::new(reasons::GIT_DENIED, said, false);
        }
        if has(&["couldn't find remote ref", "not our ref", "unadvertised object", "no such ref"]) {
            return Self::new(reasons::GIT_REF_NOT_FOUND, said, false);
        }
        if has(&["stale info", "[rejected]", "remote rejected", "failed to push some refs"]) {
            return Self::new(BRANCH_MOVED, said, false);
        }
        Self::new(reasons::GIT_UNREACHABLE, said, true)
    }

    /// What the orchestrator is told.
    pub(super) fn result(self) -> JobResult {
        JobResult::Failed { reason: self.reason.to_owned(), message: self.message, retryable: self.retryable }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_becomes_a_reason_and_a_hope() {
        let of = |said: &str| {
            let fault = Fault::of_git(said);
            (fault.reason, fault.retryable)
        };
        assert_eq!(of("fatal: Authentication failed for 'http://x/'"), (reasons::GIT_DENIED, false));
        assert_eq!(of("fatal: couldn't find remote ref nope"), (reasons::GIT_REF_NOT_FOUND, false));
        assert_eq!(of(" ! [rejected] a -> b (stale info)"), (BRANCH_MOVED, false));
        assert_eq!(
            of("fatal: unable to access 'http://x/': Could not resolve host: x"),
            (reasons::GIT_UNREACHABLE, true)
        );
    }

    #[test]
    fn words_of_a_hostile_server_are_bounded_and_cannot_steer_a_terminal() {
        let fault = Fault::of_git(&format!("\u{1b}[31m{}", "x".repeat(10_000)));
        assert!(fault.message.len() <= MOST && !fault.message.contains('\u{1b}'));
    }
}
