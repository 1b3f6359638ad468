//! A place among the tokens from which a statement is read. Comments and line ends between words are nothing.

use super::super::view::View;
use super::tokens::{Sort, Token};
use super::words::{PROSE, one_of};

/// How the keywords read so far were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caps {
    /// None yet.
    None,
    Upper,
    Lower,
    /// As a sentence begins: one capital, then small letters.
    Sentence,
    Mixed,
}

#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    view: &'a View,
    tokens: &'a [Token],
    pub(super) at: usize,
    pub(super) caps: Caps,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(view: &'a View, tokens: &'a [Token], at: usize) -> Self {
        Self { view, tokens, at, caps: Caps::None }
    }

    /// The next token that is something; the cursor stands on it then.
    pub(super) fn peek(&mut self) -> Option<Token> {
        loop {
            let token = *self.tokens.get(self.at)?;
            if !matches!(token.sort, Sort::Comment | Sort::Newline) {
                return Some(token);
            }
            self.at += 1;
        }
    }

    /// The token that stands here, whatever it is.
    pub(super) fn raw(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    pub(super) fn text(&self, token: Token) -> &'a [u8] {
        self.view.slice(token.start(), token.end())
    }

    pub(super) fn peek_word(&mut self) -> Option<&'a [u8]> {
        let token = self.peek()?;
        (token.sort == Sort::Word).then(|| self.text(token))
    }

    /// Takes a keyword (given in small letters).
    pub(super) fn eat(&mut self, keyword: &str) -> bool {
        self.eat_any(&[keyword])
    }

    pub(super) fn eat_any(&mut self, keywords: &[&str]) -> bool {
        let Some(word) = self.peek_word().filter(|word| one_of(word, keywords)) else {
            return false;
        };
        self.caps = joined(self.caps, word);
        self.at += 1;
        true
    }

    pub(super) fn sign(&mut self, byte: u8) -> bool {
        let stands = self.peek().is_some_and(|token| token.sort == Sort::Sign(byte));
        self.at += usize::from(stands);
        stands
    }

    pub(super) fn number(&mut self) -> bool {
        let stands = self.peek().is_some_and(|token| token.sort == Sort::Number);
        self.at += usize::from(stands);
        stands
    }

    pub(super) fn quote(&mut self) -> bool {
        let stands = self.peek().is_some_and(|token| matches!(token.sort, Sort::Quote(_)));
        self.at += usize::from(stands);
        stands
    }

    /// Takes a name, quoted or not, with its schema: not a word that only prose has.
    pub(super) fn name(&mut self) -> bool {
        loop {
            let quoted = self.quote() || self.sign(b'`') || self.sign(b'[');
            match self.peek_word() {
                Some(word) if quoted || !one_of(word, PROSE) || self.is_letter(word) => self.at += 1,
                _ => return false,
            }
            if quoted {
                let _ = self.quote() || self.sign(b'`') || self.sign(b']');
            }
            // A full stop that ends a sentence does not touch the next word.
            let dot = self.raw().filter(|token| token.sort == Sort::Sign(b'.'));
            let next = self.tokens.get(self.at + 1);
            match (dot, next) {
                (Some(dot), Some(next)) if next.start() == dot.end() && next.sort == Sort::Word => {
                    self.at += 1;
                }
                _ => return true,
            }
        }
    }

    /// `DROP TABLE a`: in a statement written in capitals one letter is a name.
    fn is_letter(&self, word: &[u8]) -> bool {
        word.len() == 1 && self.caps == Caps::Upper
    }

    /// A constant: a number, a quoted word or nothing in quotes, TRUE, FALSE, NULL. Gives where its value stands.
    pub(super) fn constant(&mut self) -> Option<&'a [u8]> {
        let begin = self.at;
        if self.number() {
            return self.tokens.get(self.at - 1).map(|token| self.text(*token));
        }
        if self.eat_any(&["true", "false", "null"]) {
            return Some(b"true");
        }
        if !self.quote() {
            return None;
        }
        let Some(inner) = self.raw() else { return Some(b"") };
        if matches!(inner.sort, Sort::Word | Sort::Number) {
            self.at += 1;
            let _ = self.raw().is_some_and(|t| matches!(t.sort, Sort::Quote(_))) && self.quote();
            return Some(self.text(inner));
        }
        if matches!(inner.sort, Sort::Quote(_)) {
            self.at += 1;
            return Some(b"");
        }
        self.at = begin;
        None
    }

    /// Takes what stands in parentheses, if it closes soon.
    pub(super) fn parentheses(&mut self) -> bool {
        let mut ahead = *self;
        if !ahead.sign(b'(') {
            return false;
        }
        let mut depth = 1_u32;
        for _ in 0..SOON {
            let Some(token) = ahead.peek() else { return false };
            ahead.at += 1;
            match token.sort {
                Sort::Sign(b'(') => depth += 1,
                Sort::Sign(b')') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.at = ahead.at;
                return true;
            }
        }
        false
    }
}

/// Tokens looked at for a closing parenthesis.
const SOON: usize = 64;

fn joined(caps: Caps, word: &[u8]) -> Caps {
    let small = |word: &[u8]| word.iter().all(|b| !b.is_ascii_uppercase());
    let own = match word.split_first() {
        _ if word.iter().all(|b| !b.is_ascii_lowercase()) => Caps::Upper,
        _ if small(word) => Caps::Lower,
        Some((_, rest)) if small(rest) => Caps::Sentence,
        _ => Caps::Mixed,
    };
    match (caps, own) {
        (Caps::None, own) => own,
        (Caps::Sentence, Caps::Lower | Caps::Sentence) => Caps::Sentence,
        (caps, own) if caps == own => caps,
        _ => Caps::Mixed,
    }
}
