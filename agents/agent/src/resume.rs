//! Going on where an earlier try of the same attempt was stopped: its transcript is the conversation so far.

use crate::chat::Message;
use crate::limits;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The conversation in `transcript.jsonl`, up to where the model is asked next; none if there is none that begins as ours
/// do.
pub(crate) fn conversation(golden: &Path) -> Option<Vec<Message>> {
    let mut text = Vec::new();
    let file = File::open(golden.join("transcript.jsonl")).ok()?;
    file.take(limits::TRANSCRIPT as u64).read_to_end(&mut text).ok()?;
    let found = parse(&String::from_utf8_lossy(&text));
    matches!(found.get(..2), Some([Message::System { .. }, Message::User { .. }])).then_some(found)
}

/// The messages before the first line that is none: the last line may have been cut off with its writer.
fn parse(text: &str) -> Vec<Message> {
    let lines = text.lines().map_while(|line| serde_json::from_str(line).ok());
    let mut messages: Vec<Message> = lines.collect();
    let last = messages.iter().rposition(|m| matches!(m, Message::Assistant { .. }));
    if let Some(at) = last
        && messages.len() - at - 1 < messages.get(at).map_or(0, replies)
    {
        // Not all of its calls were carried out: it is asked for again, and looks at the workspace as it is.
        messages.truncate(at);
    }
    messages
}

/// How many messages follow an answer before the model is asked again.
fn replies(answer: &Message) -> usize {
    match answer {
        Message::Assistant { tool_calls, .. } => tool_calls.len().max(1),
        _ => 0,
    }
}

/// Answers of the model so far, and how many of the newest used no tool.
pub(crate) fn answers(messages: &[Message]) -> (u32, u32) {
    let (mut all, mut idle) = (0, 0);
    for message in messages {
        if let Message::Assistant { tool_calls, .. } = message {
            all += 1;
            idle = if tool_calls.is_empty() { idle + 1 } else { 0 };
        }
    }
    (all, idle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ToolCall;

    fn said(calls: usize) -> Message {
        let call = |n: usize| ToolCall { id: n.to_string(), ..ToolCall::default() };
        Message::Assistant { content: "c".into(), tool_calls: (0..calls).map(call).collect() }
    }

    fn done(n: usize) -> Message {
        Message::Tool { tool_call_id: n.to_string(), content: "ok".into() }
    }

    fn user() -> Message {
        Message::User { content: "do".into() }
    }

    fn lines(messages: &[Message]) -> String {
        messages.iter().map(|m| serde_json::to_string(m).unwrap() + "\n").collect()
    }

    #[test]
    fn a_conversation_is_taken_up_where_the_model_is_asked_next() {
        let opening = [Message::System { content: "s".into() }, user()];
        for (more, kept) in [
            (vec![], 0),
            (vec![said(2), done(0), done(1)], 3),
            (vec![said(2), done(0)], 0),
            (vec![said(1), done(0), said(1)], 2),
            (vec![said(0), user()], 2),
            (vec![said(0)], 0),
        ] {
            let whole: Vec<Message> = opening.iter().cloned().chain(more.clone()).collect();
            assert_eq!(parse(&lines(&whole)), whole[..2 + kept], "{more:?}");
            let torn = lines(&whole) + "{\"role\":\"tool\",\"tool_ca";
            assert_eq!(parse(&torn), whole[..2 + kept], "torn: {more:?}");
        }
    }

    #[test]
    fn what_is_no_conversation_of_ours_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(conversation(dir.path()), None);
        for text in [String::new(), "{}\n".into(), "\u{0}\n".into(), lines(&[user(), said(1), done(0)])] {
            std::fs::write(dir.path().join("transcript.jsonl"), &text).unwrap();
            assert_eq!(conversation(dir.path()), None, "{text}");
        }
    }

    #[test]
    fn steps_and_idle_answers_count_across_the_pause() {
        assert_eq!(answers(&[user(), said(1), done(0), said(0), user(), said(0), user()]), (3, 2));
        assert_eq!(answers(&[user(), said(0), user(), said(1), done(0)]), (2, 0));
    }
}
