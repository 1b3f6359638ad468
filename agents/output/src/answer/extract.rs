//! The JSON objects of an answer: bare, in a fenced block, or with words around them.

use serde_json::{Map, Value};

/// Most places where an object is tried: words may hold many braces.
const MAX_TRIES: usize = 4096;

/// The objects that an answer holds, largest first; of equally large ones the first.
///
/// The rule: an answer that is one object as a whole is that object, whatever its texts quote. Otherwise, if the first
/// fenced block with an object in it stands there, only that block counts: what stands outside is words about it.
/// Otherwise all of it counts. Objects inside others are parts of them.
///
/// Linear: an object that is not one is left where it stops being JSON, and it is read at most 128 deep.
pub fn objects(answer: &str) -> Vec<&str> {
    let whole = answer.trim();
    if whole.starts_with('{') && object(whole).is_some_and(|length| length == whole.len()) {
        return vec![whole];
    }
    let mut found = fenced(answer).map(scan).find(|found| !found.is_empty()).unwrap_or_else(|| scan(answer));
    found.sort_by_key(|object| std::cmp::Reverse(object.len()));
    found
}

/// The contents of fenced blocks, their language's name included. One that is not closed goes to the end.
fn fenced(answer: &str) -> impl Iterator<Item = &str> {
    answer.split("```").skip(1).step_by(2)
}

fn scan(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut at = 0;
    for _ in 0..MAX_TRIES {
        let Some(begin) = text.get(at..).and_then(|rest| rest.find('{')).map(|next| at + next) else { break };
        let rest = text.get(begin..).unwrap_or_default();
        match object(rest) {
            Some(length) => {
                found.extend(rest.get(..length));
                at = begin + length;
            }
            None => at = begin + 1,
        }
    }
    found
}

/// The length of the object at the beginning of a text.
fn object(text: &str) -> Option<usize> {
    // Built, though not kept: a value that is only skipped may nest without bound.
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Map<String, Value>>();
    values.next()?.ok()?;
    Some(values.byte_offset())
}
