use super::support::{Run, Setup};
use crate::machine::{Event, OutcomeKind, Stage};
use golden_crds::conditions::agent_task as reasons;
use golden_platform::wire::{JobResult, PodPhase};

fn failed(reason: &str, retryable: bool) -> JobResult {
    JobResult::Failed { reason: reason.into(), message: "said the server".into(), retryable }
}

#[test]
fn a_server_that_is_away_delays_the_delivery_without_end() {
    let mut run = Run::delivering(&Setup::git());
    for n in 1..=12 {
        run.feed(&run.job(failed("GitUnreachable", true)));
        assert_eq!(run.condition("Stalled"), "True/GitUnreachable", "{n}");
        run.later(300);
    }
    run.feed(&run.delivered());
    assert_eq!(run.outcome(), Some((OutcomeKind::Complete, reasons::DELIVERED)));
}

#[test]
fn a_refused_push_fails_with_the_servers_answer() {
    let mut run = Run::delivering(&Setup::git());
    run.feed(&run.job(failed("BranchMoved", false)));
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::DELIVERY_CONFLICT)));
    assert!(run.message("Failed").contains("said the server"));
}

#[test]
fn a_lost_delivery_pod_is_made_again_however_often() {
    let mut run = Run::delivering(&Setup::git());
    for _ in 0..8 {
        run.feed(&run.pod(PodPhase::Lost, "NodeLost", None));
        run.later(300);
        assert_eq!((run.state.stage, run.wanted().len()), (Stage::Delivering, 1));
    }
}

#[test]
fn the_commit_can_be_made_again_to_the_byte() {
    let mut run = Run::delivering(&Setup::git());
    let first = run.state.delivery.clone().unwrap();
    assert!(first.record.starts_with("sha256:"));
    let approved = run.record.iter().find(|e| e.kind == "Approved").unwrap();
    assert_eq!(approved.hash, first.record, "the commit names the entry that approved it");
    run.feed(&run.pod(PodPhase::Lost, "NodeLost", None));
    run.later(300);
    assert_eq!(run.state.delivery, Some(first));
}

#[test]
fn a_deleted_task_whose_delivery_fails_does_not_try_for_ever() {
    let mut run = Run::delivering(&Setup::git());
    run.feed(&Event::Deleted);
    run.feed(&run.job(failed("SecretNotFound", true)));
    assert_eq!(run.outcome(), Some((OutcomeKind::Cancelled, reasons::DELETING)));
}

#[test]
fn a_job_of_an_older_pod_counts_for_nothing() {
    let mut run = Run::delivering(&Setup::git());
    let old = run.job(failed("DigestMismatch", false));
    run.feed(&run.pod(PodPhase::Lost, "NodeLost", None));
    run.later(300);
    run.feed(&old);
    assert!(run.ignored() && run.outcome().is_none());
}

#[test]
fn a_deleted_task_whose_delivery_is_never_heard_of_again_ends() {
    let mut run = Run::delivering(&Setup::git());
    run.feed(&Event::Deleted);
    assert!(run.outcome().is_none());
    run.later(300);
    assert_eq!(run.outcome(), Some((OutcomeKind::Cancelled, reasons::DELETING)));
}
