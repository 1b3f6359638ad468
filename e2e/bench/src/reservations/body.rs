//! What clients send. A session's prompt grows as theirs do: instructions that all sessions have in common, the goal, and
//! for each turn what the model said and what its tool gave. Nothing of an earlier turn changes but the mark of what to
//! cache, which Claude Code has on the last one.

use super::sizes::{Client, Size, TURN_BYTES};
use bytes::Bytes;

/// The recorded model knows the task by the words of its goal, and who asks by these of its instructions.
const GOAL: &str = "slugify() drops non-ASCII letters. Transliterate them.";
const ROLE: &str = r"Role: developer\nAttempt: 1\n";
/// Stands for tools, instructions and what was said before.
const FILLER: &str = "A tool is described here by what it takes, what it gives and when it is to be used. ";
const MARK: &str = r#","cache_control":{"type":"ephemeral"}"#;
/// The model's part of a turn.
const SAID_BYTES: u64 = 400;

/// The request, as long as its size says. `place` is part of the instructions: sessions of one place have them in common
/// and share nothing with those of others. The recorded upstream is told how long its answer is by what clients send
/// beside the prompt.
pub(crate) fn body(place: &str, size: Size) -> Bytes {
    let head = match size.client {
        Client::ClaudeCode => r#"{"model":"standard","max_tokens":64000,"system":""#,
        Client::Codex => r#"{"model":"standard","instructions":""#,
    };
    let before = format!("{head}{ROLE}{place} ");
    padded(&before, &after(size), size.bytes()).into()
}

/// Everything behind the instructions.
fn after(size: Size) -> String {
    let Size { client, session, turn, output } = size;
    let goal = format!("{GOAL} Session {session:010}. ");
    let rest = client.first_bytes() - client.common_bytes();
    let field = match client {
        Client::ClaudeCode => "messages",
        Client::Codex => "input",
    };
    let mut text = format!(r#"","metadata":{{"user_id":"{output:05}"}},"{field}":["#);
    match client {
        Client::ClaudeCode => text += &user(&goal, rest, turn == 0),
        Client::Codex => {
            text += &padded(&format!(r#"{{"type":"message","role":"user","content":"{goal}"#), r#""}"#, rest);
        }
    }
    for n in 1..=turn {
        let gave = TURN_BYTES - SAID_BYTES;
        match client {
            Client::ClaudeCode => {
                text += &padded(r#",{"role":"assistant","content":""#, r#""},"#, SAID_BYTES);
                text += &user("", gave, n == turn);
            }
            Client::Codex => {
                let call = format!(r#""call_id":"c{n:02}""#);
                let said = format!(r#",{{"type":"function_call",{call},"name":"shell","arguments":""#);
                text += &padded(&said, r#""}"#, SAID_BYTES);
                let output = format!(r#",{{"type":"function_call_output",{call},"output":""#);
                text += &padded(&output, r#""}"#, gave);
            }
        }
    }
    text + "]}"
}

/// A message of so many bytes, and the mark.
fn user(words: &str, bytes: u64, marked: bool) -> String {
    let before = format!(r#"{{"role":"user","content":[{{"type":"text","text":"{words}"#);
    let mut text = padded(&before, "\"", bytes - 3);
    if marked {
        text += MARK;
    }
    text + "}]}"
}

/// Filled up between the two to so many bytes.
fn padded(before: &str, after: &str, bytes: u64) -> String {
    let bytes = usize::try_from(bytes).unwrap_or(0);
    let mut text = String::with_capacity(bytes.max(before.len() + after.len()));
    text.push_str(before);
    while text.len() + after.len() < bytes {
        let left = bytes - text.len() - after.len();
        text.push_str(FILLER.get(..left.min(FILLER.len())).unwrap_or_default());
    }
    text + after
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservations::sizes::CLIENTS;
    use serde_json::Value;

    fn read(size: Size) -> Value {
        serde_json::from_slice(&body("a place", size)).unwrap()
    }

    #[test]
    fn a_body_is_json_as_long_as_its_size_says() {
        for (session, turn) in (0..10).flat_map(|session| [0, 1, 9].map(|turn| (session, turn))) {
            let size = Size::of(session, turn);
            assert_eq!(body("a place", size).len() as u64, size.bytes());
            let read = read(size);
            let told: u64 = read["metadata"]["user_id"].as_str().unwrap().parse().unwrap();
            assert_eq!(told, size.output);
            let asked = read.get("max_tokens").and_then(Value::as_u64);
            assert_eq!(asked, (size.client == Client::ClaudeCode).then_some(64_000));
        }
    }

    #[test]
    fn a_session_grows_by_its_turns_and_has_its_instructions_in_common_with_others() {
        for client in CLIENTS {
            let at = |session, turn| read(Size { client, session, turn, output: 1 });
            let (head, turns) = match client {
                Client::ClaudeCode => ("system", "messages"),
                Client::Codex => ("instructions", "input"),
            };
            let (first, later, other) = (at(1, 0), at(1, 3), at(2, 3));
            assert_eq!(first[head], later[head]);
            assert_eq!(later[head], other[head]);
            let common = first[head].as_str().unwrap().len() as u64;
            assert!((client.common_bytes() - 300..client.common_bytes()).contains(&common), "{common}");
            assert_ne!(later[turns][0], other[turns][0], "another goal");
            assert_eq!(later[turns].as_array().unwrap().len(), 7);
            let marks = |request: &Value| request.to_string().matches("cache_control").count();
            assert_eq!(
                (marks(&first), marks(&later)),
                if client == Client::ClaudeCode { (1, 1) } else { (0, 0) }
            );
        }
    }
}
