//! An account's columns against the rows it paid for, and against its last edit.

use super::Rows;
use crate::amount::Part;
use crate::history::{Books, History, Row, State};

pub(super) fn check(
    history: &History,
    rows: &Rows,
    account: usize,
    books: &Books,
    paid: impl Fn(usize) -> bool,
) -> Vec<String> {
    let stories = history.stories.iter().filter(|story| paid(story.call.task));
    let paid: Vec<&Row> = stories.filter_map(|story| rows.get(&story.call.key)).collect();
    let mut problems: Vec<String> =
        Part::ALL.into_iter().flat_map(|part| columns(account, books, &paid, part)).collect();
    let last = history.edits.iter().rfind(|edit| edit.account == account);
    if last.is_some_and(|edit| edit.limit != books.limit) {
        problems.push(format!("account {account} has the limits {:?} after {last:?}", books.limit));
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
