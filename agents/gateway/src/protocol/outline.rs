//! A prompt by the pieces it grows by. Pure.
//!
//! An agent's next prompt is its last one and some turns more, and its first one begins as those of other sessions do.
//! So what a provider counted for one prompt says how much of the next is known already (`crate::known`). Prompts are
//! compared here turn by turn, by digests of everything that makes tokens: who has the same digest has the same text.
//!
//! Left out is what makes no tokens: caps, labels, and Anthropic's marks of what to cache, which clients move on from
//! turn to turn. Where a prompt is not all in its request, or the provider edits it by rules of its own, there is no
//! outline.

use super::fields::Fields;
use super::parts::{Extent, survey_turn};
use crate::error::CallError;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;

/// A SHA-256.
pub(crate) type Digest = [u8; 32];

/// Turns of a prompt that is compared; a longer one is bounded by its bytes.
const MOST_TURNS: usize = 4096;
/// Marks of what to cache.
const MARK: &str = "cache_control";
/// Lists of parts within lists of parts whose marks are left out: a message's content, a tool result's in it.
const DEEPEST: usize = 4;
/// Claude Code begins its instructions with a line that differs by session; it is paid for anew each time.
const LABEL: &str = "\"x-anthropic-billing-header:";

/// Where a protocol keeps what makes tokens.
pub(crate) struct Shape {
    /// The field of the conversation.
    pub(crate) turns: &'static str,
    /// Fields that make no tokens.
    pub(crate) aside: &'static [&'static str],
    /// Fields whose lists of parts have marks of what to cache, beside the conversation; empty: there are no such marks.
    pub(crate) marked: &'static [&'static str],
    /// Whether what is counted is more, or other, than what the request says.
    pub(crate) is_elsewhere: fn(&Fields<'_>) -> bool,
}

/// A prompt in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Of the prompt up to each turn: the first of what stands before all turns, the last of the whole.
    pub(crate) prefixes: Vec<Digest>,
    pub(crate) turns: Vec<Turn>,
    /// How many turns are instructions before the first one of a user: sessions have them in common.
    pub(crate) preamble: usize,
    /// Bytes that no digest has, since they differ from call to call.
    pub(crate) apart: u64,
    /// Bytes of what stands before all turns.
    pub(crate) head: u64,
}

/// One turn of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) bytes: u64,
    pub(crate) extent: Extent,
    /// Its type and role. Two turns of one kind may reach the model as one.
    kind: (String, String),
}

impl Turn {
    /// Whether it is the user's.
    pub(crate) fn is_users(&self) -> bool {
        matches!(self.kind.0.as_str(), "" | "message") && self.kind.1 == "user"
    }

    fn instructs(&self) -> bool {
        matches!(self.kind.1.as_str(), "system" | "developer")
    }
}

impl Outline {
    /// Whether the prompt up to a turn ends where a model sees an end, so that what follows cannot change its tokens.
    pub(crate) fn is_seam(&self, at: usize) -> bool {
        let (before, after) = (at.checked_sub(1).and_then(|n| self.turns.get(n)), self.turns.get(at));
        before.zip(after).is_none_or(|(before, after)| before.kind != after.kind)
    }
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    role: Option<Cow<'a, str>>,
}

/// Reads a conversation as far as it must be known: adds up what its turns hold, and outlines it where that can be done.
/// To be read before anything of the request is changed.
pub(crate) fn outline(
    request: &Fields<'_>,
    shape: &Shape,
    extent: &mut Extent,
) -> Result<Option<Outline>, CallError> {
    let Some(conversation) = request.raw(shape.turns) else { return Ok(None) };
    let list = list(conversation).map_err(|e| CallError::Malformed(format!("{}: {e}", shape.turns)))?;
    let mut turns = Vec::with_capacity(list.len());
    for raw in &list {
        let mut own = Extent::default();
        survey_turn(raw, &mut own)?;
        extent.add(own);
        turns.push(Turn { bytes: raw.get().len() as u64, extent: own, kind: kind(raw) });
    }
    let known = turns.len() <= MOST_TURNS && !(shape.is_elsewhere)(request);
    Ok(known.then(|| digests(request, shape, &list, turns)).flatten())
}

