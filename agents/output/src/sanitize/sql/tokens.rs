//! The words and signs of a text as SQL sees them.
//!
//! Quotes are signs of their own: in prose an apostrophe opens nothing, and a text must not hide its rest in a string
//! that is never closed.

use super::super::view::{View, is_blank, is_word};

/// Longest comment that is skipped as one; a longer one is only its marks.
const MAX_COMMENT: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Word,
    Number,
    /// `'` or `"`.
    Quote(u8),
    Semicolon,
    /// A comment's mark, or a whole one. Between words of a statement it is nothing.
    Comment,
    Newline,
    Sign(u8),
}

/// Places are those of the view; inputs are far below 4 GiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) sort: Sort,
    start: u32,
    end: u32,
}

impl Token {
    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    pub(super) fn end(self) -> usize {
        self.end as usize
    }
}

pub(super) fn tokens(view: &View) -> Vec<Token> {
    let mut tokens = Vec::new();
    // Where the next end of a comment stands, so that each stretch is searched once.
    let mut close = 0;
    let mut at = 0;
    while at < view.len() {
        let byte = view.at(at);
        let (sort, end) = match byte {
            b' ' | b'\t' | b'\r' => {
                at += 1;
                continue;
            }
            b'\n' => (Sort::Newline, at + 1),
            b'\'' | b'"' => (Sort::Quote(byte), at + 1),
            b';' => (Sort::Semicolon, at + 1),
            b'0'..=b'9' => number(view, at),
            b'-' if dashes(view, at) => (Sort::Comment, at + 2),
            b'#' if hash(view, at) => (Sort::Comment, at + 1),
            b'/' if view.at(at + 1) == b'*' => (Sort::Comment, block(view, at, &mut close)),
            b'*' if view.at(at + 1) == b'/' => (Sort::Comment, at + 2),
            _ if is_word(byte) || byte == b'@' => {
                (Sort::Word, view.run(at, |b| is_word(b) || matches!(b, b'@' | b'$')))
            }
            _ => (Sort::Sign(byte), at + 1),
        };
        tokens.push(token(sort, at, end));
        at = end;
    }
    tokens
}

fn token(sort: Sort, start: usize, end: usize) -> Token {
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Token { sort, start: place(start), end: place(end) }
}

fn number(view: &View, at: usize) -> (Sort, usize) {
    let end = view.run(at, |b| is_word(b) || b == b'.');
    let digits = view.slice(at, end).iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b'x' | b'X'));
    // A full stop behind a number ends a sentence.
    let end = if end > at + 1 && view.before(end) == b'.' { end - 1 } else { end };
    (if digits { Sort::Number } else { Sort::Word }, end)
}

fn ends_line(byte: u8) -> bool {
    matches!(byte, 0 | b'\n' | b'\r')
}

/// `--` is a comment's mark, but not in `--flag` or `a---b`.
fn dashes(view: &View, at: usize) -> bool {
    let end = at + 2;
    if view.at(at + 1) != b'-' || view.at(end) == b'-' || view.before(at) == b'-' {
        return false;
    }
    let (before, after) = (view.before(at), view.at(end));
    let stands_free = is_blank(before) || ends_line(before);
    ends_line(after) || is_blank(after) || !stands_free && is_word(after)
}

/// `#` is one of MySQL's, but not in `# Heading` or `#123`.
fn hash(view: &View, at: usize) -> bool {
    let (before, after) = (view.before(at), view.at(at + 1));
    !ends_line(before) && (ends_line(after) || is_blank(after))
}

/// The end of the comment at `at`. `/*!50000 …*/` is no comment for MySQL, so only its mark is skipped.
fn block(view: &View, at: usize, close: &mut usize) -> usize {
    if view.at(at + 2) == b'!' {
        return view.run(at + 3, |b| b.is_ascii_digit());
    }
    if *close < at + 2 {
        let ends = |pair: &[u8]| pair == b"*/";
        *close = view.rest(at + 2).windows(2).position(ends).map_or(view.len(), |found| at + 2 + found);
    }
    if *close < view.len() && *close - at <= MAX_COMMENT { *close + 2 } else { at + 2 }
}
