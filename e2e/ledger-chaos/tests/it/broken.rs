//! Histories of a ledger that broke a promise: each is seen, and the same history without the break is not.

use golden_ledger_chaos::amount::{Amount, Both, Limit};
use golden_ledger_chaos::check::{Leases, Rows, check};
use golden_ledger_chaos::history::{
    Answer, Ask, Books, Call, Edit, Event, History, Moment, NEVER, Row, State, Story,
};

pub(crate) const MS: Moment = 1_000_000;
const LEASES: Leases = Leases { reserved: 2000 * MS, dispatched: 3000 * MS };
/// The task whose account 6 is under the root, account 0.
pub(crate) const TASK: usize = 3;
const LIMIT: Limit = Both { cost: Some(170), tokens: Some(170) };

/// Answered within a millisecond.
pub(crate) fn event(at: Moment, ask: Ask, answer: Answer) -> Event {
    Event { ask, answer, start: at * MS, end: at * MS + MS }
}

fn lost(at: Moment, ask: Ask) -> Event {
    Event { ask, answer: Answer::None, start: at * MS, end: NEVER }
}

pub(crate) fn said(state: State) -> Answer {
    Answer::State(state)
}

/// The whole.
pub(crate) fn granted(state: State) -> Answer {
    Answer::Granted { state, bound: None }
}

pub(crate) fn settle(amount: i64) -> Ask {
    Ask::Settle { used: same(amount) }
}

pub(crate) fn same(amount: i64) -> Amount {
    Both::same(amount)
}

/// Of a call with that bound.
pub(crate) fn row(state: State, bound: i64) -> Row {
    let actual = match state {
        State::Unknown => Both { cost: Some(bound), tokens: None },
        _ => Both::same(None),
    };
    Row { state, bound: same(bound), actual }
}

/// Settled at that.
pub(crate) fn ended(bound: i64, used: i64) -> Row {
    Row { actual: Both::same(Some(used)), ..row(State::Settled, bound) }
}

pub(crate) const RESERVE: Ask = Ask::Reserve { dispatch: false };

/// Reserved, dispatched, settled at 60 of 100.
fn settled(key: &str, at: Moment) -> (Story, Row) {
    let events = vec![
        event(at, RESERVE, granted(State::Reserved)),
        event(at + 10, Ask::Dispatch, said(State::Dispatched)),
        event(at + 20, settle(60), said(State::Settled)),
    ];
    let call = Call { key: key.into(), task: TASK, whole: same(100), least: None };
    (Story { call, events }, ended(100, 60))
}

/// The end of a round of these calls, with books that fit the rows.
pub(crate) struct End {
    pub(crate) history: History,
    rows: Rows,
    pub(crate) books: Vec<Books>,
}

impl End {
    pub(crate) fn of(calls: Vec<(Story, Option<Row>)>) -> Self {
        let edits = (0..7).map(|account| Edit { account, limit: LIMIT, start: 0, end: 0 }).collect();
        let (mut spent, mut rows, mut stories) = (same(0), Rows::new(), vec![]);
        for (story, row) in calls {
            if let Some(row) = row.filter(|row| row.state != State::Released) {
                spent.cost += row.actual.cost.unwrap_or(row.bound.cost);
                spent.tokens += row.actual.tokens.unwrap_or(row.bound.tokens);
            }
            rows.extend(row.map(|row| (story.call.key.clone(), row)));
            stories.push(story);
        }
        let none = same(0);
        let empty =
            Books { limit: LIMIT, spent: none, reserved: none, overage: none, committed_at_edit: none };
        let mut books = vec![empty; 7];
        for account in [0, 6] {
            books[account].spent = spent;
        }
        Self { history: History { stories, edits }, rows, books }
    }

    pub(crate) fn problems(&self) -> String {
        check(&self.history, &self.rows, &self.books, LEASES).join("\n")
    }
}

fn one(change: impl FnOnce(&mut Story, &mut Option<Row>)) -> String {
    let (mut story, row) = settled("a", 10);
    let mut row = Some(row);
    change(&mut story, &mut row);
    End::of(vec![(story, row)]).problems()
}

