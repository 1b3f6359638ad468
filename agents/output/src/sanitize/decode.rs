//! Bytes as text, with the way back to their offsets.

use std::borrow::Cow;

/// A text made of bytes, each stretch that is no UTF-8 replaced by U+FFFD.
pub(super) struct Decoded<'a> {
    text: Cow<'a, str>,
    /// For each place where text and bytes part: offset in the text, offset in the bytes. Sorted.
    marks: Vec<(usize, usize)>,
}

impl<'a> Decoded<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self { text: Cow::Borrowed(text), marks: Vec::new() };
        }
        let (mut text, mut marks, mut read) = (String::with_capacity(bytes.len()), Vec::new(), 0);
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            read += chunk.valid().len();
            if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
                read += chunk.invalid().len();
                marks.push((text.len(), read));
            }
        }
        Self { text: Cow::Owned(text), marks }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The offset in the bytes of an offset in the text that is a character's beginning or the end.
    pub(super) fn offset(&self, in_text: usize) -> usize {
        let before = self.marks.partition_point(|(text, _)| *text <= in_text);
        match before.checked_sub(1).and_then(|last| self.marks.get(last)) {
            Some((text, bytes)) => bytes + (in_text - text),
            None => in_text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_lead_back_over_bytes_that_are_no_text() {
        let bytes = b"a\xff\xfeb\xe2\x82c";
        let decoded = Decoded::new(bytes);
        assert_eq!(decoded.text(), "a\u{fffd}\u{fffd}b\u{fffd}c");
        for (letter, place) in [('a', 0), ('b', 3), ('c', 6)] {
            assert_eq!(decoded.offset(decoded.text().find(letter).unwrap()), place);
        }
        assert_eq!(decoded.offset(decoded.text().len()), bytes.len());
    }
}
