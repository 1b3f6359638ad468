//! Histories of a ledger that broke a promise: each is seen, and the same history without the break is not.

use golden_ledger_chaos::check::{Leases, Rows, check};
use golden_ledger_chaos::history::{
    Answer, Ask, Books, Call, Edit, Event, History, Moment, NEVER, Row, State, Story,
};

const MS: Moment = 1_000_000;
const LEASES: Leases = Leases { reserved: 2000 * MS, dispatched: 3000 * MS };
/// The task whose account 6 is under the root, account 0.
const TASK: usize = 3;
const LIMIT: i64 = 170;

/// Answered within a millisecond.
fn event(at: Moment, ask: Ask, answer: Answer) -> Event {
    Event { ask, answer, start: at * MS, end: at * MS + MS }
}

fn lost(at: Moment, ask: Ask) -> Event {
    Event { ask, answer: Answer::None, start: at * MS, end: NEVER }
}

fn said(state: State) -> Answer {
    Answer::State(state)
}

const RESERVE: Ask = Ask::Reserve { dispatch: false };

/// Reserved, dispatched, settled at 60 of 100.
fn settled(key: &str, at: Moment) -> (Story, Row) {
    let events = vec![
        event(at, RESERVE, said(State::Reserved)),
        event(at + 10, Ask::Dispatch, said(State::Dispatched)),
        event(at + 20, Ask::Settle { cost: 60 }, said(State::Settled)),
    ];
    let call = Call { key: key.into(), task: TASK, bound: 100 };
    (Story { call, events }, Row { state: State::Settled, bound: 100, actual: Some(60) })
}

/// The end of a round of these calls, with books that fit the rows.
struct End {
    history: History,
    rows: Rows,
    books: Vec<Books>,
}

impl End {
    fn of(calls: Vec<(Story, Option<Row>)>) -> Self {
        let edits = (0..7).map(|account| Edit { account, limit: Some(LIMIT), start: 0, end: 0 }).collect();
        let (mut spent, mut rows, mut stories) = (0, Rows::new(), vec![]);
        for (story, row) in calls {
            spent += row.and_then(|row| row.actual).unwrap_or(0);
            rows.extend(row.map(|row| (story.call.key.clone(), row)));
            stories.push(story);
        }
        let empty = Books { limit: Some(LIMIT), spent: 0, reserved: 0, overage: 0, committed_at_edit: 0 };
        let mut books = vec![empty; 7];
        for account in [0, 6] {
            books[account].spent = spent;
        }
        Self { history: History { stories, edits }, rows, books }
    }

    fn problems(&self) -> String {
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
    for row in [
        Row { state: State::Settled, bound: 100, actual: Some(60) },
        Row { state: State::Unknown, bound: 100, actual: Some(100) },
    ] {
        let problems = one(|story, end| {
            story.events[2] = lost(30, Ask::Settle { cost: 60 });
            *end = Some(row);
        });
        assert_eq!(problems, "");
    }
}

#[test]
fn a_lost_settlement_is_seen() {
    let problems = one(|_, row| *row = Some(Row { state: State::Unknown, bound: 100, actual: Some(100) }));
    assert!(problems.contains("no order explains"), "{problems}");
}

#[test]
fn a_second_report_that_counts_is_seen() {
    let again = |cost| {
        one(move |story, row| {
            story.events.push(event(40, Ask::Settle { cost: 90 }, said(State::Settled)));
            *row = Some(Row { state: State::Settled, bound: 100, actual: Some(cost) });
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
    let problems = one(|story, row| {
        story.events.truncate(2);
        story.events.push(event(40, Ask::Release, said(State::Released)));
        *row = Some(Row { state: State::Released, bound: 100, actual: None });
    });
    assert!(problems.contains("no order explains"), "{problems}");
}

#[test]
fn a_lease_that_ends_too_early_is_seen() {
    let refused_at = |at| {
        one(move |story, row| {
            story.events.truncate(1);
            story.events.push(event(at, Ask::Dispatch, Answer::Conflict));
            *row = Some(Row { state: State::Released, bound: 100, actual: None });
        })
    };
    assert_eq!(refused_at(2500), "", "its two seconds were over");
    assert!(refused_at(500).contains("no order explains"));
}

#[test]
fn a_grant_above_the_limit_is_seen_even_if_the_books_hide_it() {
    let (mut a, row) = settled("a", 10);
    // Nobody asked to settle the first before the second was granted: 100 of 170 were gone.
    a.events[2] = event(500, Ask::Settle { cost: 40 }, said(State::Settled));
    let row_a = Row { actual: Some(40), ..row };
    let (b, row_b) = settled("b", 100);
    let end = End::of(vec![(a, Some(row_a)), (b, Some(row_b))]);
    let problems = end.problems();
    assert!(
        problems.contains("overspend: account 0") && problems.contains("overspend: account 6"),
        "{problems}"
    );
    let mut raised = end;
    for edit in raised.history.edits.clone() {
        raised.history.edits.push(Edit { limit: Some(200), start: 40 * MS, end: 60 * MS, ..edit });
    }
    for books in &mut raised.books {
        books.limit = Some(200);
    }
    assert_eq!(raised.problems(), "", "the limit was raised between the two");
}

#[test]
fn books_that_are_not_the_sum_of_their_rows_are_seen() {
    let (story, row) = settled("a", 10);
    let mut end = End::of(vec![(story, Some(row))]);
    end.books[6].spent += 60;
    let problems = end.problems();
    assert!(problems.contains("account 6 has spent 120"), "charged twice: {problems}");
    end.books[6].spent -= 60;
    end.books[0].reserved = 100;
    let problems = end.problems();
    assert!(problems.contains("account 0 holds 100"), "{problems}");
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
