//! The telling part of a run's output, bounded.
//!
//! Output that fits is kept whole. Of longer output of pytest: the last of its failing sections that fit and the short
//! summary, which name the tests, the assertions and the values. Of anything else the end, where most tools say what
//! went wrong.

/// Longest excerpt, in bytes.
pub const MAX_EXCERPT_BYTES: usize = 4096;

/// Longest part of it that repeats pytest's summary.
const MAX_SUMMARY_BYTES: usize = 1024;

/// What marks a cut.
const CUT: &str = "[…]\n";

/// The telling part of the output as plain text: no control characters but line breaks and tabs.
pub fn excerpt(output: &[u8]) -> String {
    let text = plain(&String::from_utf8_lossy(output));
    if text.trim_end().len() <= MAX_EXCERPT_BYTES {
        return text.trim_end().to_owned();
    }
    pytest(&text).unwrap_or_else(|| tail(&text, MAX_EXCERPT_BYTES))
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

/// The failing sections of pytest's report that fit, and its summary. The last section is left out last: it is where
/// a reader begins, and with `-x` the one that ended the run.
fn pytest(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.iter().rposition(|l| is_banner(l, "FAILURES") || is_banner(l, "ERRORS"))?;
    let after = |start: usize| lines.get(start..).unwrap_or_default();
    let end = after(from + 1).iter().position(|l| l.starts_with("===")).map_or(lines.len(), |n| from + 1 + n);
    let report = lines.get(from + 1..end)?;
    let summary = tail(&after(end).join("\n"), MAX_SUMMARY_BYTES);
    let room = MAX_EXCERPT_BYTES.saturating_sub(summary.len() + 1);
    Some(format!("{}\n{summary}", sections(report, room)))
}

/// The last sections that fit together, whole, in their order; of the very last one its end, if it alone is too long.
fn sections(report: &[&str], room: usize) -> String {
    let starts: Vec<usize> = (0..report.len()).filter(|n| is_section(report[*n])).collect();
    let whole = |start: usize| report.get(start..).unwrap_or_default().join("\n").trim_end().to_owned();
    let first = starts.first().copied().unwrap_or(0);
    let fits = |start: usize| whole(start).len() + if start == first { 0 } else { CUT.len() } <= room;
    match starts.iter().copied().find(|start| fits(*start)) {
        Some(start) if start == first => whole(start),
        Some(start) => format!("{CUT}{}", whole(start)),
        None => tail(&whole(starts.last().copied().unwrap_or(0)), room),
    }
}

/// `==== FAILURES ====`
fn is_banner(line: &str, title: &str) -> bool {
    line.starts_with("===") && line.trim_matches('=').trim() == title
}

/// `____ test_name ____`
fn is_section(line: &str) -> bool {
    line.starts_with("___") && line.ends_with("___") && line.trim_matches('_').starts_with(' ')
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
