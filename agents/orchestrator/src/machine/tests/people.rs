use super::support::{Run, Setup, digest};
use crate::machine::{Command, EscalationEnd, Event, OutcomeKind, Stage};
use golden_crds::conditions::agent_task as reasons;
use golden_platform::wire::Message;

fn closed(run: &Run) -> Option<(EscalationEnd, Option<String>, Option<String>)> {
    run.commands.iter().find_map(|c| match c {
        Command::CloseEscalation { end, chosen, by, .. } => Some((*end, chosen.clone(), by.clone())),
        _ => None,
    })
}

#[test]
fn a_tie_asks_a_person_with_options_and_a_deadline() {
    let run = Run::escalated(&Setup::git());
    let asked = run.view().escalation.unwrap();
    assert_eq!(asked.options, ["Accept", "Reject", "Retry"]);
    assert_eq!((asked.default_option.as_str(), asked.digest), ("Reject", digest(1)));
    assert_eq!(
        (asked.owner.as_str(), asked.message.as_str()),
        (run.task.spec.team_ref.name.as_str(), "they say Tie")
    );
    assert_eq!(asked.evidence, ["architect: the mapping is hard to read"]);
    assert_eq!(run.condition("Approved"), "False/EscalationPending");
    assert_eq!(run.condition("Reconciling"), "True/AwaitingPerson");
    assert!(matches!(run.messages().last(), Some(Message::EscalationRaised(_))));
    assert!(!run.state.slot, "others may work while a person thinks");
}

#[test]
fn a_person_accepts_a_tied_result() {
    let mut run = Run::escalated(&Setup::git());
    run.feed(&run.decision(1, "bob", "Approve", None));
    assert_eq!(run.state.stage, Stage::Delivering);
    assert_eq!(closed(&run), Some((EscalationEnd::Resolved, Some("Accept".into()), Some("bob".into()))));
    assert_eq!(run.condition("Approved"), "True/EscalationApproved");
    assert!(run.view().escalation.is_none());
}

#[test]
fn a_person_rejects_it() {
    let mut run = Run::escalated(&Setup::git());
    run.feed(&run.decision(1, "bob", "Deny", None));
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::ESCALATION_DENIED)));
    assert_eq!(run.condition("Approved"), "False/EscalationDenied");
}

#[test]
fn who_submitted_the_work_cannot_accept_it_but_may_ask_for_another_attempt() {
    let mut run = Run::escalated(&Setup::git());
    run.feed(&run.decision(1, "alice", "Approve", None));
    assert_eq!(run.state.stage, Stage::Escalated);
    run.feed(&run.decision(2, "alice", "Option", Some("Accept")));
    assert_eq!(run.state.stage, Stage::Escalated);
    run.feed(&run.decision(3, "alice", "Option", Some("Retry")));
    assert_eq!(run.state.attempt, 2);
}

#[test]
fn an_answer_about_another_digest_is_refused_and_recorded_once() {
    let mut run = Run::escalated(&Setup::git());
    let Event::Decided(mut stale) = run.decision(1, "bob", "Approve", None) else { unreachable!() };
    stale.digest = digest(77);
    let before = run.record.len();
    run.feed(&Event::Decided(stale.clone())).feed(&Event::Decided(stale));
    assert_eq!(run.record.len(), before + 1);
    assert_eq!(run.record.last().unwrap().kind, "DecisionRefused");
    assert_eq!(run.state.stage, Stage::Escalated);
}

#[test]
fn an_answer_to_an_earlier_question_about_the_same_digest_is_none_to_this_one() {
    let mut run = Run::escalated(&Setup::git());
    let Event::Decided(mut earlier) = run.decision(1, "bob", "Deny", None) else { unreachable!() };
    earlier.question = "the one before".into();
    run.feed(&Event::Decided(earlier));
    assert_eq!(run.record.last().unwrap().kind, "DecisionRefused");
    assert_eq!(run.state.stage, Stage::Escalated);
    run.feed(&run.decision(2, "bob", "Approve", None));
    assert_eq!(run.state.stage, Stage::Delivering);
}

#[test]
fn an_option_that_is_not_open_is_refused() {
    let mut run = Run::escalated(&Setup::git());
    run.feed(&run.decision(1, "bob", "Option", Some("Ship it")));
    assert_eq!(run.state.stage, Stage::Escalated);
}

