//! Whether a history can be true of a ledger that keeps its promises, judged without the ledger's own code.

mod books;
mod keys;
mod money;
mod overage;

use crate::history::{Answer, Ask, Books, Edit, History, Moment, Row, Story};
use crate::world::PATHS;
use std::collections::BTreeMap;

/// Reservations as Postgres has them in the end, by key.
pub type Rows = BTreeMap<String, Row>;

/// How long the ledger waits to hear of a call again, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Leases {
    pub reserved: Moment,
    pub dispatched: Moment,
}

/// Everything that does not fit, in words. Empty means that every promise was kept.
pub fn check(history: &History, rows: &Rows, books: &[Books], leases: Leases) -> Vec<String> {
    let mut problems = vec![];
    let mut known = 0;
    for story in &history.stories {
        let row = rows.get(&story.call.key);
        known += usize::from(row.is_some());
        problems.extend(keys::check(story, row, leases));
        for event in &story.events {
            if let Answer::Strange(answer) = &event.answer {
                problems.push(format!("{}: {:?} was answered {answer}", story.call.key, event.ask));
            }
        }
    }
    if known != rows.len() {
        problems.push(format!("{} reservations are of no call that was made", rows.len() - known));
    }
    for (number, books) in books.iter().enumerate() {
        let account = Account::of(history, number, books);
        problems.extend(money::check(&account));
        problems.extend(books::check(&account, rows));
        problems.extend(overage::check(&account, rows));
    }
    problems
}

/// What concerns one account.
struct Account<'a> {
    number: usize,
    /// Of the calls that it pays for.
    stories: Vec<&'a Story>,
    edits: Vec<&'a Edit>,
    /// As Postgres has it in the end.
    books: &'a Books,
}

impl<'a> Account<'a> {
    fn of(history: &'a History, number: usize, books: &'a Books) -> Self {
        let pays = |task: usize| PATHS.get(task).is_some_and(|path| path.contains(&number));
        Self {
            number,
            stories: history.stories.iter().filter(|story| pays(story.call.task)).collect(),
            edits: history.edits.iter().filter(|edit| edit.account == number).collect(),
            books,
        }
    }
}

/// When a call's grant was made: between the first question and the first answer that says so.
fn granted(story: &Story) -> Option<(Moment, Moment)> {
    let reserves = || story.events.iter().filter(|e| matches!(e.ask, Ask::Reserve { .. }));
    let to = reserves().filter(|e| e.answer.state().is_some()).map(|e| e.end).min()?;
    Some((reserves().map(|e| e.start).min()?, to))
}
