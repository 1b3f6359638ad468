//! What a provider counted for earlier prompts, and what that says of the next one.
//!
//! A byte bound takes each byte for a token, which is about four times too much. But nearly all of an agent's prompt was
//! sent before: by the call before it, or by another session with the same instructions and tools. If `counted` is what
//! the provider reported for a prompt, and another begins with all of it (or both begin with the same instructions), then
//!
//! ```text
//! tokens of the other <= counted + bytes of its turns beyond what they have in common + SEAM
//! ```
//!
//! since a turn ends where a model sees an end, so that what follows adds tokens and changes none, and each of those is at
//! least one byte. The two must be for one model, in one variant of its protocol, and alike in all that makes tokens.
//!
//! It is the memory of one process and one provider: bounded, forgotten after an hour and with the provider's address or
//! key. Losing it costs tightness, never money. What it rests on is that a model counts the same text alike for an hour:
//! an alias that is moved to a model with another tokenizer makes calls dearer than their bound once, which the ledger
//! records as overage.

use crate::protocol::{Digest, Outline};
use http::HeaderMap;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a count is believed.
const FRESH: Duration = Duration::from_hours(1);
/// Prompts of one generation; two are kept. About 100 bytes each.
const MANY: usize = 1024;
/// Tokens that the place may cost where two pieces meet, and the last line before an answer.
const SEAM: u64 = 64;
/// More bytes of text than this make more than one token. A provider that reports fewer counts otherwise, such as
/// without what it has in its cache, and is not believed.
const MOST_BYTES: u64 = 16;
/// Headers that choose a variant of the protocol, by how they begin: tools may be told to the model in another form.
const VARIANTS: [&str; 2] = ["anthropic-", "openai-"];

/// A model, and the variant of its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scope(Digest);

impl Scope {
    /// `url`: with its query.
    pub(crate) fn new(model: &str, url: &str, headers: &HeaderMap) -> Self {
        let mut variants: Vec<(&str, &[u8])> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .filter(|(name, _)| VARIANTS.iter().any(|variant| name.starts_with(variant)))
            .collect();
        variants.sort_unstable();
        let mut pieces = vec![model.as_bytes(), url.as_bytes()];
        pieces.extend(variants.into_iter().flat_map(|(name, value)| [name.as_bytes(), value]));
        Self(golden_ledger::digest(&pieces))
    }

    /// What names a prompt that is counted so.
    fn of(self, prefix: &Digest) -> Digest {
        Sha256::new().chain_update(self.0).chain_update(prefix).finalize().into()
    }
}

/// What one provider counted lately.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Digest, Counted>,
    old: HashMap<Digest, Counted>,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    tokens: u64,
    at: Instant,
}

impl Known {
    /// The provider reported so many tokens of input for this prompt.
    pub(crate) fn learn(&self, scope: Scope, outline: &Outline, tokens: u64, now: Instant) {
        if !is_believable(outline, tokens) {
            return;
        }
        let mut kept = self.kept();
        for prefix in starts(outline) {
            kept.put(scope.of(prefix), Counted { tokens, at: now });
        }
    }

    /// The most tokens that a prompt can have, by what is known. `image`: the most of one image.
    pub(crate) fn most(&self, scope: Scope, outline: &Outline, image: u64, now: Instant) -> Option<u64> {
        let kept = self.kept();
        most(outline, image, |prefix| kept.get(&scope.of(prefix), now))
    }

    /// The provider is another one now.
    pub(crate) fn forget(&self) {
        *self.kept() = Generations::default();
    }

    fn kept(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn get(&self, key: &Digest, now: Instant) -> Option<u64> {
        let found = [self.young.get(key), self.old.get(key)].into_iter().flatten();
        found.filter(|counted| counted.is_fresh(now)).map(|counted| counted.tokens).min()
    }

    /// Keeps the lowest: what prompts have in common is no more than the shortest of them.
    fn put(&mut self, key: Digest, new: Counted) {
        let kept = self.young.get(&key).is_some_and(|old| old.tokens < new.tokens && old.is_fresh(new.at));
        if kept {
            return;
        }
        if self.young.len() >= MANY && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, new);
    }
}

impl Counted {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < FRESH
    }
}

/// Whether so many tokens can be all of a prompt's text.
fn is_believable(outline: &Outline, tokens: u64) -> bool {
    let texts = outline.turns.iter().filter(|turn| turn.extent.images == 0 && !turn.extent.open);
    let text = texts.fold(outline.head, |sum, turn| sum.saturating_add(turn.bytes));
    tokens.saturating_mul(MOST_BYTES) >= text
}

/// The prompts that this one's count bounds: itself, and its instructions alone. Those only where a user's turn follows:
/// some models are told of tools there.
fn starts(outline: &Outline) -> impl Iterator<Item = &Digest> {
    let begins = outline.turns.get(outline.preamble).is_some_and(crate::protocol::Turn::is_users);
    let instructions = outline.prefixes.get(outline.preamble).filter(|_| begins);
    instructions.into_iter().chain(outline.prefixes.last())
}

/// The bound that the longest known start of the prompt gives. Pure.
fn most(outline: &Outline, image: u64, counted: impl Fn(&Digest) -> Option<u64>) -> Option<u64> {
    let mut beyond = outline.apart.saturating_add(SEAM);
    for (at, prefix) in outline.prefixes.iter().enumerate().skip(outline.preamble).rev() {
        if let Some(turn) = outline.turns.get(at) {
            if turn.extent.open {
                return None;
            }
            let images = turn.extent.images.saturating_mul(image);
            beyond = beyond.saturating_add(turn.bytes).saturating_add(images);
        }
        if outline.is_seam(at)
            && let Some(tokens) = counted(prefix)
        {
            return Some(tokens.saturating_add(beyond));
        }
    }
    None
}

#[cfg(test)]
mod tests;
