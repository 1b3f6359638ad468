use super::observe::{Seen, TaskRow};
use super::validate::{Counts, validate};
use crate::forecast_questions::{Question, Standing};
use golden_crds::agent_task::{EscalationStatus, ResultStatus};
use golden_platform::wire::{TaskView, ViewCondition};
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

fn digest(c: char) -> String {
    format!("sha256:{}", c.to_string().repeat(64))
}

fn seen(verdict: &str, option: Option<&str>, by: &str) -> Seen {
    let decision = serde_json::from_value(json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "Decision",
        "metadata": {"name": "d", "namespace": "n", "uid": Uuid::nil()},
        "spec": {"target": {"kind": "AgentTask", "name": "t", "uid": "u", "digest": digest('a')},
                 "verdict": verdict, "option": option, "decidedBy": by},
    }))
    .unwrap();
    let task = serde_json::from_value(json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTask",
        "metadata": {"name": "t", "namespace": "n", "uid": "u"},
        "spec": {"teamRef": {"name": "x"}, "goal": "g", "source": {"inline": {"files": []}}},
    }))
    .unwrap();
    let escalation = EscalationStatus {
        id: "second".into(),
        reason: "ReviewTied".into(),
        options: vec!["Accept".into(), "Reject".into()],
        deadline: "2026-01-02T00:00:00Z".into(),
        default_option: "Reject".into(),
        digest: digest('a'),
        ..EscalationStatus::default()
    };
    Seen {
        decision: Arc::new(decision),
        uid: Uuid::nil(),
        task: Some(Arc::new(task)),
        row: Some(TaskRow {
            task_uid: Uuid::nil(),
            team_uid: Uuid::nil(),
            submitted_by: "alice".into(),
            ended: false,
            view: TaskView { escalation: Some(escalation), ..TaskView::default() },
        }),
        question: None,
        answered: vec![],
        told: false,
    }
}

/// The task is not admitted, and a person is asked whether it shall start.
fn before_admission(mut seen: Seen) -> Seen {
    seen.row = None;
    Arc::make_mut(seen.task.as_mut().unwrap()).spec.submitted_by = Some("alice".into());
    let evidence = json!({"message": "m", "p50CostMicroUSD": 1, "p90CostMicroUSD": 2, "basis": 5,
        "wantedMicroUSD": 2, "coversMicroUSD": 4, "lacks": []});
    seen.question = Some(Question {
        task_uid: Uuid::nil(),
        task_name: "t".into(),
        team_uid: Uuid::nil(),
        owner: "x".into(),
        digest: digest('a'),
        evidence: serde_json::from_value(evidence).unwrap(),
        options: ["Start", "Wait", "Refuse"].map(str::to_owned).into(),
        deadline_us: "2026-01-02T00:00:00Z".parse::<Timestamp>().unwrap().as_microsecond(),
        default_option: "Wait".into(),
        standing: Standing::Open,
        chosen: None,
        answer: None,
    });
    seen
}

fn approval(mut seen: Seen) -> Seen {
    let view = &mut seen.row.as_mut().unwrap().view;
    view.escalation = None;
    view.result = Some(ResultStatus { digest: digest('a'), ..ResultStatus::default() });
    view.conditions = vec![ViewCondition {
        r#type: "Approved".into(),
        status: "False".into(),
        reason: "ApprovalPending".into(),
        message: String::new(),
    }];
    seen
}

fn verdict(seen: &Seen) -> Option<&'static str> {
    validate(seen, now()).err().map(|r| r.reason)
}

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

#[test]
fn an_answer_to_the_question_that_is_asked_counts() {
    assert_eq!(verdict(&seen("Approve", None, "bob")), None);
    assert_eq!(verdict(&seen("Option", Some("Reject"), "bob")), None);
    assert_eq!(verdict(&approval(seen("Approve", None, "bob"))), None);
}

#[test]
fn nobody_approves_their_own_work_but_may_withdraw_it() {
    assert_eq!(verdict(&seen("Approve", None, "alice")), Some("SelfApproval"));
    assert_eq!(verdict(&approval(seen("Approve", None, "alice"))), Some("SelfApproval"));
    assert_eq!(verdict(&seen("Option", Some("Accept"), "alice")), Some("SelfApproval"));
    assert_eq!(verdict(&seen("Deny", None, "alice")), None);
    assert_eq!(verdict(&seen("Option", Some("Reject"), "alice")), None);
}

