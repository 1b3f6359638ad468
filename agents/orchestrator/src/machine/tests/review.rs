use super::outside::{held, spec};
use super::support::{Run, Setup, digest};
use crate::machine::{Command, Event, OutcomeKind, Stage};
use golden_crds::conditions::agent_task as reasons;
use serde_json::json;

#[test]
fn peers_are_asked_with_the_policys_rules_and_models_and_the_guards_facts() {
    let run = Run::reviewing(&Setup::git());
    let opened = run.commands.iter().find_map(|c| match c {
        Command::OpenReview { request, digest, .. } => Some((request.clone(), digest.clone())),
        _ => None,
    });
    let (request, subject) = opened.unwrap();
    assert_eq!((subject, request.digest.clone()), (digest(1), digest(1)));
    assert!(request.models.keys().all(|k| k.starts_with("voter:")) && !request.models.is_empty());
    assert_eq!(request.author.as_ref(), run.task.models.get("role:developer"));
    assert_eq!(request.guards.len(), 2);
    assert_eq!(request.rules["voters"].as_array().unwrap().len(), 4);
    assert_eq!(*run.review_requests()[0], *request);
}

#[test]
fn changes_requested_go_into_the_next_attempt_as_dissent() {
    let mut run = Run::reviewing(&Setup::git());
    run.feed(&run.review("ChangesRequested"));
    assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, 2));
    assert!(run.state.feedback.contains("the mapping is hard to read"));
    assert!(run.state.feedback.contains("architect"));
}

#[test]
fn undecided_reviews_follow_the_policy() {
    let reject = json!({"voters": [{"role": "reviewer"}], "onTie": "Reject", "onTimeout": "Reject"});
    let escalate = json!({"voters": [{"role": "reviewer"}], "onTie": "Escalate", "onTimeout": "Escalate"});
    let cases = [
        ("Tie", &escalate, Stage::Escalated, "ReviewTied"),
        ("Tie", &reject, Stage::Producing, ""),
        ("QuorumMissing", &escalate, Stage::Escalated, "QuorumMissing"),
        ("QuorumMissing", &reject, Stage::Producing, ""),
        ("RequiredVoterMissing", &reject, Stage::Producing, ""),
        ("Vetoed", &reject, Stage::Escalated, "Vetoed"),
        ("VetoUnverified", &reject, Stage::Escalated, "VetoUnverified"),
        ("GuardMissing", &reject, Stage::Escalated, "GuardNotRun"),
    ];
    for (decision, rules, stage, reason) in cases {
        let mut run = Run::reviewing(&Setup::git().with("/policy/review", rules.clone()));
        run.feed(&run.review(decision));
        assert_eq!(run.state.stage, stage, "{decision}");
        assert_eq!(run.view().escalation.map(|e| e.reason).unwrap_or_default(), reason, "{decision}");
    }
}

#[test]
fn a_decision_about_another_round_or_digest_is_stale() {
    let mut run = Run::reviewing(&Setup::git());
    let Event::Reviewed { attempt, round, decision, ballots, .. } = run.review("Approved") else {
        unreachable!()
    };
    run.feed(&Event::Reviewed {
        attempt,
        round,
        digest: digest(99),
        decision: decision.clone(),
        ballots: ballots.clone(),
    });
    assert!(run.ignored());
    run.feed(&Event::Reviewed { attempt, round: 2, digest: digest(1), decision, ballots });
    assert!(run.ignored());
    assert_eq!(run.state.stage, Stage::Reviewing);
}

#[test]
fn failed_required_guard_cannot_be_outvoted() {
    // Even a state that no fact can bring about: peers approve while a guard's fact says Failed.
    let mut run = Run::reviewing(&Setup::git());
    run.state.guards.get_mut("unit").unwrap().outcome.as_mut().unwrap().verdict = "Failed".into();
    run.feed(&run.review("Approved"));
    assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, 2));
    assert!(run.state.delivery.is_none() && run.state.approval.is_none());
}