#[test]
fn a_history_of_a_ledger_that_kept_its_promises_has_no_problem() {
    assert_eq!(one(|_, _| {}), "");
    let two =
        End::of(vec![settled("a", 10), settled("b", 50)].into_iter().map(|(s, r)| (s, Some(r))).collect());
    assert_eq!(two.problems(), "", "40 of the first came back before the second was granted");
}

#[test]
fn an_unanswered_question_may_have_happened_or_not() {
    for row in [ended(100, 60), row(State::Unknown, 100)] {
        let problems = one(|story, end| {
            story.events[2] = lost(30, settle(60));
            *end = Some(row);
        });
        assert_eq!(problems, "");
    }
}

#[test]
fn a_lost_settlement_is_seen() {
    let problems = one(|_, end| *end = Some(row(State::Unknown, 100)));
    assert!(problems.contains("no order explains"), "{problems}");
}

#[test]
fn a_second_report_that_counts_is_seen() {
    let again = |cost| {
        one(move |story, end| {
            story.events.push(event(40, settle(90), said(State::Settled)));
            *end = Some(ended(100, cost));
        })
    };
    assert_eq!(again(60), "");
    assert!(again(90).contains("no order explains"));
}

#[test]
fn a_lost_reservation_is_seen() {
    assert!(one(|_, row| *row = None).contains("no order explains"));
}

#[test]
fn money_that_came_back_after_its_dispatch_is_seen() {
    let problems = one(|story, end| {
        story.events.truncate(2);
        story.events.push(event(40, Ask::Release, said(State::Released)));
        *end = Some(row(State::Released, 100));
    });
    assert!(problems.contains("no order explains"), "{problems}");
}

#[test]
fn a_lease_that_ends_too_early_is_seen() {
    let refused_at = |at| {
        one(move |story, end| {
            story.events.truncate(1);
            story.events.push(event(at, Ask::Dispatch, Answer::Conflict));
            *end = Some(row(State::Released, 100));
        })
    };
    assert_eq!(refused_at(2500), "", "its two seconds were over");
    assert!(refused_at(500).contains("no order explains"));
}

#[test]
fn a_grant_above_the_limit_is_seen_even_if_the_books_hide_it() {
    let (mut a, row) = settled("a", 10);
    // Nobody asked to settle the first before the second was granted: 100 of 170 were gone.
    a.events[2] = event(500, settle(40), said(State::Settled));
    let row_a = Row { actual: Both::same(Some(40)), ..row };
    let (b, row_b) = settled("b", 100);
    let end = End::of(vec![(a, Some(row_a)), (b, Some(row_b))]);
    let problems = end.problems();
    assert!(
        problems.contains("overspend: account 0") && problems.contains("overspend: account 6"),
        "{problems}"
    );
    let mut raised = end;
    for edit in raised.history.edits.clone() {
        raised.history.edits.push(Edit {
            limit: Both::same(Some(200)),
            start: 40 * MS,
            end: 60 * MS,
            ..edit
        });
    }
    for books in &mut raised.books {
        books.limit = Both::same(Some(200));
    }
    assert_eq!(raised.problems(), "", "the limit was raised between the two");
}

#[test]
fn books_that_are_not_the_sum_of_their_rows_are_seen() {
    let (story, row) = settled("a", 10);
    let mut end = End::of(vec![(story, Some(row))]);
    end.books[6].spent.cost += 60;
    let problems = end.problems();
    assert!(problems.contains("account 6 has spent 120 micro-dollars"), "charged twice: {problems}");
    end.books[6].spent.cost -= 60;
    end.books[0].reserved.tokens = 100;
    let problems = end.problems();
    assert!(problems.contains("account 0 holds 100 tokens"), "{problems}");
}

#[test]
fn a_reservation_of_no_call_and_an_answer_of_no_contract_are_seen() {
    let (story, row) = settled("a", 10);
    let mut end = End::of(vec![(story, Some(row))]);
    end.rows.insert("stranger".into(), row);
    assert!(end.problems().contains("1 reservations are of no call"));
    let problems = one(|story, _| story.events.push(event(50, RESERVE, Answer::Strange("500 oh".into()))));
    assert!(problems.contains("was answered 500 oh"), "{problems}");
}
