//! The telling part of a run's output, bounded.
//!
//! Output that fits is kept whole. Of longer output of a tool whose report is known, its failures and what it says of all of
//! them, as [`report`] has it; of anything else the end, where most tools say what went wrong.

mod cargo;
mod eslint;
mod go;
mod jest;
mod pytest;
mod report;
mod tsc;
mod vitest;

use report::Report;

/// Longest excerpt, in bytes.
pub const MAX_EXCERPT_BYTES: usize = 4096;

/// What marks a cut.
const CUT: &str = "[…]\n";

/// Reads a tool's report from the lines of its output; none if no failure is told there in that tool's way.
type Format = for<'a> fn(&'a [&'a str]) -> Option<Report<'a>>;

/// The first that finds a failure is believed: each looks for lines that the others do not write.
const FORMATS: [Format; 7] =
    [pytest::read, cargo::read, go::read, vitest::read, jest::read, tsc::read, eslint::read];

/// The telling part of the output as plain text: no control characters but line breaks and tabs.
pub fn excerpt(output: &[u8]) -> String {
    let text = plain(&String::from_utf8_lossy(output));
    if text.trim_end().len() <= MAX_EXCERPT_BYTES {
        return text.trim_end().to_owned();
    }
    let lines: Vec<&str> = text.lines().collect();
    FORMATS
        .iter()
        .find_map(|read| read(&lines))
        .map_or_else(|| tail(&text, MAX_EXCERPT_BYTES), |report| report.within(MAX_EXCERPT_BYTES))
}

/// Drops terminal escapes and control characters, and normalises line ends.
fn plain(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // ESC [ … letter: colours and cursor movement.
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.next();
                while chars.next_if(|c| !c.is_ascii_alphabetic() && *c != '\n').is_some() {}
                chars.next_if(char::is_ascii_alphabetic);
            }
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' => clean.push('\n'),
            '\n' | '\t' => clean.push(c),
            c if c.is_control() || is_direction_override(c) => {}
            c => clean.push(c),
        }
    }
    clean
}

/// Characters that make text look other than it is.
fn is_direction_override(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The end of a text within `max` bytes, from the start of a line where one is near.
fn tail(text: &str, max: usize) -> String {
    let text = text.trim_end();
    if text.len() <= max {
        return text.to_owned();
    }
    let mut from = text.len() - max.saturating_sub(CUT.len());
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let kept = text.get(from..).unwrap_or_default();
    let kept =
        kept.split_once('\n').map_or(kept, |(first, rest)| if first.len() < 200 { rest } else { kept });
    format!("{CUT}{kept}")
}
