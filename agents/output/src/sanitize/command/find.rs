//! One walk over the characters.

use super::super::view::{Span, View};
use super::line::Line;
use super::rules;

/// All findings, in order. No finding goes beyond its line.
pub(in crate::sanitize) fn find(view: &View) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let (mut at, mut free) = (0, 0);
    let mut line = Line::default();
    while at < view.len() {
        line.step(view, at);
        match rules::found(view, at, &line) {
            Some((from, to)) if to > at => {
                let from = from.max(free);
                spans.push((from, to));
                line.skip(view, at, to);
                (at, free) = (to, to);
            }
            _ => at += 1,
        }
    }
    spans
}
