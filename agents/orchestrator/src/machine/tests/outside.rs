use super::support::{Run, Setup, digest, usage};
use crate::machine::{Command, EscalationEnd, Event, OutcomeKind, Stage, Why};
use golden_crds::agent_task::TaskLimits;
use golden_crds::conditions::agent_task as reasons;
use golden_platform::wire::{Bound, HeldCall};
use serde_json::json;

pub(crate) fn spec(generation: i64, desired: &str) -> Event {
    Event::SpecChanged {
        generation,
        desired_state: serde_json::from_value(json!(desired)).unwrap(),
        limits: None,
    }
}

pub(crate) fn held(op: &str, on_exhausted: &str) -> Event {
    Event::BudgetHeld { op_key: op.into(), call: call(on_exhausted) }
}

fn call(on_exhausted: &str) -> HeldCall {
    HeldCall {
        account: "Budget checkout/experiments".into(),
        missing_micro_usd: 12_345,
        on_exhausted: on_exhausted.into(),
        needs_micro_usd: 20_000,
        needs_tokens: 10,
        least_micro_usd: 15_000,
        least_tokens: 8,
        ..HeldCall::default()
    }
}

#[test]
fn cancellation_ends_the_task_at_every_stage_before_delivery() {
    let git = Setup::git();
    let mut approving = Run::reviewing(&Setup::git().approvals(1));
    approving.feed(&approving.review("Approved"));
    assert_eq!(approving.state.stage, Stage::Approving);
    let runs = vec![
        Run::new(&git),
        approving,
        Run::producing(&git),
        Run::guarding(&git),
        Run::reviewing(&git),
        Run::escalated(&git),
    ];
    for mut run in runs {
        let stage = run.state.stage;
        run.feed(&spec(2, "Cancelled"));
        assert_eq!(run.outcome(), Some((OutcomeKind::Cancelled, reasons::CANCELLED)), "{stage:?}");
        assert!(run.wanted().is_empty(), "{stage:?}");
        assert_eq!(run.condition("Failed"), "True/Cancelled");
    }
}

#[test]
fn a_vanished_object_cancels_and_withdraws_its_question() {
    let mut run = Run::escalated(&Setup::git());
    run.feed(&Event::Deleted);
    assert_eq!(run.outcome(), Some((OutcomeKind::Cancelled, reasons::DELETING)));
    let closed = run
        .commands
        .iter()
        .any(|c| matches!(c, Command::CloseEscalation { end: EscalationEnd::Withdrawn, .. }));
    assert!(closed && run.view().escalation.is_none());
}

#[test]
fn delivery_is_the_point_of_no_return() {
    for event in [spec(2, "Cancelled"), spec(2, "Suspended"), Event::Deleted] {
        let mut run = Run::delivering(&Setup::git());
        run.feed(&event);
        run.later(if run.state.deleted { 299 } else { 200_000 });
        assert_eq!(run.state.stage, Stage::Delivering, "{event:?}");
        assert_eq!(run.wanted().len(), 1);
        run.feed(&run.delivered());
        assert_eq!(run.outcome(), Some((OutcomeKind::Complete, reasons::DELIVERED)));
    }
}

#[test]
fn cancelled_is_terminal_even_when_a_later_spec_says_otherwise() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&spec(2, "Cancelled")).feed(&spec(3, "Active"));
    assert_eq!(run.outcome(), Some((OutcomeKind::Cancelled, reasons::CANCELLED)));
}

#[test]
fn an_older_spec_changes_nothing() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&spec(3, "Active")).feed(&spec(2, "Cancelled"));
    assert!(run.ignored() && run.outcome().is_none());
    assert_eq!(run.view().observed_generation, 3);
}

#[test]
fn the_deadline_ends_what_is_not_yet_delivering() {
    let mut run = Run::guarding(&Setup::git());
    assert_eq!(
        run.last.as_ref().unwrap().wake.unwrap().min(run.state.deadline),
        run.last.as_ref().unwrap().wake.unwrap()
    );
    run.later(100_000);
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::DEADLINE_EXCEEDED)));
    assert!(run.message("Failed").contains("Guarding"));
}

#[test]
fn a_held_call_says_how_much_is_missing_and_goes_on() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&held("op1", "Pause"));
    assert_eq!(run.condition("BudgetAvailable"), "False/BudgetExhausted");
    assert_eq!(run.condition("Stalled"), "True/BudgetExhausted");
    let message = run.message("BudgetAvailable");
    assert!(message.contains("Budget checkout/experiments lacks $0.012345 (12345 micro-USD)"), "{message}");
    assert_eq!(run.wanted().len(), 1, "the pod waits with its call");
    run.feed(&Event::BudgetResumed { op_key: "op1".into(), moved: false });
    assert_eq!(run.condition("BudgetAvailable"), "True/BudgetAvailable");
    run.feed(&held("op1", "Pause"));
    assert!(run.ignored(), "a hold that comes late is not a new one");
    assert_eq!(run.condition("BudgetAvailable"), "True/BudgetAvailable");
}

#[test]
fn a_model_that_does_not_answer_is_shown_until_it_does_or_nobody_asks() {
    let stuck = |attempt| Event::CallStuck {
        caller: "pod".into(),
        attempt,
        why: Why::new(reasons::MODEL_UNREACHABLE, "ModelProvider shared does not answer"),
    };
    let mut run = Run::producing(&Setup::git());
    run.feed(&stuck(1));
    assert_eq!(run.condition("Stalled"), "True/ModelUnreachable");
    assert!(run.message("Complete").contains("ModelProvider shared"), "{}", run.message("Complete"));
    run.feed(&Event::CallUnstuck { caller: "pod".into() });
    assert!(run.condition("Stalled").is_empty());

    run.feed(&stuck(1));
    run.feed(&run.result(&digest(1), 0));
    assert!(run.condition("Stalled").is_empty(), "what was stuck ended with its pod");
    run.feed(&stuck(9));
    assert!(run.ignored(), "no attempt of that number is under way");
}

