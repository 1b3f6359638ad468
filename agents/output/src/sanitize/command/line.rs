//! What a line said so far. Kept while walking, so that no rule looks back over the line again and again.

use super::super::view::{View, is_blank, is_word};
use super::words::{SHELLS, SOURCES};

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    /// Where it begins.
    pub(super) begin: usize,
    /// Where the last program began that gives something to pipe.
    pub(super) source: Option<usize>,
    /// It has words that name no shell.
    pub(super) words: bool,
    /// Pipes so far: tables have many.
    pub(super) pipes: u32,
    /// It has more than blanks and the signs of a quoted mail.
    pub(super) content: bool,
    /// The last place looked at.
    last: u8,
}

impl Line {
    /// Takes in the character at `at`.
    pub(super) fn step(&mut self, view: &View, at: usize) {
        let byte = view.at(at);
        if byte == b'\n' && self.last != b'\\' {
            *self = Self { begin: at + 1, ..Self::default() };
        }
        let word = is_word(byte) && !is_word(view.before(at));
        if word {
            let end = at + view.slice(at, at + 16).iter().take_while(|b| is_word(**b)).count();
            let text = view.slice(at, end);
            if SOURCES.iter().any(|source| source.as_bytes() == text) {
                self.source = self.source.or(Some(at));
            }
            self.words |= !SHELLS.iter().any(|shell| shell.as_bytes() == text);
        }
        self.content |= !is_blank(byte) && !matches!(byte, b'>' | b'\n' | b'\r');
        self.pipes += u32::from(byte == b'|');
        self.last = byte;
    }

    /// Takes in what a finding covered, from behind `at`, which is taken in already.
    pub(super) fn skip(&mut self, view: &View, at: usize, to: usize) {
        for place in at + 1..to {
            self.step(view, place);
        }
    }
}
