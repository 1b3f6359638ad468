//! An answer on its way through: what is passed on, and the usage found in it. Pure.

use crate::plan::Plan;
use crate::protocol::{End, Reader, Seen};
use golden_ledger::{Usage, actual};
use golden_platform::sse::{Splitter, TooLong};

/// Largest event of a stream, in bytes.
const MAX_EVENT: usize = 4 * 1024 * 1024;

/// What a call is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    Known {
        cost: i64,
        input_tokens: i64,
        output_tokens: i64,
    },
    /// The provider did not say, or nobody heard it: the upper bound, listed as Unknown.
    Unknown,
}

impl Charge {
    pub(crate) const NOTHING: Self = Self::Known { cost: 0, input_tokens: 0, output_tokens: 0 };

    /// The charge for a usage; unknown where there is none or it makes no sense. No prompt has no tokens: some servers
    /// state zeros for what they did not count.
    pub(crate) fn of(usage: Option<Usage>, plan: &Plan) -> Self {
        let counted = |usage: &Usage| {
            usage.input_tokens > 0 || usage.cached_input_tokens > 0 || usage.cache_write_tokens > 0
        };
        let known = usage.filter(counted).and_then(|usage| {
            let cost = actual(&usage, &plan.prices).ok()?.cost.0;
            Some(Self::Known { cost, input_tokens: usage.input_tokens, output_tokens: usage.output_tokens })
        });
        known.unwrap_or(Self::Unknown)
    }
}

/// A stream on its way through.
#[derive(Debug)]
pub(crate) struct Relay {
    splitter: Splitter,
    reader: Box<dyn Reader>,
    closing: Option<(Vec<u8>, End)>,
}

impl Relay {
    pub(crate) fn new(reader: Box<dyn Reader>) -> Self {
        Self { splitter: Splitter::new(MAX_EVENT), reader, closing: None }
    }

    /// Takes in bytes of the provider; gives out what the client gets now. The closing event is kept back until it
    /// is known how the stream ended: see [`Relay::closing`].
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<u8>, TooLong> {
        let mut out = Vec::with_capacity(bytes.len());
        for event in self.splitter.feed(bytes)? {
            match self.reader.see(&event.data) {
                Seen::Passes => out.extend(event.raw),
                Seen::Ours => {}
                Seen::Last(end) => {
                    self.closing = Some((event.raw, end));
                    break;
                }
            }
        }
        Ok(out)
    }

    /// How the stream ended, once the provider has said all.
    pub(crate) fn end(&self) -> Option<End> {
        self.closing.as_ref().map(|(_, end)| *end)
    }

    pub(crate) fn usage(&self) -> Option<Usage> {
        self.reader.usage()
    }

    /// The event that closes the stream; empty if there was none.
    pub(crate) fn closing(self) -> Vec<u8> {
        self.closing.map(|(raw, _)| raw).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