#[test]
fn a_budget_that_says_fail_fails_the_task() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&held("op1", "Fail"));
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::BUDGET_EXHAUSTED)));
    assert_eq!(run.condition("BudgetAvailable"), "False/BudgetExhausted");
}

#[test]
fn a_budget_that_asks_says_who_is_asked_and_how_and_a_refusal_fails_the_task() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&held("op1", "Ask"));
    assert_eq!(run.condition("BudgetAvailable"), "False/BudgetExhausted");
    let told = run.message("BudgetAvailable");
    assert!(told.contains("$0.012345") && told.contains("the held call then goes on"), "{told}");
    assert!(told.contains("approve budgets in checkout"), "{told}");
    assert!(told.contains("`golden approve budget/experiments -n checkout`"), "{told}");
    // As the gateway tells it: the hold ends, and another that is refused begins.
    run.feed(&Event::BudgetResumed { op_key: "op1".into(), moved: false });
    let refused = HeldCall { denied: Some("bob@example (decision no)".into()), ..call("Fail") };
    run.feed(&Event::BudgetHeld { op_key: "op1/h2".into(), call: refused });
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::BUDGET_DENIED)));
    assert_eq!(run.condition("BudgetAvailable"), "False/BudgetDenied");
    assert!(run.message("Complete").contains("bob@example"), "{}", run.message("Complete"));
}

#[test]
fn a_budget_that_an_overage_blocks_says_what_was_charged_and_how_it_is_confirmed() {
    let over = Some(Bound { cost_micro_usd: 2_500, tokens: 0 });
    let told = |account: &str, missing: i64| {
        let mut run = Run::producing(&Setup::git());
        let call = HeldCall {
            account: account.into(),
            missing_micro_usd: missing,
            overage: over,
            ..self::call("Pause")
        };
        run.feed(&Event::BudgetHeld { op_key: "op1".into(), call });
        let held = run.record.iter().find(|e| e.kind == "BudgetHeld").unwrap();
        assert_eq!(held.body["overage"], json!({"costMicroUsd": 2_500, "tokens": 0}));
        run.message("BudgetAvailable")
    };
    assert_eq!(
        told("Budget checkout/experiments", 0),
        "Budget checkout/experiments pays for nothing, since a provider charged $0.0025 beyond what was reserved: to confirm \
         that, raise the limit of that Budget, the held call then goes on"
    );
    assert!(
        told("AgentTask checkout/fix", 0).contains("to confirm that, raise spec.limits of the AgentTask")
    );
    assert!(told("Budget checkout/experiments", 7).contains("lacks $0.000007"), "raising it confirms it too");
}

#[test]
fn holds_end_with_the_pod_that_made_them() {
    let mut run = Run::producing(&Setup::git());
    run.feed(&held("op1", "Pause"));
    run.feed(&run.result(&digest(1), 0));
    assert_eq!(run.condition("BudgetAvailable"), "True/BudgetAvailable");
    run.feed(&held("op1", "Pause"));
    assert!(run.ignored(), "told again, it is not a new one");
}

#[test]
fn raised_limits_are_taken_in() {
    let mut run = Run::producing(&Setup::git());
    let limits = TaskLimits { cost_micro_usd: Some(9), tokens: None };
    run.feed(&Event::SpecChanged {
        generation: 2,
        desired_state: golden_crds::agent_task::DesiredState::Active,
        limits: Some(limits.clone()),
    });
    assert_eq!(run.state.limits, Some(limits));
}

#[test]
fn a_store_that_is_away_is_shown_until_it_is_back() {
    let mut run = Run::producing(&Setup::git());
    let why = Why::new(reasons::ARTIFACT_STORE_UNREACHABLE, "no answer");
    run.feed(&Event::StoreTrouble(Some(why)));
    assert_eq!(run.condition("Stalled"), "True/ArtifactStoreUnreachable");
    run.feed(&Event::StoreTrouble(None));
    assert!(run.condition("Stalled").is_empty());
}

#[test]
fn the_end_says_what_was_used() {
    let mut run = Run::delivering(&Setup::git());
    run.feed(&usage(777));
    run.feed(&run.delivered());
    let last = run.record.last().unwrap();
    assert_eq!((last.kind.as_str(), &last.body["usage"]["costMicroUSD"]), ("Ended", &json!(777)));
}

#[test]
fn a_task_that_waits_for_the_answer_to_a_dead_letter_ends_and_a_question_to_a_person_stays() {
    let dead = |attempt| Event::DeadLettered { attempt, id: "m".into(), why: "too large".into() };
    for mut run in [Run::guarding(&Setup::git()), Run::reviewing(&Setup::git())] {
        run.feed(&dead(7));
        assert_eq!(run.outcome(), None, "a message of another attempt");
        run.feed(&dead(1));
        assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::DEAD_LETTERED)));
    }
    let mut run = Run::escalated(&Setup::git());
    run.feed(&dead(1));
    assert_eq!((run.outcome(), run.state.stage), (None, Stage::Escalated));
    assert_eq!(run.kinds().last().copied(), Some("DeadLettered"));
}
