use super::*;
use crate::budgets::tests::budget;
use crate::controllers::budget::act::Standing;
use crate::controllers::budget::report::status;
use crate::controllers::budget::tests::{balance, seen};
use golden_crds::conditions::{ANSWERED, READY, find};
use golden_platform::budget_questions::Closed;
use serde_json::{Value, json};
use std::sync::Arc;

const NOON: &str = "2026-11-24T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A Budget of 1000 micro-USD that asks by these rules.
fn asks(rules: &Value) -> Arc<Budget> {
    let spec = json!({"limits": {"costMicroUSD": 1000}, "onExhausted": "Ask", "ask": rules});
    let mut budget = (*budget("shop", "daily", &spec)).clone();
    budget.metadata.generation = Some(1);
    Arc::new(budget)
}

/// A call of task `task` that needs this much.
fn call(task: u128, needs: i64) -> Waiting {
    Waiting {
        task_uid: Uuid::from_u128(task),
        submitted_by: "alice@example".into(),
        missing_cost: 1,
        missing_tokens: 0,
        needs_cost: needs,
        needs_tokens: 0,
    }
}

fn after(
    budget: &Budget,
    balance: &Balance,
    waiting: &[Waiting],
    open: Option<&Question>,
    now: &str,
) -> Step {
    step(&Asking { budget, balance, waiting, open, grants: 0 }, at(now))
}

