//! An account's columns against the rows it paid for, and against its last edit.

use super::{Account, Rows};
use crate::amount::Part;
use crate::history::{Books, Row, State};

pub(super) fn check(account: &Account, rows: &Rows) -> Vec<String> {
    let paid: Vec<&Row> = account.stories.iter().filter_map(|story| rows.get(&story.call.key)).collect();
    let (number, books) = (account.number, account.books);
    let mut problems: Vec<String> =
        Part::ALL.into_iter().flat_map(|part| columns(number, books, &paid, part)).collect();
    if let Some(last) = account.edits.last().filter(|edit| edit.limit != books.limit) {
        problems.push(format!("account {number} has the limits {:?} after {last:?}", books.limit));
    }
    problems
}

/// The columns of one part.
fn columns(account: usize, books: &Books, paid: &[&Row], part: Part) -> Vec<String> {
    let (mut held, mut used, mut beyond) = (0, 0, 0);
    for row in paid {
        let bound = row.bound.of(part);
        match row.state {
            State::Reserved | State::Dispatched => held += bound,
            State::Settled | State::Unknown => {
                let actual = row.actual.of(part).unwrap_or(bound);
                used += actual;
                beyond += (actual - bound).max(0);
            }
            State::Released => {}
        }
    }
    let (spent, reserved) = (books.spent.of(part), books.reserved.of(part));
    let (overage, unit) = (books.overage.of(part), part.unit());
    let mut problems = vec![];
    if reserved != held {
        problems.push(format!("account {account} holds {reserved} {unit} for calls that hold {held}"));
    }
    if spent + overage != used {
        problems.push(format!(
            "account {account} has spent {spent} {unit} and {overage} over for calls that used {used}"
        ));
    }
    // Less where an edit has made some of it spent.
    if overage > beyond {
        problems.push(format!(
            "account {account} has {overage} {unit} over for calls that went {beyond} beyond what they were granted"
        ));
    }
    let committed = spent + reserved;
    let allowed = books.limit.of(part).map(|limit| limit.max(books.committed_at_edit.of(part)));
    if allowed.is_some_and(|allowed| committed > allowed) {
        problems.push(format!("overspend: account {account} ends at {committed} {unit}: {books:?}"));
    }
    problems
}