#[test]
fn nobody_answers_so_the_default_counts() {
    let mut run = Run::escalated(&Setup::git());
    let id = run.state.escalation.as_ref().unwrap().id;
    run.feed(&Event::EscalationDefaulted { escalation_id: id, option: "Accept".into() });
    assert!(run.ignored(), "approval is never a default");
    run.feed(&Event::EscalationDefaulted { escalation_id: id, option: "Reject".into() });
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::ESCALATION_EXPIRED)));
    assert_eq!(closed(&run).unwrap().0, EscalationEnd::Defaulted);
}

#[test]
fn the_default_counts_even_if_the_supervisor_is_away() {
    let mut run = Run::escalated(&Setup::git());
    run.later(3600 + 60);
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::ESCALATION_EXPIRED)));
}

#[test]
fn a_question_promises_no_more_time_than_the_task_has() {
    let run = Run::escalated(&Setup::git().with("/spec/deadlineSeconds", 600.into()));
    assert_eq!(run.state.escalation.as_ref().unwrap().deadline, run.state.deadline);
}

#[test]
fn the_policys_approvals_need_distinct_others_on_this_very_digest() {
    let mut run = Run::reviewing(&Setup::git().approvals(2));
    run.feed(&run.review("Approved"));
    assert_eq!(run.state.stage, Stage::Approving);
    assert_eq!(run.condition("Approved"), "False/ApprovalPending");
    assert!(run.message("Approved").contains(&format!("2 of 2 approvals are missing for {}", digest(1))));
    run.feed(&run.decision(1, "alice", "Approve", None));
    run.feed(&run.decision(2, "bob", "Approve", None));
    run.feed(&run.decision(3, "bob", "Approve", None));
    assert_eq!(run.state.stage, Stage::Approving);
    assert!(run.message("Approved").contains("1 of 2"));
    run.feed(&run.decision(4, "carol", "Approve", None));
    assert_eq!(run.state.stage, Stage::Delivering);
    assert_eq!(run.condition("Approved"), "True/ApprovalsComplete");
    assert_eq!(run.state.approval.as_ref().unwrap().approvers, ["bob", "carol"]);
}

#[test]
fn protected_paths_need_an_approval() {
    let mut run =
        Run::reviewing(&Setup::git().with("/policy/protectedPaths", serde_json::json!(["shop/**"])));
    run.feed(&run.review("Approved"));
    assert_eq!(run.state.stage, Stage::Approving);
    assert!(run.message("Approved").contains("shop/slug.py"));
}

#[test]
fn a_denied_approval_ends_the_task() {
    let mut run = Run::reviewing(&Setup::git().approvals(1));
    run.feed(&run.review("Approved"));
    run.feed(&run.decision(1, "bob", "Deny", None));
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::APPROVAL_DENIED)));
    assert_eq!(run.condition("Approved"), "False/ApprovalDenied");
}

#[test]
fn an_approval_is_stale_once_the_digest_changes() {
    let mut run = Run::reviewing(&Setup::git().approvals(1));
    run.feed(&run.decision(1, "bob", "Approve", None));
    run.feed(&run.review("ChangesRequested"));
    run.feed(&run.result(&digest(2), 0));
    run.pass_guards();
    run.feed(&run.review("Approved"));
    assert_eq!(run.state.stage, Stage::Approving, "bob approved another digest");
}

#[test]
fn the_answer_to_an_escalation_serves_as_the_approval_too() {
    let mut run = Run::escalated(&Setup::git().approvals(1));
    run.feed(&run.decision(1, "bob", "Approve", None));
    assert_eq!(run.state.stage, Stage::Delivering);
}

#[test]
fn an_answer_given_while_suspended_counts_when_the_task_goes_on() {
    let mut run = Run::escalated(&Setup::git());
    run.feed(&super::outside::spec(2, "Suspended"));
    run.feed(&run.decision(1, "bob", "Approve", None));
    assert_eq!(run.state.stage, Stage::Escalated);
    assert!(
        run.commands.iter().any(|c| matches!(
            c,
            Command::CloseEscalation { by: Some(by), chosen: Some(option), .. } if by == "bob" && option == "Accept"
        )),
        "its deadline may pass meanwhile"
    );
    run.feed(&super::outside::spec(3, "Active"));
    assert_eq!(run.state.stage, Stage::Delivering);
}