#[test]
fn an_unanswered_review_is_asked_again_and_then_goes_to_a_person() {
    let mut run = Run::reviewing(&Setup::git());
    for round in 1..=3 {
        assert_eq!(run.state.review.as_ref().unwrap().round, round);
        assert_eq!(run.state.stage, Stage::Reviewing);
        run.later(120 + 60);
    }
    assert_eq!(run.state.stage, Stage::Escalated);
    assert_eq!(run.view().escalation.unwrap().reason, reasons::REVIEW_TIMED_OUT);
}

fn rounds(max: u32) -> Setup {
    let voters = json!([{"role": "reviewer"}, {"role": "architect"}]);
    Setup::git().with("/policy/review", json!({"voters": voters, "rounds": {"max": max}}))
}

#[test]
fn a_verified_dissent_is_heard_before_an_approval_or_a_tie_counts() {
    for (decision, stage) in [("Approved", Stage::Delivering), ("Tie", Stage::Escalated)] {
        let mut run = Run::reviewing(&rounds(2));
        run.feed(&run.objected(decision, true));
        assert_eq!(run.state.stage, Stage::Reviewing, "{decision}");
        let sent = run.review_requests().pop().unwrap();
        assert_eq!((sent.round, sent.hears, sent.digest.clone()), (2, Some(1), digest(1)));
        assert!(run.condition("ConsensusReached").contains("ReviewRunning"));
        run.feed(&run.objected(decision, true));
        assert_eq!(run.state.stage, stage, "{decision}: no more rounds than the policy has");
    }
}

#[test]
fn no_round_is_opened_where_hearing_could_change_nothing() {
    for (max, decision, verified) in
        [(1, "Approved", true), (3, "Approved", false), (3, "ChangesRequested", true), (3, "Vetoed", true)]
    {
        let mut run = Run::reviewing(&rounds(max));
        run.feed(&run.objected(decision, verified));
        let asked = run.review_requests().len();
        assert_eq!(asked, 1, "{max} {decision} {verified}");
        assert_ne!(run.state.stage, Stage::Reviewing);
    }
}

#[test]
fn a_round_that_hears_and_is_not_answered_is_asked_again_as_often_as_the_first() {
    let mut run = Run::reviewing(&rounds(2));
    run.later(180 + 60);
    run.feed(&run.objected("Approved", true));
    for round in 3..=5 {
        let review = run.state.review.as_ref().unwrap();
        assert_eq!((review.round, review.hears), (round, Some(2)));
        run.later(180 + 60);
    }
    assert_eq!(run.state.stage, Stage::Escalated);
    assert_eq!(run.view().escalation.unwrap().reason, reasons::REVIEW_TIMED_OUT);
}

#[test]
fn what_was_objected_is_handed_on_also_where_the_next_round_is_never_answered() {
    let mut setup = rounds(2);
    setup.policy["review"]["onTimeout"] = json!("Reject");
    let mut run = Run::reviewing(&setup);
    run.feed(&run.objected("Tie", true));
    assert_eq!(run.state.stage, Stage::Reviewing);
    let objections = run.state.review.as_ref().unwrap().objections.clone();
    assert!(!objections.is_empty());
    for _ in 0..3 {
        run.later(180 + 60);
    }
    assert_eq!((run.state.stage, run.state.attempt), (Stage::Producing, 2), "onTimeout: Reject");
    assert_eq!(run.state.last_failure.as_ref().unwrap().reason, reasons::REVIEW_TIMED_OUT);
    assert_eq!(run.state.feedback, objections);
}

#[test]
fn a_disagreement_with_the_guards_goes_to_a_person() {
    let mut run = Run::reviewing(&Setup::git());
    run.feed(&run.review("GuardFailed"));
    assert_eq!(run.state.stage, Stage::Escalated, "peers saw a failed guard that nobody here saw");
    assert_eq!(run.view().escalation.unwrap().reason, reasons::GUARD_FAILED);
}