#[test]
fn an_approval_of_what_cannot_be_accepted_is_refused_with_what_may_be_answered() {
    let offer = |mut seen: Seen| {
        let open = seen.row.as_mut().unwrap().view.escalation.as_mut().unwrap();
        open.options = vec!["Reject".into(), "Retry".into()];
        seen
    };
    let approves = offer(seen("Approve", None, "bob"));
    let refusal = validate(&approves, now()).unwrap_err();
    assert_eq!(refusal.reason, "OptionNotOffered");
    assert_eq!(refusal.message, "Accept is not offered; answer one of: Reject, Retry");
    assert_eq!(verdict(&offer(seen("Deny", None, "bob"))), None);
    assert_eq!(verdict(&offer(seen("Option", Some("Retry"), "bob"))), None);
}

#[test]
fn an_answer_is_used_up_for_its_own_question_only() {
    let mut escalated = seen("Approve", None, "bob");
    assert_eq!(validate(&escalated, now()), Ok(Counts::For("second")));
    escalated.answered = vec!["first".into()];
    assert_eq!(validate(&escalated, now()), Ok(Counts::For("second")));
    let mut approving = approval(escalated);
    assert_eq!(validate(&approving, now()), Ok(Counts::For("Approval")));
    approving.answered.push("Approval".into());
    assert_eq!(verdict(&approving), Some("AlreadyDecided"));
}

#[test]
fn whether_a_task_shall_start_is_answered_like_every_other_question() {
    let of = |verdict: &str, option, by| before_admission(seen(verdict, option, by));
    assert_eq!(verdict(&of("Approve", None, "bob")), None);
    assert_eq!(verdict(&of("Deny", None, "bob")), None);
    assert_eq!(verdict(&of("Option", Some("Wait"), "bob")), None);
    assert_eq!(verdict(&of("Option", Some("Accept"), "bob")), Some("OptionNotOffered"));
    assert_eq!(verdict(&of("Approve", None, "alice")), Some("SelfApproval"));
    assert_eq!(verdict(&of("Option", Some("Start"), "alice")), Some("SelfApproval"));
    assert_eq!(verdict(&of("Deny", None, "alice")), None, "they may give it up");
    let cases: [(&str, Change); 5] = [
        ("NothingToDecide", |s| s.question.as_mut().unwrap().standing = Standing::Withdrawn),
        ("NothingToDecide", |s| s.question = None),
        ("NothingToDecide", |s| Arc::make_mut(s.task.as_mut().unwrap()).spec.submitted_by = None),
        ("DigestStale", |s| s.question.as_mut().unwrap().digest = digest('b')),
        ("TooLate", |s| s.question.as_mut().unwrap().deadline_us = 0),
    ];
    for (want, change) in cases {
        let mut seen = of("Approve", None, "bob");
        change(&mut seen);
        assert_eq!(verdict(&seen), Some(want));
    }
}

type Change = fn(&mut Seen);

#[test]
fn every_other_answer_is_refused_with_its_reason() {
    let cases: [(&str, Change); 8] = [
        ("TargetNotFound", |s| s.task = None),
        ("TargetReplaced", |s| Arc::make_mut(s.task.as_mut().unwrap()).metadata.uid = Some("other".into())),
        ("NothingToDecide", |s| s.row = None),
        ("NothingToDecide", |s| s.row.as_mut().unwrap().ended = true),
        ("NothingToDecide", |s| s.row.as_mut().unwrap().view.escalation = None),
        ("DigestStale", |s| s.row.as_mut().unwrap().view.escalation.as_mut().unwrap().digest = digest('b')),
        ("AlreadyDecided", |s| s.answered = vec!["second".into()]),
        ("TooLate", |s| {
            s.row.as_mut().unwrap().view.escalation.as_mut().unwrap().deadline =
                "2025-01-01T00:00:00Z".into();
        }),
    ];
    for (want, change) in cases {
        let mut seen = seen("Approve", None, "bob");
        change(&mut seen);
        assert_eq!(verdict(&seen), Some(want));
    }
    assert_eq!(verdict(&seen("Option", Some("Maybe"), "bob")), Some("OptionNotOffered"));
    assert_eq!(verdict(&approval(seen("Option", Some("Accept"), "bob"))), Some("OptionNotOffered"));
}

#[test]
fn a_fact_that_is_written_stays_accepted_after_a_crash() {
    let mut seen = seen("Approve", None, "bob");
    seen.told = true;
    seen.row.as_mut().unwrap().view.escalation = None;
    assert_eq!(validate(&seen, now()), Ok(Counts::ToldBefore));
}
