//! A text without the characters by which its findings would take effect.
//!
//! One pass takes those characters out of the findings; where two others would then touch, a space stands between
//! them, so that nothing new is spelled. What is taken away can still change how the rest reads, so passes follow
//! until one changes nothing. A text made to outlast [`PASSES`] of them loses all such characters: the result is always
//! one that another pass does not change, and the work stays linear.

use super::report::{Finding, Kind, findings};
use super::view::{Span, View};

const PASSES: usize = 4;

/// Neutralises `text`, of which `raw` are all findings.
pub(super) fn neutralise(text: &str, raw: Vec<Finding>) -> String {
    let (mut text, mut raw) = (text.to_owned(), raw);
    for _ in 0..PASSES {
        let active = active(&text, &raw);
        if active.is_empty() {
            return text;
        }
        text = without(&text, &active);
        raw = findings(&text);
    }
    if active(&text, &raw).is_empty() { text } else { stripped(&text) }
}

/// Stretches of the text to take away: sorted, without overlap.
fn active(text: &str, raw: &[Finding]) -> Vec<Span> {
    let (plain, markup) = (View::plain(text), View::markup(text));
    let mut spans = Vec::new();
    for finding in raw {
        let view = if finding.kind == Kind::Script { &markup } else { &plain };
        let (from, to) = (view.character(finding.start), view.character(finding.end));
        let acts = (from..to).filter(|at| acts(finding.kind, view, *at));
        spans.extend(acts.map(|at| (view.source(at), view.source(at + 1))));
    }
    spans.sort_unstable();
    spans
}

/// Whether a character of a finding is one by which it takes effect.
fn acts(kind: Kind, view: &View, at: usize) -> bool {
    let byte = view.at(at);
    match kind {
        Kind::Sql => match byte {
            b';' | b'\'' | b'"' | b'`' | b'#' | b'\\' => true,
            b'-' => view.at(at + 1) == b'-' || view.before(at) == b'-',
            b'/' => view.at(at + 1) == b'*' || view.before(at) == b'*',
            b'*' => view.at(at + 1) == b'/' || view.before(at) == b'/',
            _ => false,
        },
        Kind::Script => matches!(byte, b'<' | b'>' | b'"' | b'\'' | b'`' | b'=' | b':'),
        Kind::Command => matches!(
            byte,
            b';' | b'|' | b'&' | b'$' | b'`' | b'<' | b'>' | b'(' | b')' | b'"' | b'\'' | b'\\'
        ),
    }
}

/// Every character that acts in a finding of any kind, and those that spell one in disguise.
fn stripped(text: &str) -> String {
    let view = View::markup(text);
    let of = |at: &usize| {
        let byte = view.at(*at);
        let hyphens = byte == b'-' && (view.at(at + 1) == b'-' || view.before(*at) == b'-');
        hyphens
            || matches!(byte, b';' | b'\'' | b'"' | b'`' | b'#' | b'\\' | b'*' | b'<' | b'>' | b'=' | b':')
            || matches!(byte, b'|' | b'&' | b'$' | b'(' | b')' | b'%')
    };
    let spans: Vec<Span> =
        (0..view.len()).filter(of).map(|at| (view.source(at), view.source(at + 1))).collect();
    without(text, &spans)
}

/// The text without `spans`, which are sorted and may repeat.
fn without(text: &str, spans: &[Span]) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut read = 0;
    for (from, to) in spans {
        push(&mut kept, text.get(read..*from).unwrap_or_default(), read > 0);
        read = read.max(*to);
    }
    push(&mut kept, text.get(read..).unwrap_or_default(), read > 0);
    kept
}

/// Appends what stands behind a gap (`gap`: there is one), with a space where two characters would touch.
fn push(kept: &mut String, part: &str, gap: bool) {
    let touches = part.chars().next().is_some_and(|c| !c.is_whitespace());
    if gap && touches && kept.chars().next_back().is_some_and(|c| !c.is_whitespace()) {
        kept.push(' ');
    }
    kept.push_str(part);
}
