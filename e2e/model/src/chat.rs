//! The streamed form of a Chat Completions answer: server-sent events as OpenAI sends them.

use crate::answer::Answer;
use serde_json::{Value, json};

/// Characters of one piece.
const PIECE: usize = 48;

/// The events of an answer, in order, ending with `[DONE]`.
pub(crate) fn events(answer: &Answer, with_usage: bool) -> Vec<String> {
    let mut deltas = vec![json!({"role": "assistant", "content": ""})];
    deltas.extend(pieces(&answer.content).map(|piece| json!({"content": piece})));
    for (index, call) in answer.tool_calls.iter().enumerate() {
        deltas.push(json!({"tool_calls": [{"index": index, "id": call.id, "type": "function",
            "function": {"name": call.name, "arguments": ""}}]}));
        deltas.extend(
            pieces(&call.arguments)
                .map(|p| json!({"tool_calls": [{"index": index, "function": {"arguments": p}}]})),
        );
    }
    let mut events: Vec<String> = deltas
        .into_iter()
        .map(|delta| {
            event(&answer.chunk(&json!([{"index": 0, "delta": delta, "finish_reason": null}]), None))
        })
        .collect();
    let end = json!([{"index": 0, "delta": {}, "finish_reason": answer.finish.as_str()}]);
    events.push(event(&answer.chunk(&end, None)));
    if with_usage {
        events.push(event(&answer.chunk(&json!([]), Some(answer.usage))));
    }
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn event(chunk: &Value) -> String {
    format!("data: {chunk}\n\n")
}

pub(crate) fn pieces(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut chars = text.chars().peekable();
    std::iter::from_fn(move || {
        chars.peek()?;
        Some(chars.by_ref().take(PIECE).collect())
    })
}
