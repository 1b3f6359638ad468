//! Histories of a ledger that broke a promise about calls that can be made with less: each is seen, and the same
//! history without the break is not.

use crate::broken::{End, MS, RESERVE, TASK, ended, event, granted, row, said, same, settle};
use golden_ledger_chaos::amount::{Amount, Both};
use golden_ledger_chaos::history::{Answer, Ask, Call, Edit, Row, State, Story};

fn lowered(state: State, bound: Amount) -> Answer {
    Answer::Granted { state, bound: Some(bound) }
}

/// Granted 50 of 20 to 100, dispatched, settled at that.
fn share(key: &str, at: u64, used: i64) -> (Story, Row) {
    let events = vec![
        event(at, RESERVE, lowered(State::Reserved, same(50))),
        event(at + 10, Ask::Dispatch, said(State::Dispatched)),
        event(at + 20, settle(used), said(State::Settled)),
    ];
    let call = Call { key: key.into(), task: TASK, whole: same(100), least: Some(same(20)) };
    (Story { call, events }, ended(50, used))
}

fn end(calls: Vec<(Story, Row)>) -> End {
    End::of(calls.into_iter().map(|(story, row)| (story, Some(row))).collect())
}

fn one(change: impl FnOnce(&mut Story, &mut Row)) -> String {
    let (mut story, mut row) = share("a", 10, 30);
    change(&mut story, &mut row);
    end(vec![(story, row)]).problems()
}

#[test]
fn a_bound_between_the_least_and_the_whole_that_is_told_again_is_no_problem() {
    assert_eq!(one(|_, _| {}), "");
    let again = one(|story, _| {
        story.events.insert(1, event(15, RESERVE, lowered(State::Reserved, same(50))));
        story.events.push(event(50, RESERVE, lowered(State::Settled, same(50))));
        story.events.push(event(60, RESERVE, granted(State::Settled)));
    });
    assert_eq!(again, "", "of a call that has ended the bound may be left out");
}

#[test]
fn a_bound_outside_of_the_range_is_seen_in_each_part() {
    for bound in [
        Both { cost: 19, tokens: 50 },
        Both { cost: 50, tokens: 19 },
        Both { cost: 101, tokens: 50 },
        Both { cost: 50, tokens: 101 },
    ] {
        let problems = one(|story, row| {
            story.events[0].answer = lowered(State::Reserved, bound);
            row.bound = bound;
        });
        assert!(problems.contains("is not between"), "{bound:?}: {problems}");
    }
}

#[test]
fn less_than_the_whole_for_a_call_that_is_all_or_nothing_is_seen() {
    assert!(one(|story, _| story.call.least = None).contains("is not between"));
}

#[test]
fn a_bound_that_is_told_and_not_kept_is_seen() {
    let whole_kept = one(|_, row| row.bound = same(100));
    assert!(whole_kept.contains("no order explains"), "{whole_kept}");
    let less_kept = one(|story, _| story.events[0].answer = granted(State::Reserved));
    assert!(less_kept.contains("no order explains"), "{less_kept}");
}

#[test]
fn a_duplicate_that_is_told_another_bound_is_seen() {
    for told in [granted(State::Dispatched), lowered(State::Dispatched, Both { cost: 50, tokens: 49 })] {
        let problems = one(|story, _| story.events.insert(2, event(25, RESERVE, told.clone())));
        assert!(problems.contains("no order explains"), "{told:?}: {problems}");
    }
    let problems = one(|story, _| story.events.push(event(50, RESERVE, lowered(State::Settled, same(100)))));
    assert!(problems.contains("no order explains"), "{problems}");
}

#[test]
fn a_least_that_makes_no_sense_is_refused_and_a_grant_of_it_is_seen() {
    for least in [same(101), Both { cost: 20, tokens: 101 }, Both { cost: -1, tokens: 0 }] {
        let (mut story, row) = share("a", 10, 30);
        story.call.least = Some(least);
        let problems = end(vec![(story.clone(), row)]).problems();
        assert!(!problems.is_empty(), "{least:?} was granted");
        story.events = vec![
            event(10, RESERVE, Answer::Invalid),
            event(20, Ask::Dispatch, Answer::NotFound),
            event(30, RESERVE, Answer::Invalid),
        ];
        assert_eq!(End::of(vec![(story.clone(), None)]).problems(), "");
        story.events.push(event(40, RESERVE, Answer::Exhausted));
        assert!(End::of(vec![(story, None)]).problems().contains("no order explains"), "{least:?}");
    }
    let sound = one(|story, _| story.events[0].answer = Answer::Invalid);
    assert!(sound.contains("no order explains"), "one that makes sense was refused: {sound}");
}

