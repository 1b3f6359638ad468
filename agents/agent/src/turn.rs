//! What follows from one answer of the model: pure, but for the tools it calls.

use crate::chat::{AssistantTurn, Message};
use crate::confine::Workspace;
use crate::limits;
use crate::tools::{self, Outcome};

/// What follows.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Ask again, with these messages added.
    Ask(Vec<Message>),
    Finished(String),
}

/// Carries out the calls of an answer; says what to add to the conversation.
pub(crate) fn follow(workspace: &Workspace, turn: &AssistantTurn) -> Next {
    if turn.tool_calls.is_empty() {
        return Next::Ask(vec![Message::User { content: nudge(turn) }]);
    }
    let mut results = Vec::new();
    for call in &turn.tool_calls {
        match tools::call(workspace, call) {
            Outcome::Finished(summary) => return Next::Finished(summary),
            Outcome::Result(mut content) => {
                if turn.finish == "length" {
                    content.push_str(&cut_off());
                }
                results.push(Message::Tool { tool_call_id: call.id.clone(), content });
            }
        }
    }
    Next::Ask(results)
}

fn nudge(turn: &AssistantTurn) -> String {
    if turn.finish == "length" {
        return cut_off();
    }
    "Go on with a tool, or call finish when the work is done.".to_owned()
}

fn cut_off() -> String {
    format!(
        "\n(Your answer was cut off at {} tokens. Write large files in parts: first write_file, then \
         replace_in_file.)",
        limits::ANSWER_TOKENS
    )
}

/// Shortens old tool results until the conversation fits; the newest four messages stay whole.
pub(crate) fn shorten(messages: &mut [Message], limit: usize) {
    let mut size: usize = messages.iter().map(Message::size).sum();
    let old = messages.len().saturating_sub(4);
    for message in messages.iter_mut().take(old) {
        if size <= limit {
            return;
        }
        if let Message::Tool { content, .. } = message
            && content.len() > 200
        {
            size -= content.len();
            *content = format!("({} bytes, dropped to save room; ask again if needed)", content.len());
            size += content.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_results_make_room_for_new_ones() {
        let tool = |n: usize| Message::Tool { tool_call_id: n.to_string(), content: "x".repeat(1000) };
        let mut messages = vec![Message::System { content: "s".repeat(500) }];
        messages.extend((0..10).map(tool));
        shorten(&mut messages, 6000);
        let sizes: Vec<usize> = messages.iter().map(Message::size).collect();
        assert!(sizes.iter().sum::<usize>() <= 6000, "{sizes:?}");
        assert_eq!(sizes[0], 500);
        assert!(sizes[7..].iter().all(|s| *s == 1000), "{sizes:?}");
    }
}
