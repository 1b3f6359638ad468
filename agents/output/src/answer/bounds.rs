//! How much of an answer is read. Looked at before anything is built of it.
//!
//! Time is bounded by these, not by a clock: parsing is linear, a schema is fixed when it is made, and its patterns run
//! on an engine without backtracking.

use super::parse::Unreadable;

/// The bounds of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the whole answer, with the words around the JSON.
    pub bytes: usize,
    /// Objects and lists inside each other.
    pub depth: usize,
    /// Values in all, counted by what separates and encloses them.
    pub values: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: 256 * 1024, depth: 16, values: 8192 }
    }
}

impl Bounds {
    /// Checks the size of an answer.
    pub(super) fn size(&self, answer: &str) -> Result<(), Unreadable> {
        if answer.len() > self.bytes {
            return Err(Unreadable::TooLong { size: answer.len(), limit: self.bytes });
        }
        Ok(())
    }

    /// Checks the depth and the number of values of a JSON text.
    pub(super) fn shape(&self, json: &str) -> Result<(), Unreadable> {
        let (mut depth, mut values) = (0_usize, 1_usize);
        let (mut text, mut escaped) = (false, false);
        for byte in json.bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if text => escaped = true,
                b'"' => text = !text,
                _ if text => {}
                b'{' | b'[' => {
                    depth += 1;
                    values += 1;
                    if depth > self.depth {
                        return Err(Unreadable::TooDeep { limit: self.depth });
                    }
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                b',' => values += 1,
                _ => {}
            }
        }
        if values > self.values { Err(Unreadable::TooMany { limit: self.values }) } else { Ok(()) }
    }
}
