//! Untrusted text as a voter reads it: what would be invisible, or change how the rest is read, is spelled out.
//!
//! Bidirectional controls reorder what a reader sees, characters without width and tags carry words that nobody sees,
//! escape sequences repaint a terminal. A voter that judges a change must see them as what they are.

use std::fmt::Write as _;

/// Longest line shown in one piece, in bytes; longer ones go on in further lines, so that nothing is left out.
const MAX_LINE: usize = 512;

/// Stands where a long line goes on in the next one.
const GOES_ON: &str = "⟨the line goes on⟩";

/// The text with every hidden character written as `⟨U+202E⟩`. What is shown of what was shown is the same.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        // A line's end of other systems is no secret.
        if c == '\r' && rest.peek() == Some(&'\n') {
            continue;
        }
        if is_hidden(c) {
            let _ = write!(out, "⟨U+{:04X}⟩", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a reader would not see the character, or see others differently for it.
fn is_hidden(c: char) -> bool {
    let control = c.is_control() && c != '\n' && c != '\t';
    control
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// The lines of a shown text, none longer than [`MAX_LINE`] and a mark. `sign` begins each piece of a line but the
/// first, so that a piece of an added line reads as added too.
pub(crate) fn wrapped(line: &str, sign: &str) -> Vec<String> {
    let mut pieces = vec![];
    let mut rest = line;
    while rest.len() > MAX_LINE {
        let (piece, more) = rest.split_at(rest.floor_char_boundary(MAX_LINE));
        let sign = if pieces.is_empty() { "" } else { sign };
        pieces.push(format!("{sign}{piece}{GOES_ON}"));
        rest = more;
    }
    let sign = if pieces.is_empty() { "" } else { sign };
    pieces.push(format!("{sign}{rest}"));
    pieces
}

/// At most `most` bytes of a text, cut between characters; a cut is said.
pub(crate) fn clipped(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}⟨{} bytes in all⟩", cut(text, most), text.len())
}

/// At most `most` bytes of a text, cut between characters.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_spelled_out_and_the_rest_is_left_alone() {
        let cases = [
            ("naïve ß 漢字 🦀\tx\n", "naïve ß 漢字 🦀\tx\n"),
            ("a\r\nb", "a\nb"),
            ("a\rb", "a⟨U+000D⟩b"),
            ("\u{1b}[2J", "⟨U+001B⟩[2J"),
            ("if admin\u{202e} }", "if admin⟨U+202E⟩ }"),
            ("pass\u{200b}word", "pass⟨U+200B⟩word"),
            ("\u{e0061}\u{e007f}", "⟨U+E0061⟩⟨U+E007F⟩"),
            ("\u{2066}x\u{2069}", "⟨U+2066⟩x⟨U+2069⟩"),
        ];
        for (text, want) in cases {
            assert_eq!(shown(text), want);
            assert_eq!(shown(want), want, "shown twice is shown once");
        }
    }

    #[test]
    fn a_long_line_is_wrapped_and_nothing_of_it_lost() {
        let line = format!("+{}", "ß".repeat(3000));
        let pieces = wrapped(&line, "+");
        assert!(pieces.len() > 5 && pieces.iter().all(|p| p.len() <= MAX_LINE + GOES_ON.len() + 1));
        assert!(pieces.iter().all(|p| p.starts_with('+')));
        let text: String =
            pieces.iter().map(|p| p.trim_start_matches('+').trim_end_matches(GOES_ON)).collect();
        assert_eq!(format!("+{text}"), line);
        assert_eq!(wrapped("short", "+"), ["short"]);
    }

    #[test]
    fn a_cut_is_between_characters_and_said() {
        assert_eq!(clipped("ßß", 3), "ß⟨4 bytes in all⟩");
        assert_eq!(clipped("ßß", 4), "ßß");
    }
}
