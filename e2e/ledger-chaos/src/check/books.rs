//! An account's columns against the rows it paid for, and against its last edit.

use super::Rows;
use crate::history::{Books, History, State};

pub(super) fn check(
    history: &History,
    rows: &Rows,
    account: usize,
    books: &Books,
    paid: impl Fn(usize) -> bool,
) -> Vec<String> {
    let (mut held, mut used) = (0, 0);
    let stories = history.stories.iter().filter(|story| paid(story.call.task));
    for row in stories.filter_map(|story| rows.get(&story.call.key)) {
        match row.state {
            State::Reserved | State::Dispatched => held += row.bound,
            State::Settled | State::Unknown => used += row.actual.unwrap_or(row.bound),
            State::Released => {}
        }
    }
    let mut problems = vec![];
    if books.reserved != held {
        problems.push(format!("account {account} holds {} for calls that hold {held}", books.reserved));
    }
    if books.spent + books.overage != used {
        let (spent, overage) = (books.spent, books.overage);
        problems.push(format!(
            "account {account} has spent {spent} and {overage} over for calls that cost {used}"
        ));
    }
    let last = history.edits.iter().rfind(|edit| edit.account == account);
    if last.is_some_and(|edit| edit.limit != books.limit) {
        problems.push(format!("account {account} has the limit {:?} after {last:?}", books.limit));
    }
    let committed = books.spent + books.reserved;
    if books.limit.is_some_and(|limit| committed > limit.max(books.committed_at_edit)) {
        problems.push(format!("overspend: account {account} ends at {committed}: {books:?}"));
    }
    problems
}