#[test]
fn a_rounds_clock_stands_still_while_a_voter_waits_for_money() {
    let mut run = Run::reviewing(&Setup::git());
    run.later(100).feed(&held("op1", "Pause"));
    run.later(10).feed(&held("op2", "Pause"));
    run.later(5000);
    assert_eq!(run.state.review.as_ref().unwrap().round, 1, "no round is opened over a held voter");
    assert_eq!(run.last.as_ref().unwrap().wake, Some(run.state.deadline), "nothing to look for before");
    run.feed(&Event::BudgetResumed { op_key: "op1".into(), moved: false });
    run.later(5000);
    assert_eq!(run.state.review.as_ref().unwrap().round, 1, "another voter still waits");
    run.feed(&Event::BudgetResumed { op_key: "op2".into(), moved: false });
    // 20 of the round's 120 seconds are left, and then the minute after which it is overdue.
    run.later(20 + 59);
    assert_eq!(run.state.review.as_ref().unwrap().round, 1);
    run.later(1);
    assert_eq!(run.state.review.as_ref().unwrap().round, 2, "after that it is overdue as ever");
}

#[test]
fn a_rounds_clock_stands_still_while_the_task_is_suspended() {
    let mut run = Run::reviewing(&Setup::git());
    run.later(100).feed(&spec(2, "Suspended"));
    run.later(10).feed(&held("op1", "Pause"));
    run.later(5000).feed(&Event::BudgetResumed { op_key: "op1".into(), moved: false });
    run.later(5000).feed(&spec(3, "Active"));
    assert_eq!(run.state.review.as_ref().unwrap().round, 1, "nobody was late");
    run.later(20 + 59);
    assert_eq!(run.state.review.as_ref().unwrap().round, 1);
    run.later(1);
    assert_eq!(run.state.review.as_ref().unwrap().round, 2, "after that it is overdue as ever");

    let mut run = Run::reviewing(&Setup::git());
    run.feed(&held("op1", "Pause")).feed(&spec(2, "Suspended")).feed(&spec(3, "Active"));
    run.later(5000);
    assert_eq!(run.state.review.as_ref().unwrap().round, 1, "a voter still waits");
}

#[test]
fn a_rounds_clock_stands_still_while_a_voters_model_is_away() {
    let mut run = Run::reviewing(&Setup::git());
    let (caller, attempt) = ("t/review/1/1/security".to_owned(), run.state.attempt);
    let why = crate::machine::Why::new("ModelUnreachable", "no answer");
    run.later(100).feed(&Event::CallStuck { caller: caller.clone(), attempt, why });
    run.later(5000);
    assert_eq!(run.state.review.as_ref().unwrap().round, 1, "no round is opened over a model's outage");
    run.feed(&Event::CallUnstuck { caller });
    run.later(20 + 59);
    assert_eq!(run.state.review.as_ref().unwrap().round, 1);
    run.later(1);
    assert_eq!(run.state.review.as_ref().unwrap().round, 2, "after that it is overdue as ever");
}

#[test]
fn a_held_voters_very_call_decides_the_round_it_was_asked_in() {
    let mut run = Run::reviewing(&Setup::git());
    run.feed(&held("op1", "Pause"))
        .later(5000)
        .feed(&Event::BudgetResumed { op_key: "op1".into(), moved: false });
    run.later(10);
    run.feed(&run.review("Approved"));
    assert_eq!(run.state.stage, Stage::Delivering);
    let reviewed = run.record.iter().find(|e| e.kind == "Reviewed").unwrap();
    assert_eq!(reviewed.body["tookSeconds"], 10, "the clock stood still for the rest");
    let asked = run.review_requests().len();
    assert_eq!(asked, 1);
}

