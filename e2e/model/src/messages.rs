//! An answer in the words of Anthropic's Messages: one object, or the events that build it.

use crate::answer::{Answer, Finish};
use crate::chat::pieces;
use serde_json::{Value, json};

/// The message as one object.
pub(crate) fn whole(answer: &Answer) -> Value {
    let mut whole = outline(answer);
    whole["content"] = blocks(answer).into();
    whole["stop_reason"] = stop_reason(answer).into();
    whole["usage"]["output_tokens"] = answer.usage.completion.into();
    whole
}

/// The events of a message, in order.
pub(crate) fn events(answer: &Answer, with_usage: bool) -> Vec<String> {
    let mut begun = outline(answer);
    let mut usage = json!({"output_tokens": answer.usage.completion});
    if !with_usage {
        begun["usage"] = Value::Null;
        usage = Value::Null;
    }
    let mut events = vec![event("message_start", json!({"message": begun})), event("ping", json!({}))];
    for (index, block) in blocks(answer).iter().enumerate() {
        let (empty, deltas) = parts(block);
        events.push(event("content_block_start", json!({"index": index, "content_block": empty})));
        let deltas = deltas.into_iter();
        events.extend(deltas.map(|d| event("content_block_delta", json!({"index": index, "delta": d}))));
        events.push(event("content_block_stop", json!({"index": index})));
    }
    let delta = json!({"stop_reason": stop_reason(answer), "stop_sequence": null});
    events.push(event("message_delta", json!({"delta": delta, "usage": usage})));
    events.push(event("message_stop", json!({})));
    events
}

fn event(kind: &str, mut data: Value) -> String {
    data["type"] = kind.into();
    format!("event: {kind}\ndata: {data}\n\n")
}

/// The message without what it says, and with the part of the usage that is known before.
fn outline(answer: &Answer) -> Value {
    let used = answer.usage;
    json!({
        "id": format!("msg_{}", answer.id.trim_start_matches("chatcmpl-")), "type": "message", "role": "assistant",
        "model": answer.model, "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {
            "input_tokens": used.prompt - used.cached, "cache_read_input_tokens": used.cached,
            "cache_creation_input_tokens": 0, "output_tokens": 1,
        },
    })
}

fn blocks(answer: &Answer) -> Vec<Value> {
    let text = (!answer.content.is_empty()).then(|| json!({"type": "text", "text": answer.content}));
    let calls = answer.tool_calls.iter().map(|call| {
        // Arguments that the cap cut off are no JSON any more; Anthropic's own come as what could be read of them.
        let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        json!({"type": "tool_use", "id": format!("toolu_{}", call.id.trim_start_matches("call_")),
               "name": call.name, "input": input})
    });
    text.into_iter().chain(calls).collect()
}

/// A block as it begins, and what is added to it.
fn parts(block: &Value) -> (Value, Vec<Value>) {
    let mut empty = block.clone();
    if let Some(text) = block.get("text").and_then(Value::as_str) {
        empty["text"] = "".into();
        return (empty, pieces(text).map(|p| json!({"type": "text_delta", "text": p})).collect());
    }
    let input = block.get("input").map(Value::to_string).unwrap_or_default();
    empty["input"] = json!({});
    (empty, pieces(&input).map(|p| json!({"type": "input_json_delta", "partial_json": p})).collect())
}

fn stop_reason(answer: &Answer) -> &'static str {
    match answer.finish {
        Finish::Stop => "end_turn",
        Finish::ToolCalls => "tool_use",
        Finish::Length => "max_tokens",
    }
}