#[test]
fn what_counts_as_spent_of_an_unknown_end_is_what_was_granted() {
    let lost = |charged| {
        let (mut story, _) = share("a", 10, 30);
        story.events[2] = event(30, Ask::Abandon, said(State::Unknown));
        let actual = Both { cost: Some(charged), tokens: None };
        end(vec![(story, Row { actual, ..row(State::Unknown, 50) })]).problems()
    };
    assert_eq!(lost(50), "");
    assert!(lost(100).contains("no order explains"), "the whole was charged");
}

#[test]
fn an_account_that_gives_back_another_bound_than_was_granted_is_seen() {
    let (mut story, _) = share("a", 10, 30);
    story.events.truncate(1);
    story.events.push(event(20, Ask::Release, said(State::Released)));
    let mut end = end(vec![(story, row(State::Released, 50))]);
    assert_eq!(end.problems(), "");
    end.books[6].reserved.cost = 50;
    assert!(
        end.problems().contains("account 6 holds 50 micro-dollars"),
        "the whole was held, the share came back"
    );
}

#[test]
fn a_grant_above_one_limit_is_seen_by_the_bound_that_was_told() {
    let mut end = end((0..4).map(|n| share(&format!("k{n}"), 10 + n, 0)).collect());
    let problems = end.problems();
    assert_eq!(problems, "", "nobody knows of the others' dispatches before the last grant");
    for (n, story) in end.history.stories.iter_mut().enumerate() {
        let at = 10 + 30 * n as u64;
        story.events[0] = event(at, RESERVE, lowered(State::Dispatched, same(50)));
        story.events[1] = event(at + 10, Ask::Dispatch, said(State::Dispatched));
        story.events[2] = event(500 + at, settle(0), said(State::Settled));
    }
    for story in &mut end.history.stories {
        if let Ask::Reserve { dispatch } = &mut story.events[0].ask {
            *dispatch = true;
        }
    }
    let problems = end.problems();
    assert!(problems.contains("granted 50 tokens to k3"), "{problems}");
    assert!(!problems.contains("to k2"), "three times 50 fit: {problems}");
    for edit in &mut end.history.edits {
        edit.limit.tokens = Some(200);
    }
    for books in &mut end.books {
        books.limit.tokens = Some(200);
    }
    let problems = end.problems();
    assert!(
        problems.contains("granted 50 micro-dollars to k3") && !problems.contains("tokens to"),
        "{problems}"
    );
}

/// One that used 80 of 50, with books that say so; then another.
fn beyond() -> End {
    let mut end = end(vec![share("a", 10, 80), share("b", 100, 30)]);
    for account in [0, 6] {
        (end.books[account].spent, end.books[account].overage) = (same(80), same(30));
    }
    end
}

fn edited(mut end: End, at: u64) -> End {
    let limit = Both::same(Some(171));
    for account in [0, 6] {
        end.history.edits.push(Edit { account, limit, start: at * MS, end: (at + 1) * MS });
        let books = &mut end.books[account];
        (books.limit, books.spent, books.overage) = (limit, same(110), same(0));
    }
    end
}

#[test]
fn a_grant_after_a_settlement_above_the_granted_bound_is_seen_until_somebody_edits_the_account() {
    let problems = beyond().problems();
    assert!(problems.contains("account 6 granted b at 100 ms, with an overage since 31 ms"), "{problems}");
    assert_eq!(edited(beyond(), 50).problems(), "");
    assert!(edited(beyond(), 5).problems().contains("granted b"), "that edit did not see it");
    assert!(edited(beyond(), 200).problems().contains("granted b"), "that edit came later");
}

#[test]
fn an_overage_that_is_measured_by_the_whole_is_seen() {
    let (story, row) = share("a", 10, 80);
    let mut end = end(vec![(story, row)]);
    let problems = end.problems();
    assert!(problems.contains("account 6 has 0 tokens over for calls that went 30 beyond"), "{problems}");
    for account in [0, 6] {
        (end.books[account].spent, end.books[account].overage) = (same(50), same(30));
    }
    assert_eq!(end.problems(), "");
    for account in [0, 6] {
        (end.books[account].spent, end.books[account].overage) = (same(40), same(40));
    }
    assert!(end.problems().contains("went 30 beyond what they were granted"), "more than was over");
}
