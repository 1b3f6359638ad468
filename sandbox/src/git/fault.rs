//! What can go wrong with git, from what git says: a documented reason, and whether trying again can help.

use crate::report::last_bytes;
use golden_crds::conditions::agent_task as reason;
use golden_platform::wire::JobResult;

/// A failed fetch or delivery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Fault {
    /// A constant of `golden_crds::conditions::agent_task`.
    pub reason: &'static str,
    /// What happened, to what, and git's own words.
    pub message: String,
    /// Whether the same may work later without anybody changing anything.
    pub retryable: bool,
}

impl Fault {
    pub(super) fn lasting(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retryable: false }
    }

    pub(super) fn passing(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retryable: true }
    }

    /// A defect, or a machine without room: worth another try.
    pub(super) fn internal(message: impl std::fmt::Display) -> Self {
        Self::passing(reason::INTERNAL_ERROR, message.to_string())
    }

    /// As the orchestrator takes it.
    pub fn into_result(self) -> JobResult {
        JobResult::Failed { reason: self.reason.into(), message: self.message, retryable: self.retryable }
    }
}

/// Reads what git said on stderr of `doing` (such as "fetch main from https://…").
///
/// The words are git's in the C locale, and of the servers behind it. What is not known here counts as an outage: it
/// is shown and tried again, within the task's bound.
pub(super) fn read(doing: &str, stderr: &str) -> Fault {
    let words = last_bytes(stderr.trim(), 1024);
    let said = stderr.to_lowercase();
    let has = |any: &[&str]| any.iter().any(|text| said.contains(text));
    let message = format!("cannot {doing}: {words}");
    if has(&DENIED) {
        return Fault::lasting(reason::GIT_DENIED, message);
    }
    if has(&NO_REF) {
        return Fault::lasting(reason::GIT_REF_NOT_FOUND, message);
    }
    if has(&MOVED) {
        return Fault::lasting(reason::DELIVERY_CONFLICT, message);
    }
    if has(&REFUSED) {
        return Fault::lasting(reason::DELIVERY_REFUSED, message);
    }
    if has(&NO_REPOSITORY) {
        return Fault::lasting(reason::GIT_DENIED, message);
    }
    Fault::passing(reason::GIT_UNREACHABLE, message)
}

const DENIED: [&str; 9] = [
    "authentication failed",
    "could not read username",
    "could not read password",
    "invalid username or password",
    "returned error: 401",
    "returned error: 403",
    "permission denied",
    "access denied",
    "terminal prompts disabled",
];
const NO_REF: [&str; 4] =
    ["couldn't find remote ref", "not our ref", "no such remote ref", "unadvertised object"];
const MOVED: [&str; 4] = ["stale info", "[rejected]", "cannot lock ref", "reference already exists"];
const REFUSED: [&str; 5] =
    ["[remote rejected]", "hook declined", "protected branch", "not permitted", "unpacker error"];
/// Servers say "not found" to those who may not know that a repository exists.
const NO_REPOSITORY: [&str; 5] = [
    "repository not found",
    "does not appear to be a git repository",
    "repository not exported",
    "not found",
    "unable to update url base from redirection",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gits_words_become_documented_reasons() {
        let cases = [
            ("fatal: Authentication failed for 'http://h/r/'", "GitDenied", false),
            ("fatal: could not read Username for 'https://h': terminal prompts disabled", "GitDenied", false),
            ("The requested URL returned error: 403", "GitDenied", false),
            ("fatal: couldn't find remote ref nope", "GitRefNotFound", false),
            ("fatal: remote error: upload-pack: not our ref 1234", "GitRefNotFound", false),
            ("! [rejected] 1 -> golden/x (stale info)", "DeliveryConflict", false),
            ("! [remote rejected] 1 -> golden/x (pre-receive hook declined)", "DeliveryRefused", false),
            ("fatal: repository 'http://h/r/' not found", "GitDenied", false),
            ("fatal: unable to connect to h: Connection refused", "GitUnreachable", true),
            ("Could not resolve host: nowhere", "GitUnreachable", true),
            ("something new", "GitUnreachable", true),
        ];
        for (words, wanted, retryable) in cases {
            let fault = read("fetch", words);
            assert_eq!((fault.reason, fault.retryable), (wanted, retryable), "{words}");
            assert!(fault.message.contains(words));
        }
    }
}
