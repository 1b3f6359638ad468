//! One walk over the tokens.

use super::super::view::{Span, View};
use super::tokens::{Token, tokens};
use super::{injection, statement};

/// All findings, in order.
pub(in crate::sanitize) fn find(view: &View) -> Vec<Span> {
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