fn asked(step: Step) -> Question {
    match step {
        Step::Put(question) => question,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_question_is_for_the_largest_lack_and_a_share_of_the_limit() {
    let budget = asks(&json!({"grantPercent": 10}));
    let spent = balance(1000, 980, 0, 0);
    let one = asked(after(&budget, &spent, &[call(1, 30), call(1, 50), call(2, 40)], None, NOON));
    assert_eq!((one.missing_cost, one.grant_cost, one.tasks), (30, 100, 2));
    let large = asked(after(&budget, &spent, &[call(1, 500)], None, NOON));
    assert_eq!((large.missing_cost, large.grant_cost), (480, 480));
    assert_ne!(one.digest, large.digest, "another amount is another question");
    // Rounded up, lest a small limit grants nothing; a part that lacks nothing gets nothing.
    assert_eq!(
        (grant(Some(7), 10, 1), grant(Some(7), 10, 0), grant(Some(i64::MAX), 100, 5)),
        (1, 0, i64::MAX)
    );
}

#[test]
fn a_call_that_money_under_way_may_pay_is_no_question_yet() {
    let budget = asks(&json!({}));
    let call = [call(1, 30)];
    assert_eq!(after(&budget, &balance(1000, 900, 90, 0), &call, None, NOON), Step::Keep);
    assert_eq!(asked(after(&budget, &balance(1000, 980, 10, 0), &call, None, NOON)).missing_cost, 20);
    assert_eq!(
        after(&budget, &balance(1000, 900, 0, 0), &call, None, NOON),
        Step::Keep,
        "it goes on by itself"
    );
    // What was charged beyond bounds blocks until somebody answers, whatever is left.
    let over = asked(after(&budget, &balance(1000, 900, 0, 5), &call, None, NOON));
    assert_eq!((over.missing_cost, over.grant_cost), (0, 0));
    let granted = Balance { granted_cost: 100, ..balance(1000, 980, 0, 0) };
    assert_eq!(after(&budget, &granted, &call, None, NOON), Step::Keep);
    // A gateway of an older version tells the lack alone.
    let old = Waiting { needs_cost: 0, missing_cost: 7, ..call[0].clone() };
    assert_eq!(asked(after(&budget, &balance(1000, 980, 0, 0), &[old], None, NOON)).missing_cost, 7);
}

#[test]
fn an_open_question_keeps_its_digest_until_it_would_not_help_or_the_budget_is_edited() {
    let budget = asks(&json!({"grantPercent": 10, "deadlineSeconds": 60}));
    let spent = balance(1000, 980, 0, 0);
    let open = asked(after(&budget, &spent, &[call(1, 30)], None, NOON));
    assert_eq!(after(&budget, &spent, &[call(1, 30)], Some(&open), "2026-11-24T12:00:30Z"), Step::Keep);
    let more = asked(after(&budget, &spent, &[call(1, 90)], Some(&open), "2026-11-24T12:00:30Z"));
    assert_eq!((&more.digest, more.grant_cost, more.missing_cost), (&open.digest, 100, 70));
    let too_much = asked(after(&budget, &spent, &[call(1, 300)], Some(&open), "2026-11-24T12:00:30Z"));
    assert_ne!(too_much.digest, open.digest);
    assert_eq!((too_much.asked_at_us, too_much.deadline_us), (open.asked_at_us, open.deadline_us));
    let mut edited = (*asks(&json!({"grantPercent": 50}))).clone();
    edited.metadata.generation = Some(2);
    let edited = asked(after(&edited, &spent, &[call(1, 30)], Some(&open), "2026-11-24T12:00:30Z"));
    assert_eq!((edited.grant_cost, edited.deadline_us), (500, None));
    assert_ne!(edited.digest, open.digest);
}

#[test]
fn the_digest_binds_object_period_grants_and_time() {
    let base = asked(after(&asks(&json!({})), &balance(1000, 1000, 0, 0), &[call(1, 9)], None, NOON));
    let variants = [
        digest("other", 0, &base),
        digest("u", 1, &base),
        digest("u", 0, &Question { period_start_us: Some(1), ..base.clone() }),
        digest("u", 0, &Question { asked_at_us: 1, ..base.clone() }),
        digest("u", 0, &Question { grant_tokens: 1, ..base.clone() }),
        digest("u", 0, &base),
    ];
    let distinct: BTreeSet<&String> = variants.iter().collect();
    assert_eq!(distinct.len(), variants.len());
}

#[test]
fn a_question_ends_with_its_period_its_callers_or_its_budget() {
    let budget = asks(&json!({}));
    let spent = balance(1000, 980, 0, 0);
    let open = asked(after(&budget, &spent, &[call(1, 30)], None, NOON));
    let held = [call(1, 30)];
    assert_eq!(after(&budget, &spent, &[], Some(&open), NOON), Step::Close(Outcome::Withdrawn));
    let pauses = crate::budgets::tests::budget("shop", "daily", &json!({"onExhausted": "Pause"}));
    assert_eq!(after(&pauses, &spent, &held, Some(&open), NOON), Step::Close(Outcome::Withdrawn));
    let denied = Balance { denied: Some("bob".into()), ..spent.clone() };
    assert_eq!(
        after(&budget, &denied, &held, None, NOON),
        Step::Keep,
        "who was refused is not asked for again"
    );
    let over = Balance { period_end_us: Some(at(NOON).as_microsecond()), ..spent.clone() };
    assert_eq!(after(&budget, &over, &held, Some(&open), NOON), Step::Close(Outcome::Ended));
    let next = Balance { period_start_us: Some(5), ..spent };
    assert_eq!(after(&budget, &next, &held, Some(&open), NOON), Step::Close(Outcome::Ended));
    assert_eq!(asked(after(&budget, &next, &held, None, NOON)).period_start_us, Some(5));
}

#[test]
fn after_the_deadline_calls_fail_or_wait_as_the_budget_says() {
    let spent = balance(1000, 980, 0, 0);
    let late = "2026-11-24T12:01:00Z";
    for (on_deadline, want) in
        [("Fail", Step::Expire("nobody answered by 2026-11-24T12:01:00Z".into())), ("Wait", Step::Keep)]
    {
        let budget = asks(&json!({"deadlineSeconds": 60, "onDeadline": on_deadline}));
        let open = asked(after(&budget, &spent, &[call(1, 30)], None, NOON));
        let early = after(&budget, &spent, &[call(1, 30)], Some(&open), "2026-11-24T12:00:59Z");
        assert_eq!(early, Step::Keep);
        assert_eq!(after(&budget, &spent, &[call(1, 30)], Some(&open), late), want);
    }
}

/// `status/reason` of the condition, and its message.
fn told(budget: &Arc<Budget>, stood: Standing, now: &str) -> Option<(String, String)> {
    let seen = seen(budget, std::slice::from_ref(budget));
    let shown = status(&seen, &Ok(Some(stood)), at(now));
    assert_eq!(find(&shown.conditions, READY).unwrap().status, "True", "it does what it says");
    find(&shown.conditions, ANSWERED).map(|c| (format!("{}/{}", c.status, c.reason), c.message.clone()))
}

#[test]
fn the_status_tells_the_question_and_its_answer() {
    let budget = asks(&json!({"deadlineSeconds": 60, "onDeadline": "Fail"}));
    let spent = balance(1000, 980, 0, 0);
    let open = asked(after(&budget, &spent, &[call(1, 30)], None, NOON));
    let stood = |balance: &Balance, open: Option<&Question>, last: Option<&Closed>| Standing {
        balance: balance.clone(),
        open: open.cloned(),
        last: last.cloned(),
        spenders: None,
    };
    assert_eq!(told(&budget, stood(&spent, None, None), NOON), None);
    let (why, message) = told(&budget, stood(&spent, Some(&open), None), NOON).unwrap();
    assert_eq!(why, "False/QuestionOpen");
    assert_eq!(
        message,
        "1 task waits: $0.00001 missing for the next call. An approval adds $0.0001 for good: `golden approve \
         budget/daily -n shop` or `golden deny budget/daily -n shop`; what is not answered by \
         2026-11-24T12:01:00Z fails"
    );
    let seen = seen(&budget, std::slice::from_ref(&budget));
    let shown = status(&seen, &Ok(Some(stood(&spent, Some(&open), None))), at(NOON)).question.unwrap();
    assert_eq!((&shown.digest, shown.since.as_str()), (&open.digest, NOON));

    let closed = |outcome: Outcome| Closed {
        outcome: outcome.as_str().into(),
        digest: open.digest.clone(),
        period_start_us: None,
        grant_cost: 100,
        grant_tokens: 0,
        decision_uid: None,
        decided_by: Some("bob@example".into()),
        deadline_us: None,
    };
    let granted = Balance { granted_cost: 200, ..spent.clone() };
    let (why, message) = told(&budget, stood(&granted, None, Some(&closed(Outcome::Granted))), NOON).unwrap();
    assert_eq!(why, "True/MoreGranted");
    assert_eq!(message, "bob@example granted $0.0001; $0.0002 beside the limits for good");
    let denied = Balance { denied: Some("bob@example (decision no)".into()), ..spent.clone() };
    for (outcome, want) in [(Outcome::Denied, "True/MoreDenied"), (Outcome::Expired, "False/QuestionExpired")]
    {
        let (why, message) = told(&budget, stood(&denied, None, Some(&closed(outcome))), NOON).unwrap();
        assert_eq!(why, want);
        assert!(
            message.contains("bob@example (decision no)") && message.contains("spec.limits"),
            "{message}"
        );
    }
    // The next period knows nothing of it.
    let over = Balance { period_end_us: Some(0), denied: None, ..granted };
    assert_eq!(told(&budget, stood(&over, None, Some(&closed(Outcome::Granted))), NOON), None);
}

#[test]
fn what_is_granted_is_available_and_said() {
    let budget = asks(&json!({}));
    let seen = seen(&budget, std::slice::from_ref(&budget));
    let granted = Balance { granted_cost: 250_000, ..balance(1_000_000, 1_100_000, 0, 0) };
    let stood = Standing { balance: granted, open: None, last: None, spenders: None };
    let shown = status(&seen, &Ok(Some(stood)), at(NOON));
    assert_eq!(shown.spent.as_deref(), Some("$1.10 of $1.00 and $0.25 granted"));
    assert_eq!((shown.available_micro_usd, shown.granted_micro_usd), (Some(150_000), Some(250_000)));
    assert_eq!(find(&shown.conditions, READY).unwrap().reason, "Active");
}