/// The turns; words alone are one.
fn list(conversation: &RawValue) -> serde_json::Result<Vec<&RawValue>> {
    let text = conversation.get();
    if text.starts_with('[') { serde_json::from_str(text) } else { Ok(vec![conversation]) }
}

/// Nothing where a part is written in a way that cannot be compared.
fn digests(request: &Fields<'_>, shape: &Shape, list: &[&RawValue], turns: Vec<Turn>) -> Option<Outline> {
    let marks = !shape.marked.is_empty();
    let mut outline = Outline { turns, ..Outline::default() };
    let mut head = Text::default();
    for (name, value) in request.iter() {
        if name == shape.turns || name == "model" || shape.aside.contains(&name) {
            continue;
        }
        head.piece(b'.', name.as_bytes());
        head.value(value, shape.marked.contains(&name), 0)?;
        outline.head += (name.len() + value.get().len()) as u64;
    }
    outline.apart = head.apart;
    let mut so_far: Digest = head.hash.finalize().into();
    outline.prefixes.push(so_far);
    for raw in list {
        let mut text = Text::default();
        text.piece(b'<', &so_far);
        if marks {
            text.part(raw, 0)?;
        } else {
            text.piece(b'=', raw.get().as_bytes());
        }
        so_far = text.hash.finalize().into();
        outline.prefixes.push(so_far);
    }
    outline.preamble = outline.turns.iter().take_while(|turn| turn.instructs()).count();
    Some(outline)
}

fn kind(raw: &RawValue) -> (String, String) {
    let read: Option<Kind<'_>> = serde_json::from_str(raw.get()).ok();
    let text = |name: Option<Cow<'_, str>>| name.map(Cow::into_owned).unwrap_or_default();
    read.map(|kind| (text(kind.kind), text(kind.role))).unwrap_or_default()
}

/// What is hashed: pieces, each with what it is and its length, so that none reaches into the next.
#[derive(Default)]
struct Text {
    hash: Sha256,
    apart: u64,
}

impl Text {
    fn piece(&mut self, what: u8, bytes: &[u8]) {
        self.hash.update([what]);
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
    }

    /// What a field says: a list of parts, or as it is written.
    fn value(&mut self, raw: &RawValue, parts: bool, depth: usize) -> Option<()> {
        if parts {
            return self.parts(raw, depth);
        }
        self.piece(b'=', raw.get().as_bytes());
        Some(())
    }

    /// A list of parts without their marks. Words alone stand for one part that is text, as Anthropic has it.
    fn parts(&mut self, raw: &RawValue, depth: usize) -> Option<()> {
        let text = raw.get();
        if depth > DEEPEST || !text.starts_with(['[', '"']) {
            self.piece(b'=', text.as_bytes());
            return Some(());
        }
        self.piece(b'[', b"");
        if text.starts_with('"') {
            self.piece(b'{', b"");
            for (name, value) in [("type", "\"text\""), ("text", text)] {
                self.piece(b'.', name.as_bytes());
                self.piece(b'=', value.as_bytes());
            }
            self.piece(b'}', b"");
        } else {
            let list: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            list.into_iter().try_for_each(|part| self.part(part, depth + 1))?;
        }
        self.piece(b']', b"");
        Some(())
    }

    fn part(&mut self, raw: &RawValue, depth: usize) -> Option<()> {
        if !raw.get().starts_with('{') {
            self.piece(b'=', raw.get().as_bytes());
            return Some(());
        }
        let fields = Fields::parse(raw.get().as_bytes()).ok()?;
        if depth == 1 && fields.raw("text").is_some_and(|text| text.get().starts_with(LABEL)) {
            self.apart += raw.get().len() as u64;
            return Some(());
        }
        self.piece(b'{', b"");
        for (name, value) in fields.iter().filter(|(name, _)| *name != MARK) {
            self.piece(b'.', name.as_bytes());
            self.value(value, name == "content", depth + 1)?;
        }
        self.piece(b'}', b"");
        Some(())
    }
}

#[cfg(test)]
mod tests;
