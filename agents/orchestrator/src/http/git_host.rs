//! The circuit breakers of git hosts. Git runs in pods of their own, so what they tell is counted here, where all of the
//! team's fetches and deliveries pass.
//!
//! A host that does not answer holds a pod, and with it one of the team's turns, for minutes. While its breaker is open a
//! pod is told at once that there is nothing to do, which is the same failure, sooner: the task shows it and tries
//! again after its own growing pause.

use golden_crds::conditions::agent_task::{ARTIFACT_STORE_UNREACHABLE, GIT_UNREACHABLE, INTERNAL_ERROR};
use golden_platform::breaker::{Breakers, Circuit, Refused};
use golden_platform::wire::JobResult;
use std::sync::Arc;
use std::time::Instant;

/// The breaker of a repository's host.
pub(super) fn circuit(breakers: &Breakers, url: &str) -> Arc<Circuit> {
    breakers.get(&format!("git/{}", host(url)))
}

/// The host of an address with its port, in small letters: never what else stands in it, such as a user's name.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase()
}

/// What a pod that may not try is taken to have told.
pub(super) fn held_back(circuit: &Circuit, refused: Refused) -> JobResult {
    let host = circuit.name().trim_start_matches("git/");
    JobResult::Failed {
        reason: GIT_UNREACHABLE.to_owned(),
        message: format!("{host} did not answer before, so that this try was not made: {refused}"),
        retryable: true,
    }
}

/// Counts what a pod told. A host that refuses has answered; what has nothing to do with it is not counted.
pub(super) fn count(circuit: &Circuit, result: &JobResult, now: Instant) {
    const ELSEWHERE: [&str; 2] = [ARTIFACT_STORE_UNREACHABLE, INTERNAL_ERROR];
    match result {
        JobResult::Failed { reason, .. } if ELSEWHERE.contains(&reason.as_str()) => {}
        JobResult::Failed { reason, .. } => circuit.report(reason != GIT_UNREACHABLE, now),
        JobResult::Fetched { .. } | JobResult::Delivered { .. } => circuit.report(true, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_crds::conditions::agent_task as reasons;

    fn failed(reason: &str) -> JobResult {
        JobResult::Failed { reason: reason.to_owned(), message: String::new(), retryable: true }
    }

    #[test]
    fn a_breaker_is_named_by_the_host_alone() {
        for (url, want) in [
            ("https://Git.Example/shop.git", "git.example"),
            ("https://user:secret@git.example:8443/a@b", "git.example:8443"),
            ("ssh://git@git.example/x", "git.example"),
            ("git://[::1]:9418/x?y", "[::1]:9418"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(host(url), want);
        }
    }

    #[test]
    fn only_a_host_that_does_not_answer_opens_it() {
        let (breakers, now) = (Breakers::default(), Instant::now());
        let circuit = circuit(&breakers, "https://git.example/x");
        for reason in [reasons::GIT_DENIED, reasons::ARTIFACT_STORE_UNREACHABLE, reasons::INTERNAL_ERROR] {
            (0..9).for_each(|_| count(&circuit, &failed(reason), now));
        }
        (0..4).for_each(|_| count(&circuit, &failed(GIT_UNREACHABLE), now));
        count(&circuit, &failed(reasons::ARTIFACT_STORE_UNREACHABLE), now);
        assert!(circuit.admit(now).is_ok());
        count(&circuit, &failed(GIT_UNREACHABLE), now);
        let refused = circuit.admit(now).unwrap_err();
        let JobResult::Failed { reason, message, retryable: true } = held_back(&circuit, refused) else {
            panic!("not to be tried again")
        };
        assert_eq!(reason, GIT_UNREACHABLE);
        assert!(message.starts_with("git.example did not answer") && message.contains("30 s"), "{message}");
    }
}
