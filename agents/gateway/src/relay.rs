//! An answer on its way through: what is passed on, and the usage found in it. Pure.

use crate::plan::Plan;
use golden_ledger::{Usage, actual};
use golden_platform::sse::{Splitter, TooLong};
use serde_json::Value;

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

    /// The charge for a usage; unknown where there is none or it makes no sense.
    pub(crate) fn of(usage: Option<Usage>, plan: &Plan) -> Self {
        let known = usage.and_then(|usage| {
            let cost = actual(&usage, &plan.prices).ok()?.cost.0;
            Some(Self::Known { cost, input_tokens: usage.input_tokens, output_tokens: usage.output_tokens })
        });
        known.unwrap_or(Self::Unknown)
    }
}

/// The usage of an answer or of a chunk, if it states one.
pub(crate) fn usage(answer: &Value) -> Option<Usage> {
    let usage = answer.get("usage")?;
    let count = |field: &str| usage.get(field).and_then(Value::as_i64);
    let cached = usage.pointer("/prompt_tokens_details/cached_tokens").and_then(Value::as_i64);
    Some(Usage {
        input_tokens: count("prompt_tokens")?,
        cached_input_tokens: cached.unwrap_or(0),
        output_tokens: count("completion_tokens")?,
    })
}

/// A stream on its way through.
#[derive(Debug)]
pub(crate) struct Relay {
    splitter: Splitter,
    forward_usage: bool,
    usage: Option<Usage>,
    done: bool,
}

impl Relay {
    pub(crate) fn new(forward_usage: bool) -> Self {
        Self { splitter: Splitter::new(MAX_EVENT), forward_usage, usage: None, done: false }
    }

    /// Takes in bytes of the provider; gives out what the client gets now. The closing `[DONE]` is kept back
    /// until the call is settled: see [`Relay::is_done`].
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<u8>, TooLong> {
        let mut out = Vec::with_capacity(bytes.len());
        for event in self.splitter.feed(bytes)? {
            if event.data.trim() == "[DONE]" {
                self.done = true;
                break;
            }
            if self.passes(&event.data) {
                out.extend(event.raw);
            }
        }
        Ok(out)
    }

    /// Whether the provider has said all.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    pub(crate) fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The extra chunk with the usage alone is ours if the client did not ask for it.
    fn passes(&mut self, data: &str) -> bool {
        // Cheap first: almost every chunk is without usage.
        if !data.contains("\"usage\"") {
            return true;
        }
        let Ok(chunk) = serde_json::from_str::<Value>(data) else {
            return true;
        };
        let Some(found) = usage(&chunk) else {
            return true;
        };
        self.usage = Some(found);
        let alone = chunk.get("choices").and_then(Value::as_array).is_none_or(Vec::is_empty);
        self.forward_usage || !alone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}],\"usage\":null}\n\n\
                          data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\
                          \"prompt_tokens_details\":{\"cached_tokens\":2}}}\n\ndata: [DONE]\n\n";

    fn relay(forward: bool, piece: usize) -> (String, Relay) {
        let mut relay = Relay::new(forward);
        let out = STREAM.as_bytes().chunks(piece).flat_map(|p| relay.feed(p).unwrap()).collect();
        (String::from_utf8(out).unwrap(), relay)
    }

    #[test]
    fn usage_is_found_and_kept_from_a_client_that_did_not_ask() {
        for piece in [1, 7, 1000] {
            let (said, relay) = relay(false, piece);
            assert!(
                said.contains("hi") && !said.contains("prompt_tokens") && !said.contains("DONE"),
                "{said}"
            );
            let usage = relay.usage().unwrap();
            assert_eq!((usage.input_tokens, usage.cached_input_tokens, usage.output_tokens), (7, 2, 3));
            assert!(relay.is_done());
        }
        assert!(relay(true, 9).0.contains("prompt_tokens"));
    }

    #[test]
    fn a_usage_beside_content_is_passed_on() {
        let mut relay = Relay::new(false);
        let event = b"data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n";
        assert_eq!(relay.feed(event).unwrap(), event);
        assert!(relay.usage().is_some());
    }
}
