//! Statements of SQL in a text, and values that break out of one.
//!
//! Prose uses the same words as SQL ("select the best option from the list"), so words alone are no finding: what
//! follows a verb must parse as a statement, its names must not be words that only prose uses, and what could still be
//! either counts only where a statement can stand and ends as one.

mod cursor;
mod injection;
mod query;
mod statement;
mod tokens;
mod verbs;
mod words;

use super::view::{Span, View};
use tokens::{Token, tokens};

/// All findings, in order.
pub(super) fn find(view: &View) -> Vec<Span> {
    let tokens = tokens(view);
    let mut spans = Vec::new();
    let (mut at, mut free) = (0, 0);
    while at < tokens.len() {
        let end = injection::end(view, &tokens, at).or_else(|| statement::end(view, &tokens, at));
        match end {
            Some(end) if end > at => {
                let from = statement::begin(&tokens, at, free);
                spans.extend(span(&tokens, from, end));
                (at, free) = (end, end);
            }
            _ => at += 1,
        }
    }
    spans
}

fn span(tokens: &[Token], from: usize, end: usize) -> Option<Span> {
    Some((tokens.get(from)?.start(), tokens.get(end.checked_sub(1)?)?.end()))
}
