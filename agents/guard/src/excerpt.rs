//! The telling part of a run's output, bounded.
//!
//! For pytest: its last failing section and the short summary, which name the test, the assertion and the
//! values. For everything else the end, where most tools say what went wrong.

/// Longest excerpt, in bytes.
pub const MAX_EXCERPT_BYTES: usize = 4096;

/// Longest part of it that repeats pytest's summary.
const MAX_SUMMARY_BYTES: usize = 1024;

/// What marks a cut.
const CUT: &str = "[…]\n";

/// The telling part of the output as plain text: no control characters but line breaks and tabs.
pub fn excerpt(output: &[u8]) -> String {
    let text = plain(&String::from_utf8_lossy(output));
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

/// The last failing section of pytest's report, and its summary.
fn pytest(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.iter().rposition(|l| is_banner(l, "FAILURES") || is_banner(l, "ERRORS"))?;
    let after = |start: usize| lines.get(start..).unwrap_or_default();
    let end = after(from + 1).iter().position(|l| l.starts_with("===")).map_or(lines.len(), |n| from + 1 + n);
    let report = lines.get(from + 1..end)?;
    let section = report.iter().rposition(|l| is_section(l)).unwrap_or(0);
    let failing = report.get(section..)?.join("\n");
    let summary = tail(&after(end).join("\n"), MAX_SUMMARY_BYTES);
    let room = MAX_EXCERPT_BYTES.saturating_sub(summary.len() + 1);
    Some(format!("{}\n{summary}", tail(failing.trim_end(), room)))
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
