//! What a voter is asked: one question, or one for each part of a large patch. Pure, and the same for the same review:
//! a repeated question is the same call.

use crate::evidence::Files;
use crate::material::{changes, excerpts, shown, tokens};
use crate::parts::{Fault, MAX_PARTS, MIN_ROOM, Part, split};
use crate::prompt::{Seat, checks, fenced, objections, system};
use crate::words::Words;
use golden_consensus::Ballot;
use golden_platform::tree::digest;
use golden_platform::wire::ReviewRequest;
use serde_json::{Value, json};
use uuid::Uuid;

/// Tokens of an answer.
const MAX_ANSWER: usize = golden_platform::wire::VOTER_ANSWER_TOKENS as usize;
/// Tokens kept for the question to mend an answer, and characters of that answer repeated in it.
const MEND: usize = 2048;
const MAX_ECHO: usize = 1024;
/// Most of a patch in one question, in tokens: a larger window is not used up, since what is in the middle of much is
/// overlooked.
const MAX_ROOM: usize = 48 * 1024;
/// Tokens of the fences around the patch and the files.
const FENCES: usize = 256;
/// The window of a model of which none is known: a task that an earlier version admitted.
const UNKNOWN_WINDOW: u64 = 32 * 1024;
/// Longest patch that is looked at, in bytes; a longer one has more parts than may be asked about in any case.
const MAX_PATCH: usize = 2 * MAX_ROOM * MAX_PARTS;

/// What is judged, whoever judges it.
pub(crate) struct Subject<'a> {
    pub(crate) request: &'a ReviewRequest,
    pub(crate) nonce: Uuid,
    pub(crate) patch: &'a str,
    /// The text files of the judged tree.
    pub(crate) files: &'a Files,
    /// The rejecting ballots of the round before; empty in a blind one.
    pub(crate) dissent: &'a [Ballot],
}

/// A question to one voter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    messages: Vec<Value>,
    pub(crate) words: Words,
    /// The files it is about, in words.
    pub(crate) about: String,
}

impl Asked {
    /// The body of the call.
    pub(crate) fn body(&self) -> Value {
        json!({"model": "default", "messages": self.messages, "max_tokens": MAX_ANSWER})
    }

    /// Digest of the messages.
    pub(crate) fn digest(&self) -> String {
        digest(Value::from(self.messages.clone()).to_string().as_bytes())
    }

    /// The same conversation, with the answer that could not be read and the question to mend it.
    #[must_use]
    pub(crate) fn repaired(&self, answer: &str, fault: &str) -> Self {
        let mut asked = self.clone();
        let echo: String = answer.chars().take(MAX_ECHO).collect();
        asked.messages.push(json!({"role": "assistant", "content": echo}));
        asked.messages.push(json!({"role": "user", "content": format!(
            "Your ballot could not be read: {fault}. Answer with the one JSON object alone, of the form given."
        )}));
        asked
    }
}

/// The questions to a voter whose model has a window of `window` tokens, in the order of the parts; or why it cannot
/// be asked.
pub(crate) fn questions(
    subject: &Subject<'_>,
    seat: &Seat<'_>,
    window: Option<u64>,
) -> Result<Vec<Asked>, Fault> {
    let window = usize::try_from(window.unwrap_or(UNKNOWN_WINDOW)).unwrap_or(usize::MAX);
    let room = room(subject, seat, window).ok_or(Fault::WindowTooSmall { window })?;
    // Two thirds for the patch where it is long; what it leaves is for the files around it.
    let for_patch = (room / 3 * 2).clamp(MIN_ROOM, MAX_ROOM);
    let too_large = || Fault::PatchTooLarge { parts: MAX_PARTS, room: for_patch };
    if subject.patch.len() > MAX_PATCH {
        return Err(too_large());
    }
    let parts = split(&changes(subject.patch), for_patch).map_err(|_| too_large())?;
    let of = parts.len();
    let ask = |(n, part): (usize, &Part)| question(subject, seat, part, (n, of), room.min(MAX_ROOM / 2 * 3));
    Ok(parts.iter().enumerate().map(ask).collect())
}

/// Tokens that a patch and its files may have; none if they are too few for any.
fn room(subject: &Subject<'_>, seat: &Seat<'_>, window: usize) -> Option<usize> {
    let words = Words::of(subject.nonce, seat.voter, 0);
    let said = system(seat, &words, MAX_PARTS, MAX_PARTS) + &head(subject, &words);
    let room = window.checked_sub(MAX_ANSWER + MEND + FENCES + tokens(&said))?;
    (room >= MIN_ROOM).then_some(room)
}

/// What every part's question begins with.
fn head(subject: &Subject<'_>, words: &Words) -> String {
    let mut text = fenced(words, "task", &shown(&subject.request.goal));
    text += &fenced(words, "checks", &checks(&subject.request.guards));
    if !subject.dissent.is_empty() {
        text += &fenced(words, "objections", &objections(subject.dissent));
    }
    text
}

fn question(
    subject: &Subject<'_>,
    seat: &Seat<'_>,
    part: &Part,
    (n, of): (usize, usize),
    room: usize,
) -> Asked {
    let words = Words::of(subject.nonce, seat.voter, n);
    let patch = if part.patch.is_empty() { "(nothing was changed)" } else { &part.patch };
    let mut user = head(subject, &words) + &fenced(&words, "patch", patch);
    let files = excerpts(subject.files, &part.places, room.saturating_sub(tokens(patch)));
    if !files.is_empty() {
        user += &fenced(&words, "files", &files);
    }
    let messages = vec![
        json!({"role": "system", "content": system(seat, &words, n, of)}),
        json!({"role": "user", "content": user}),
    ];
    Asked { messages, words, about: about(part) }
}

/// The first files of a part, and how many more.
fn about(part: &Part) -> String {
    const NAMED: usize = 3;
    let named: Vec<String> = part.places.iter().take(NAMED).map(|place| shown(&place.path)).collect();
    let more = part.places.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", named.join(", "))
}

#[cfg(test)]
#[path = "question_tests.rs"]
mod tests;
