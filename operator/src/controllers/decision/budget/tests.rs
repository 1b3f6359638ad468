use super::*;
use serde_json::json;

const NOON: &str = "2026-11-24T12:00:00Z";

fn digest(c: char) -> String {
    format!("sha256:{}", c.to_string().repeat(64))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn seen(verdict: &str, by: &str) -> Seen {
    let decision: Decision = serde_json::from_value(json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "Decision",
        "metadata": {"name": "d", "namespace": "shop", "uid": Uuid::nil()},
        "spec": {"target": {"kind": "Budget", "name": "daily", "uid": "u", "digest": digest('a')},
                 "verdict": verdict, "decidedBy": by},
    }))
    .unwrap();
    let budget: Budget = serde_json::from_value(json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "Budget",
        "metadata": {"name": "daily", "namespace": "shop", "uid": "u"},
        "spec": {"limits": {"costMicroUSD": 1000}, "onExhausted": "Ask",
                 "ask": {"deadlineSeconds": 60, "onDeadline": "Fail"}},
    }))
    .unwrap();
    let open = Question {
        generation: 1,
        digest: digest('a'),
        period_start_us: None,
        missing_cost: 10,
        missing_tokens: 0,
        grant_cost: 100,
        grant_tokens: 0,
        tasks: 1,
        asked_at_us: 0,
        deadline_us: Some(at("2026-11-24T12:01:00Z").as_microsecond()),
    };
    let waiting = Waiting {
        task_uid: Uuid::nil(),
        submitted_by: "alice@example".into(),
        missing_cost: 10,
        missing_tokens: 0,
        needs_cost: 10,
        needs_tokens: 0,
    };
    Seen {
        decision: Arc::new(decision),
        uid: Uuid::nil(),
        budget: Some(Arc::new(budget)),
        balance: Some(crate::controllers::budget::tests::balance(1000, 1000, 0, 0)),
        open: Some(open),
        closed: None,
        waiting: vec![waiting],
    }
}

fn closed(outcome: Outcome, decision_uid: Option<Uuid>, by: Option<&str>) -> Closed {
    Closed {
        outcome: outcome.as_str().into(),
        digest: digest('a'),
        period_start_us: None,
        grant_cost: 100,
        grant_tokens: 0,
        decision_uid,
        decided_by: by.map(str::to_owned),
        deadline_us: None,
    }
}

fn refused(seen: &Seen, now: &str) -> Option<&'static str> {
    validate(seen, at(now)).err().map(|refusal| refusal.reason)
}

#[test]
fn an_answer_to_the_open_question_is_taken_and_says_what_it_does() {
    assert_eq!(validate(&seen("Approve", "bob@example"), at(NOON)), Ok(Taken::Now));
    assert_eq!(
        seen("Approve", "bob@example").words(),
        "$0.0001 are granted to Budget daily for its present period"
    );
    assert_eq!(validate(&seen("Deny", "bob@example"), at(NOON)), Ok(Taken::Now));
    assert!(seen("Deny", "bob@example").words().contains("fail until"));
}

#[test]
fn nobody_pays_for_their_own_task_but_may_refuse_it_the_money() {
    assert_eq!(refused(&seen("Approve", "alice@example"), NOON), Some("SelfApproval"));
    assert_eq!(validate(&seen("Deny", "alice@example"), at(NOON)), Ok(Taken::Now));
}

#[test]
fn an_answer_that_was_taken_before_a_crash_stays_accepted() {
    let mut seen = seen("Approve", "bob@example");
    seen.open = None;
    seen.closed = Some(closed(Outcome::Granted, Some(seen.uid), Some("bob@example")));
    assert_eq!(validate(&seen, at("2030-01-01T00:00:00Z")), Ok(Taken::Before));
    assert!(seen.words().starts_with("$0.0001"));
}

type Change = fn(&mut Seen);

#[test]
fn every_other_answer_is_refused_with_its_reason() {
    let other = Some(Uuid::from_u128(7));
    let answered = move |s: &mut Seen, outcome, uid, by| {
        s.open = None;
        s.closed = Some(closed(outcome, uid, by));
    };
    let cases: [(&str, Change); 6] = [
        ("TargetNotFound", |s| s.budget = None),
        ("TargetReplaced", |s| Arc::make_mut(s.budget.as_mut().unwrap()).metadata.uid = Some("other".into())),
        ("NothingToDecide", |s| s.open = None),
        ("DigestStale", |s| s.open.as_mut().unwrap().digest = digest('b')),
        ("TooLate", |s| s.balance.as_mut().unwrap().period_end_us = Some(1)),
        ("TooLate", |s| s.open.as_mut().unwrap().deadline_us = Some(1)),
    ];
    for (want, change) in cases {
        let mut seen = seen("Approve", "bob@example");
        change(&mut seen);
        assert_eq!(refused(&seen, NOON), Some(want));
    }
    for (want, outcome, uid, by) in [
        ("AlreadyDecided", Outcome::Granted, other, Some("bob@example")),
        ("NothingToDecide", Outcome::Denied, other, Some("carol@example")),
        ("TooLate", Outcome::Expired, None, None),
        ("TooLate", Outcome::Ended, None, None),
        ("NothingToDecide", Outcome::Withdrawn, None, None),
    ] {
        let mut seen = seen("Approve", "bob@example");
        answered(&mut seen, outcome, uid, by);
        assert_eq!(refused(&seen, NOON), Some(want), "{outcome:?}");
    }
    let mut option = seen("Approve", "bob@example");
    Arc::make_mut(&mut option.decision).spec.verdict = Verdict::Option;
    assert_eq!(refused(&option, NOON), Some("OptionNotOffered"));
}

#[test]
fn a_deadline_after_which_calls_wait_can_still_be_answered() {
    let mut seen = seen("Approve", "bob@example");
    Arc::make_mut(seen.budget.as_mut().unwrap()).spec.ask.as_mut().unwrap().on_deadline = AskDeadline::Wait;
    assert_eq!(validate(&seen, at("2026-11-25T00:00:00Z")), Ok(Taken::Now));
}
