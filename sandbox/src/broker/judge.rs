//! The end of a run as a guard's outcome. Pure.

use super::request::command;
use golden_crds::conditions::{COMPLETE, FAILED, find, is_true};
use golden_crds::{SandboxRun, SandboxRunStatus};
use golden_guard::{GuardVerdict, Judged, RunOutcome, judge};
use golden_platform::wire::{GuardOutcome, GuardRequest};
use uuid::Uuid;

/// Bound on an excerpt, in bytes.
const MAX_EXCERPT: usize = golden_guard::MAX_EXCERPT_BYTES;

/// What the run left to be read.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// stdout, then stderr, as far as they were kept.
    pub output: Vec<u8>,
    /// Digest of the kept stdout.
    pub output_digest: Option<String>,
}

/// Whether a run has ended, one way or the other.
pub(super) fn is_over(run: &SandboxRun) -> bool {
    let conditions = run.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    is_true(conditions, COMPLETE) || is_true(conditions, FAILED)
}

/// The outcome of an ended run.
pub fn guard_outcome(
    request: &GuardRequest,
    attempt: u32,
    run_uid: Uuid,
    status: &SandboxRunStatus,
    evidence: &Evidence,
) -> GuardOutcome {
    let why = find(&status.conditions, FAILED).or_else(|| find(&status.conditions, COMPLETE));
    let reason = status.reason.clone().or_else(|| why.map(|c| c.reason.clone())).unwrap_or_default();
    let words = why.map(|c| c.message.clone()).unwrap_or_default();
    let judged = judge(
        &request.guard.name,
        request.required,
        &RunOutcome {
            exit_code: status.exit_code,
            reason: &reason,
            output: &evidence.output,
            output_digest: evidence.output_digest.as_deref(),
            tree_digest: &request.tree,
            image_id: status.image_id.as_deref(),
            command: &command(&request.guard),
        },
    );
    let (verdict, excerpt) = match judged {
        Judged::Fact(fact) if fact.verdict == GuardVerdict::Passed => ("Passed", fact.excerpt),
        // A command killed by a limit may have said nothing: then the reason is all there is to say.
        Judged::Fact(fact) if fact.reason == "NonZeroExit" && !fact.excerpt.is_empty() => {
            ("Failed", fact.excerpt)
        }
        Judged::Fact(fact) => ("Failed", joined(&words, &fact.excerpt)),
        Judged::Inconclusive(why) => ("Inconclusive", joined(&words, &why.to_string())),
    };
    GuardOutcome {
        attempt,
        guard: request.guard.name.clone(),
        verdict: verdict.into(),
        tree: request.tree.clone(),
        sandbox_run: request.run_name.clone(),
        run_uid,
        exit_code: status.exit_code,
        reason,
        excerpt,
        output_digest: evidence.output_digest.clone(),
        image_id: status.image_id.clone(),
        isolation: status.isolation.clone().unwrap_or_else(|| request.runtime_class_name.clone()),
        quarantine: None,
    }
}

/// The outcome of a run that could not even be made, or was taken away.
pub(super) fn not_run(
    request: &GuardRequest,
    attempt: u32,
    run_uid: Uuid,
    reason: &str,
    words: &str,
) -> GuardOutcome {
    GuardOutcome {
        attempt,
        guard: request.guard.name.clone(),
        verdict: "Inconclusive".into(),
        tree: request.tree.clone(),
        sandbox_run: request.run_name.clone(),
        run_uid,
        exit_code: None,
        reason: reason.into(),
        excerpt: crate::report::first_bytes(words, MAX_EXCERPT).into(),
        output_digest: None,
        image_id: None,
        isolation: request.runtime_class_name.clone(),
        quarantine: None,
    }
}

fn joined(first: &str, rest: &str) -> String {
    let text = [first, rest].iter().filter(|t| !t.is_empty()).copied().collect::<Vec<_>>().join("\n");
    crate::report::first_bytes(&text, MAX_EXCERPT).into()
}

#[cfg(test)]
mod tests {
    use super::super::request::tests::request;
    use super::*;
    use golden_crds::conditions::{RunState, set_run_state};

    fn status(reason: &str, exit_code: Option<i32>) -> SandboxRunStatus {
        let mut status =
            SandboxRunStatus { reason: Some(reason.into()), exit_code, ..SandboxRunStatus::default() };
        let state = if exit_code == Some(0) { RunState::Complete } else { RunState::Failed };
        set_run_state(
            &mut status.conditions,
            state,
            reason,
            "what happened",
            None,
            jiff::Timestamp::UNIX_EPOCH,
        );
        status
    }

    fn outcome(reason: &str, exit_code: Option<i32>, output: &str) -> GuardOutcome {
        let evidence = Evidence { output: output.into(), output_digest: None };
        guard_outcome(&request(), 2, Uuid::from_u128(1), &status(reason, exit_code), &evidence)
    }

    #[test]
    fn only_exit_code_0_passes_and_faults_of_the_machinery_say_nothing() {
        let cases = [
            ("Completed", Some(0), "Passed"),
            ("OutputTruncated", Some(0), "Passed"),
            ("NonZeroExit", Some(1), "Failed"),
            ("Timeout", None, "Failed"),
            ("OutOfMemory", None, "Failed"),
            ("TooManyProcesses", None, "Failed"),
            ("ImageError", None, "Inconclusive"),
            ("IsolationUnavailable", None, "Inconclusive"),
            ("PodEvicted", None, "Inconclusive"),
            ("Completed", None, "Inconclusive"),
        ];
        for (reason, exit_code, wanted) in cases {
            assert_eq!(outcome(reason, exit_code, "out").verdict, wanted, "{reason}");
        }
    }

    #[test]
    fn a_silent_death_is_explained_by_its_reason() {
        assert!(outcome("Timeout", None, "").excerpt.contains("what happened"));
        assert!(outcome("ImageError", None, "").excerpt.contains("what happened"));
        assert_eq!(outcome("NonZeroExit", Some(1), "assert 1 == 2").excerpt, "assert 1 == 2");
        assert!(outcome("Timeout", None, &"x".repeat(100_000)).excerpt.len() <= MAX_EXCERPT);
    }
}