#[test]
fn a_round_takes_no_longer_than_it_may() {
    let mut run = Run::reviewing(&Setup::git());
    run.later(125);
    run.feed(&run.review("QuorumMissing"));
    let reviewed = run.record.iter().find(|e| e.kind == "Reviewed").unwrap();
    assert_eq!(reviewed.body["tookSeconds"], 120, "it closed then, and its decision was told later");
}

#[test]
fn an_unreadable_decision_is_recorded_and_the_round_stays_open() {
    let mut run = Run::reviewing(&Setup::git());
    run.feed(&Event::Reviewed {
        attempt: 1,
        round: 1,
        digest: digest(1),
        decision: json!({"decision": "Sure"}),
        ballots: vec![],
    });
    assert_eq!(run.record.last().unwrap().kind, "ReviewUnreadable");
    run.feed(&run.review("Approved"));
    assert_eq!(run.state.stage, Stage::Delivering);
}

#[test]
fn the_tally_is_shown() {
    let mut run = Run::reviewing(&Setup::git());
    run.feed(&run.review("Approved"));
    let review = run.view().review.unwrap();
    assert_eq!((review.decision.as_str(), review.cast_weight, review.total_weight), ("Approved", 4, 4));
}

#[test]
fn rejection_on_the_last_attempt_fails_with_the_peers_reason() {
    let mut run = Run::reviewing(&Setup::git().with("/spec/maxAttempts", 1.into()));
    run.feed(&run.review("ChangesRequested"));
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::ATTEMPTS_EXHAUSTED)));
    assert_eq!(run.condition("ConsensusReached"), "False/ChangesRequested");
}

#[test]
fn a_result_that_peers_sent_back_is_not_put_to_them_again_but_to_a_person() {
    let mut run = Run::reviewing(&Setup::git());
    run.feed(&run.review("ChangesRequested"));
    let asked = run.review_requests().len();
    run.feed(&run.result(&digest(1), 0));
    run.pass_guards();
    assert_eq!(run.state.stage, Stage::Escalated);
    assert_eq!(run.review_requests().len(), asked);
    let question = run.view().escalation.unwrap();
    assert_eq!((question.reason.as_str(), question.options.len()), ("Stuck", 3));
    // They were not asked about this attempt, and so asked for no changes.
    let told = run.message("Approved");
    let what = "peers did not accept the result of attempt 2, as on attempt 1 with the same result";
    assert!(told.starts_with(what), "{told}");
    run.feed(&run.decision(1, "bob", "Option", Some("Retry")));
    assert!(run.state.feedback.contains("the mapping is hard to read"), "the objections are told again");
    run.feed(&Event::SlotGranted);
    run.feed(&run.result(&digest(1), 0));
    run.pass_guards();
    assert_eq!(run.outcome(), Some((OutcomeKind::Failed, reasons::ATTEMPTS_EXHAUSTED)));
}

#[test]
fn status_and_record_say_whose_ballots_turn_a_decision_and_what_power_each_seat_had() {
    let mut run = Run::reviewing(&Setup::git());
    assert!(run.view().review.unwrap().power.is_empty(), "an open review has decided nothing");
    run.feed(&run.review_with("Vetoed", |decision| {
        decision["minimalFlip"] = json!({"voters": ["security"], "outcome": "Approved"});
        decision["power"] =
            json!([{"role": "security", "shapleyShubik": "1/3", "banzhaf": "2/5", "penroseBanzhaf": "1/2"}]);
    }));
    let shown = run.view().review.unwrap();
    assert_eq!(shown.turned_by, ["security"]);
    assert_eq!(shown.dissent, ["architect"]);
    let power: Vec<_> = shown.power.iter().map(|s| (s.role.as_str(), s.shapley_shubik.as_str())).collect();
    assert_eq!(power, [("security", "1/3")]);
    let reviewed = run.record.iter().find(|e| e.kind == "Reviewed").unwrap();
    assert_eq!(reviewed.body["result"]["power"][0]["banzhaf"], "2/5");
    assert_eq!(reviewed.body["result"]["minimalFlip"]["voters"], json!(["security"]));
}
