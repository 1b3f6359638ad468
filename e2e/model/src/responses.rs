//! An answer in the words of OpenAI's Responses: one object, or the events that build it.

use crate::answer::{Answer, CREATED, Finish, ToolCall};
use crate::chat::pieces;
use serde_json::{Value, json};

/// The response as one object.
pub(crate) fn whole(answer: &Answer) -> Value {
    let (status, why) = match answer.finish {
        Finish::Length => ("incomplete", json!({"reason": "max_output_tokens"})),
        Finish::Stop | Finish::ToolCalls => ("completed", Value::Null),
    };
    let mut whole = outline(answer, status);
    whole["incomplete_details"] = why;
    whole["output"] = items(answer).into();
    whole["usage"] = usage(answer);
    whole
}

/// The events of a response, in order.
pub(crate) fn events(answer: &Answer, with_usage: bool) -> Vec<String> {
    let mut stream = Stream { events: Vec::new() };
    stream.push("response.created", json!({"response": outline(answer, "in_progress")}));
    stream.push("response.in_progress", json!({"response": outline(answer, "in_progress")}));
    let mut index = 0;
    if !answer.content.is_empty() {
        stream.text(answer, index);
        index += 1;
    }
    for (number, call) in answer.tool_calls.iter().enumerate() {
        stream.call(call, index + number);
    }
    let mut last = whole(answer);
    if !with_usage {
        last["usage"] = Value::Null;
    }
    let kind = if answer.finish == Finish::Length { "response.incomplete" } else { "response.completed" };
    stream.push(kind, json!({"response": last}));
    stream.events
}

struct Stream {
    events: Vec<String>,
}

impl Stream {
    fn push(&mut self, kind: &str, mut data: Value) {
        data["type"] = kind.into();
        data["sequence_number"] = self.events.len().into();
        self.events.push(format!("event: {kind}\ndata: {data}\n\n"));
    }

    fn text(&mut self, answer: &Answer, index: usize) {
        let id = message_id(answer);
        let empty = json!({"type": "output_text", "text": "", "annotations": []});
        let full = json!({"type": "output_text", "text": answer.content, "annotations": []});
        let begun =
            json!({"type": "message", "id": id, "role": "assistant", "status": "in_progress", "content": []});
        self.push("response.output_item.added", json!({"output_index": index, "item": begun}));
        let place = json!({"item_id": id, "output_index": index, "content_index": 0});
        let at = |field: &str, value: Value| {
            let mut data = place.clone();
            data[field] = value;
            data
        };
        self.push("response.content_part.added", at("part", empty));
        for piece in pieces(&answer.content) {
            let mut data = at("delta", piece.into());
            data["logprobs"] = json!([]);
            self.push("response.output_text.delta", data);
        }
        let mut done = at("text", answer.content.clone().into());
        done["logprobs"] = json!([]);
        self.push("response.output_text.done", done);
        self.push("response.content_part.done", at("part", full));
        self.push("response.output_item.done", json!({"output_index": index, "item": message_item(answer)}));
    }

    fn call(&mut self, call: &ToolCall, index: usize) {
        let mut begun = call_item(call);
        begun["arguments"] = "".into();
        begun["status"] = "in_progress".into();
        self.push("response.output_item.added", json!({"output_index": index, "item": begun}));
        let id = item_id(call);
        for piece in pieces(&call.arguments) {
            let data = json!({"item_id": id, "output_index": index, "delta": piece});
            self.push("response.function_call_arguments.delta", data);
        }
        let done =
            json!({"item_id": id, "output_index": index, "name": call.name, "arguments": call.arguments});
        self.push("response.function_call_arguments.done", done);
        self.push("response.output_item.done", json!({"output_index": index, "item": call_item(call)}));
    }
}

/// The response without what it says.
fn outline(answer: &Answer, status: &str) -> Value {
    json!({
        "id": format!("resp_{}", answer.id.trim_start_matches("chatcmpl-")), "object": "response",
        "created_at": CREATED, "status": status, "error": null, "incomplete_details": null, "instructions": null,
        "model": answer.model, "output": [], "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
        "temperature": null, "top_p": null, "metadata": {}, "usage": null,
    })
}

fn items(answer: &Answer) -> Vec<Value> {
    let text = (!answer.content.is_empty()).then(|| message_item(answer));
    text.into_iter().chain(answer.tool_calls.iter().map(call_item)).collect()
}

fn message_id(answer: &Answer) -> String {
    format!("msg_{}", answer.id.trim_start_matches("chatcmpl-"))
}

fn message_item(answer: &Answer) -> Value {
    json!({"type": "message", "id": message_id(answer), "role": "assistant", "status": "completed",
           "content": [{"type": "output_text", "text": answer.content, "annotations": []}]})
}

fn item_id(call: &ToolCall) -> String {
    format!("fc_{}", call.id.trim_start_matches("call_"))
}

fn call_item(call: &ToolCall) -> Value {
    json!({"type": "function_call", "id": item_id(call), "call_id": call.id, "name": call.name,
           "arguments": call.arguments, "status": "completed"})
}

fn usage(answer: &Answer) -> Value {
    let used = answer.usage;
    json!({
        "input_tokens": used.prompt, "input_tokens_details": {"cached_tokens": used.cached},
        "output_tokens": used.completion, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": used.prompt + used.completion,
    })
}
