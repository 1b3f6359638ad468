//! The one function and what it answers.

use super::decode::Decoded;
use super::neutral::neutralise;
use super::view::{Span, View};
use super::{command, script, sql};
use serde::{Deserialize, Serialize};

/// Largest input, in bytes.
pub const MAX_INPUT: usize = 8 * 1024 * 1024;

/// What a finding would be, if something ran it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A statement of SQL, or a value that breaks out of one.
    Sql,
    /// What a browser runs: a script tag, an event handler attribute, a `javascript:` URL.
    Script,
    /// What a shell runs.
    Command,
}

/// A stretch of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub kind: Kind,
    /// Offset of its first byte in the input.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sanitized {
    /// In order of their place, without overlap.
    pub findings: Vec<Finding>,
    /// The input as text, without the characters by which its findings would take effect. Bytes that are no UTF-8
    /// are U+FFFD. Neutralising it again changes nothing.
    pub neutralised: String,
}

/// The input is larger than [`MAX_INPUT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the input has more than {MAX_INPUT} bytes; sanitize it in parts, cut where no finding can stand")]
pub struct TooLarge;

/// Finds SQL, script and commands in `input` and neutralises them.
pub fn sanitize(input: &[u8]) -> Result<Sanitized, TooLarge> {
    if input.len() > MAX_INPUT {
        return Err(TooLarge);
    }
    let decoded = Decoded::new(input);
    let raw = findings(decoded.text());
    let findings = apart(&raw)
        .into_iter()
        .map(|f| Finding { kind: f.kind, start: decoded.offset(f.start), end: decoded.offset(f.end) })
        .collect();
    Ok(Sanitized { findings, neutralised: neutralise(decoded.text(), raw) })
}

/// All findings of a text, which may overlap. Offsets are the text's.
pub(super) fn findings(text: &str) -> Vec<Finding> {
    let plain = View::plain(text);
    let markup = View::markup(text);
    let of = |kind: Kind, view: &View, spans: Vec<Span>| -> Vec<Finding> {
        let found = |(from, to): Span| Finding { kind, start: view.source(from), end: view.source(to) };
        spans.into_iter().map(found).collect()
    };
    let mut all = of(Kind::Sql, &plain, sql::find(&plain));
    all.extend(of(Kind::Script, &markup, script::find(&markup)));
    all.extend(of(Kind::Command, &plain, command::find(&plain)));
    all
}

/// The same stretches without overlap: where two kinds meet the earlier one keeps its bytes, and the rest of the
/// later one stays a finding; two of one kind become one.
fn apart(findings: &[Finding]) -> Vec<Finding> {
    let mut sorted = findings.to_vec();
    sorted.sort_by_key(|f| (f.start, std::cmp::Reverse(f.end), f.kind));
    let mut kept: Vec<Finding> = Vec::with_capacity(sorted.len());
    for mut finding in sorted {
        if let Some(last) = kept.last_mut()
            && finding.start < last.end
        {
            if finding.kind == last.kind {
                last.end = last.end.max(finding.end);
                continue;
            }
            finding.start = last.end;
        }
        if finding.start < finding.end {
            kept.push(finding);
        }
    }
    kept
}
