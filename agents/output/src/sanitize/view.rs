//! A text as those read it who would run it: one byte a character, tricks of encoding undone, with the way back.
//!
//! ASCII stays as it is, case included. Other spaces are a space, full-width forms their ASCII letter, characters
//! without width are left out, all other characters are [`OTHER`]. The view for markup also decodes entities and the
//! escapes of `<` and `>` that URLs and JSON use.

/// A character that is not ASCII.
pub(super) const OTHER: u8 = 0x80;

/// A stretch of a view: its first character, and the one after its last.
pub(super) type Span = (usize, usize);

/// The characters, and where each begins in the text.
pub(super) struct View {
    bytes: Vec<u8>,
    /// One more than characters: the last is the text's length. Inputs are far below 4 GiB.
    starts: Vec<u32>,
}

impl View {
    /// As SQL and shells read it.
    pub(super) fn plain(text: &str) -> Self {
        Self::new(text, |_| None)
    }

    /// As a browser reads it.
    pub(super) fn markup(text: &str) -> Self {
        Self::new(text, escape)
    }

    /// `escape` gives the character that the beginning of a text stands for, and its length there.
    fn new(text: &str, escape: impl Fn(&[u8]) -> Option<(u8, usize)>) -> Self {
        let mut view =
            Self { bytes: Vec::with_capacity(text.len()), starts: Vec::with_capacity(text.len() + 1) };
        let mut skip = 0;
        for (at, character) in text.char_indices() {
            if at < skip {
                continue;
            }
            let rest = text.as_bytes().get(at..).unwrap_or_default();
            let folded = match escape(rest) {
                Some((byte, length)) => {
                    skip = at + length;
                    Some(byte)
                }
                None => fold(character),
            };
            if let Some(byte) = folded {
                view.bytes.push(byte);
                view.starts.push(u32::try_from(at).unwrap_or(u32::MAX));
            }
        }
        view.starts.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        view
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The character at `at`; 0, which no view holds, outside of it.
    pub(super) fn at(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// The character before `at`; 0 at the beginning.
    pub(super) fn before(&self, at: usize) -> u8 {
        at.checked_sub(1).map_or(0, |before| self.at(before))
    }

    /// What stands from `from` up to `to`, or to the end.
    pub(super) fn slice(&self, from: usize, to: usize) -> &[u8] {
        self.bytes.get(from..to.min(self.len())).unwrap_or_default()
    }

    pub(super) fn rest(&self, from: usize) -> &[u8] {
        self.bytes.get(from..).unwrap_or_default()
    }

    /// Whether `word` (in small letters) stands at `at`, in any case.
    pub(super) fn has(&self, at: usize, word: &str) -> bool {
        self.slice(at, at + word.len()).eq_ignore_ascii_case(word.as_bytes())
    }

    /// The end of the run from `from` whose characters are all `of` a class.
    pub(super) fn run(&self, from: usize, of: impl Fn(u8) -> bool) -> usize {
        from + self.rest(from).iter().take_while(|byte| of(**byte)).count()
    }

    /// Where a character begins in the text; the text's end for what lies beyond.
    pub(super) fn source(&self, at: usize) -> usize {
        let start = self.starts.get(at).or_else(|| self.starts.last());
        start.map_or(0, |start| *start as usize)
    }

    /// The first character at or after an offset of the text.
    pub(super) fn character(&self, source: usize) -> usize {
        self.starts.partition_point(|start| (*start as usize) < source).min(self.len())
    }
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == OTHER
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn fold(character: char) -> Option<u8> {
    match character {
        '\0' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => None,
        '\u{ff01}'..='\u{ff5e}' => u8::try_from(u32::from(character) - 0xfee0).ok(),
        // What was no text stands for anything, so it joins no words.
        '\u{b}' | '\u{c}' | '\u{85}' | char::REPLACEMENT_CHARACTER => Some(b' '),
        '\u{2028}' | '\u{2029}' => Some(b'\n'),
        _ if character.is_ascii() => u8::try_from(character).ok(),
        _ if character.is_whitespace() => Some(b' '),
        _ => Some(OTHER),
    }
}

/// Named entities that matter to a tag, an attribute or a scheme.
const NAMED: [(&str, u8); 14] = [
    ("lt", b'<'),
    ("gt", b'>'),
    ("quot", b'"'),
    ("apos", b'\''),
    ("colon", b':'),
    ("equals", b'='),
    ("sol", b'/'),
    ("tab", b'\t'),
    ("newline", b'\n'),
    ("lpar", b'('),
    ("rpar", b')'),
    ("grave", b'`'),
    ("semi", b';'),
    ("amp", b'&'),
];

fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    match rest.first()? {
        b'&' => entity(rest.get(1..)?).map(|(byte, length)| (byte, length + 1)),
        b'%' => angle(rest.get(1..3)?).map(|byte| (byte, 3)),
        b'\\' => match rest.get(1)? {
            b'x' => angle(rest.get(2..4)?).map(|byte| (byte, 4)),
            b'u' if rest.get(2..4)? == b"00" => angle(rest.get(4..6)?).map(|byte| (byte, 6)),
            _ => None,
        },
        _ => None,
    }
}

fn angle(hex: &[u8]) -> Option<u8> {
    match hex {
        [b'3', b'c' | b'C'] => Some(b'<'),
        [b'3', b'e' | b'E'] => Some(b'>'),
        _ => None,
    }
}

/// What stands behind an ampersand. A semicolon at the end is optional after a number, as for browsers.
fn entity(rest: &[u8]) -> Option<(u8, usize)> {
    if rest.first() == Some(&b'#') {
        return number(rest);
    }
    NAMED.iter().find_map(|(name, byte)| {
        let length = name.len() + 1;
        let stands = rest.get(..name.len())?.eq_ignore_ascii_case(name.as_bytes());
        (stands && rest.get(name.len()) == Some(&b';')).then_some((*byte, length))
    })
}

fn number(rest: &[u8]) -> Option<(u8, usize)> {
    let hex = matches!(rest.get(1), Some(b'x' | b'X'));
    let (begin, radix) = if hex { (2, 16) } else { (1, 10) };
    let digits = rest.iter().skip(begin).take(9).take_while(|b| char::from(**b).is_digit(radix)).count();
    let text = std::str::from_utf8(rest.get(begin..begin + digits)?).ok()?;
    let code = u32::from_str_radix(text, radix).ok()?;
    let length = begin + digits + usize::from(rest.get(begin + digits) == Some(&b';'));
    let byte = u8::try_from(code).ok().filter(|b| b.is_ascii() && *b != 0).unwrap_or(OTHER);
    Some((byte, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricks_of_encoding_are_undone_and_lead_back() {
        let text = "&#60;s&#x63;r\u{200b}ipt&gt;";
        let view = View::markup(text);
        assert_eq!(view.rest(0), b"<script>");
        assert_eq!((view.source(1), view.source(8)), (5, text.len()));
        assert_eq!(View::plain("\u{ff24}ROP\u{a0}é").rest(0), [b'D', b'R', b'O', b'P', b' ', OTHER]);
        assert_eq!(View::markup("%3Cb\\u003e &lt &#9999999999;").rest(0)[..4], *b"<b> ");
    }
}
