//! The protocols it is spoken to in. Whatever the protocol, a request becomes one of Chat Completions, so that the
//! same recordings answer; the answer is then written in the words of the protocol that asked.

use crate::answer::Answer;
use crate::faults::Fault;
use crate::request::{ChatRequest, Message};
use crate::{chat, messages, responses};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    ChatCompletions,
    Responses,
    Messages,
}

impl Protocol {
    /// Reads a request.
    pub(crate) fn read(self, body: &str) -> Result<ChatRequest, String> {
        let read = match self {
            Self::ChatCompletions => serde_json::from_str(body),
            Self::Responses => serde_json::from_str(body).map(|request: ResponsesRequest| request.chat()),
            Self::Messages => serde_json::from_str(body).map(|request: MessagesRequest| request.chat()),
        };
        read.map_err(|e| format!("the request is not one of {}: {e}", self.name()))
    }

    /// The answer as one object.
    pub(crate) fn whole(self, answer: &Answer, fault: &Fault) -> Value {
        let mut whole = match self {
            Self::ChatCompletions => answer.json(),
            Self::Responses => responses::whole(answer),
            Self::Messages => messages::whole(answer),
        };
        if fault.hide_usage
            && let Some(fields) = whole.as_object_mut()
        {
            fields.remove("usage");
        }
        whole
    }

    /// The events of a streamed answer.
    pub(crate) fn events(self, answer: &Answer, request: &ChatRequest, fault: &Fault) -> Vec<String> {
        match self {
            Self::ChatCompletions => chat::events(answer, request.wants_usage() && !fault.hide_usage),
            Self::Responses => responses::events(answer, !fault.hide_usage),
            Self::Messages => messages::events(answer, !fault.hide_usage),
        }
    }

    /// An error in the shape that the protocol's clients read.
    pub(crate) fn error(self, status: StatusCode, kind: &str, message: &str) -> Value {
        if self != Self::Messages {
            return json!({"error": {"message": message, "type": kind, "param": null, "code": kind}});
        }
        let named = match status.as_u16() {
            401 => "authentication_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            529 => "overloaded_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        };
        json!({"type": "error", "error": {"type": named, "message": message, "code": kind}})
    }

    fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "Chat Completions",
            Self::Responses => "Responses",
            Self::Messages => "Messages",
        }
    }
}

/// A request of OpenAI's Responses, as far as an answer depends on it.
#[derive(Debug, Deserialize)]
struct ResponsesRequest {
    #[serde(default)]
    model: String,
    #[serde(default)]
    instructions: Option<String>,
    input: Value,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    max_output_tokens: Option<u64>,
    #[serde(default)]
    tools: Value,
}

impl ResponsesRequest {
    fn chat(self) -> ChatRequest {
        let mut list: Vec<Message> =
            self.instructions.map(|text| message("system", text.into())).into_iter().collect();
        match self.input {
            Value::Array(items) => list.extend(items.iter().filter_map(item)),
            text => list.push(message("user", text)),
        }
        request(self.model, list, self.tools, self.stream, self.max_output_tokens)
    }
}

/// A message, or a tool's result; calls and thoughts of the model itself bear on nothing.
fn item(item: &Value) -> Option<Message> {
    if let Some(role) = item.get("role").and_then(Value::as_str) {
        return Some(message(role, item.get("content").cloned().unwrap_or_default()));
    }
    let kind = item.get("type").and_then(Value::as_str)?;
    kind.ends_with("_call_output").then(|| message("tool", item.get("output").cloned().unwrap_or_default()))
}

/// A request of Anthropic's Messages, as far as an answer depends on it.
#[derive(Debug, Deserialize)]
struct MessagesRequest {
    #[serde(default)]
    model: String,
    #[serde(default)]
    system: Option<Value>,
    messages: Vec<Message>,
    #[serde(default)]
    stream: bool,
    max_tokens: u64,
    #[serde(default)]
    tools: Value,
}

impl MessagesRequest {
    fn chat(self) -> ChatRequest {
        let mut list: Vec<Message> = self.system.map(|text| message("system", text)).into_iter().collect();
        for said in self.messages {
            let results: Vec<Message> = said
                .content
                .as_array()
                .into_iter()
                .flatten()
                .filter(|block| block.get("type").is_some_and(|t| t == "tool_result"))
                .map(|block| message("tool", block.get("content").cloned().unwrap_or_default()))
                .collect();
            // Words beside a tool's result are the client's reminders, not a question.
            if results.is_empty() {
                list.push(said);
            } else {
                list.extend(results);
            }
        }
        request(self.model, list, self.tools, self.stream, Some(self.max_tokens))
    }
}

fn message(role: &str, content: Value) -> Message {
    Message { role: role.to_owned(), content }
}

fn request(
    model: String,
    messages: Vec<Message>,
    tools: Value,
    stream: bool,
    max_tokens: Option<u64>,
) -> ChatRequest {
    ChatRequest {
        model,
        messages,
        stream,
        stream_options: None,
        max_tokens,
        max_completion_tokens: None,
        tools,
    }
}
