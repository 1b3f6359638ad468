//! What a shell would run: substitutions, pipes into a shell, removals, redirections into the system, programs chained
//! to a value.
//!
//! Names of programs are also words (`; find the cause`, `| sort |`), and Markdown quotes with backticks, so a name
//! counts only where a shell would start it and with what looks like its arguments.

mod line;
mod rules;
mod words;

use super::view::{Span, View};
use line::Line;

/// All findings, in order. No finding goes beyond its line.
pub(super) fn find(view: &View) -> Vec<Span> {
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
