//! An answer: what is said, why it ends, and what it costs in tokens.
//!
//! A token is four bytes here, rounded up: close to real ones, exact to recompute, and never more than one
//! per byte.

use crate::recording::Reply;
use crate::request::{ChatRequest, digest};
use serde_json::{Value, json};

/// Bytes that make one token.
const BYTES_PER_TOKEN: usize = 4;

/// Seconds since 1970 stated in every answer: an answer depends on nothing but its request.
pub(crate) const CREATED: u64 = 1_700_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub id: String,
    pub model: String,
    pub content: String,
    pub tool_calls: Vec<ToolCall>,
    pub finish: Finish,
    pub usage: Usage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// JSON, as text.
    pub arguments: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    Stop,
    ToolCalls,
    Length,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub prompt: u64,
    /// Of the prompt: read from a cache, as a fault may order.
    pub cached: u64,
    pub completion: u64,
}

impl Finish {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::ToolCalls => "tool_calls",
            Self::Length => "length",
        }
    }
}

impl Usage {
    pub fn json(self) -> Value {
        json!({
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        })
    }
}

impl Answer {
    /// The recorded reply to `body`, cut where the request's own limit ends it.
    pub fn of(reply: &Reply, request: &ChatRequest, body: &str) -> Self {
        let fingerprint = digest(body);
        let short = fingerprint.trim_start_matches("sha256:").get(..24).unwrap_or_default().to_owned();
        let calls = reply.tool_calls.iter().enumerate();
        let mut answer = Self {
            id: format!("chatcmpl-{short}"),
            model: request.model.clone(),
            content: reply.content.clone(),
            tool_calls: calls.map(|(n, call)| call.call(format!("call_{short}_{n}"))).collect(),
            finish: if reply.tool_calls.is_empty() { Finish::Stop } else { Finish::ToolCalls },
            usage: Usage { prompt: tokens(body.len()), cached: 0, completion: 0 },
        };
        answer.usage.completion = tokens(answer.bytes());
        let room = request.max_output().saturating_sub(reply.reasoning_tokens);
        if answer.usage.completion > room {
            answer.cut(room);
        }
        answer.usage.completion =
            (answer.usage.completion + reply.reasoning_tokens).min(request.max_output());
        answer
    }

    fn bytes(&self) -> usize {
        self.content.len() + self.tool_calls.iter().map(|c| c.name.len() + c.arguments.len()).sum::<usize>()
    }

    /// Ends the answer after `limit` tokens, as a real model does: in the middle of whatever it was saying.
    fn cut(&mut self, limit: u64) {
        let mut room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_mul(BYTES_PER_TOKEN);
        truncate(&mut self.content, &mut room);
        self.tool_calls.retain_mut(|call| {
            if room <= call.name.len() {
                room = 0;
                return false;
            }
            room -= call.name.len();
            truncate(&mut call.arguments, &mut room);
            true
        });
        self.finish = Finish::Length;
        self.usage.completion = tokens(self.bytes()).min(limit);
    }

    /// The answer as one object.
    pub fn json(&self) -> Value {
        let calls: Vec<Value> = self.tool_calls.iter().map(ToolCall::json).collect();
        let mut message = json!({"role": "assistant", "content": self.content});
        if !calls.is_empty() {
            message["tool_calls"] = Value::Array(calls);
        }
        json!({
            "id": self.id, "object": "chat.completion", "created": CREATED, "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish.as_str()}],
            "usage": self.usage.json(),
        })
    }

    /// One chunk of the streamed form.
    pub(crate) fn chunk(&self, choices: &Value, usage: Option<Usage>) -> Value {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": CREATED, "model": self.model,
            "choices": choices,
        });
        if let Some(usage) = usage {
            chunk["usage"] = usage.json();
        }
        chunk
    }
}

impl ToolCall {
    fn json(&self) -> Value {
        json!({"id": self.id, "type": "function",
               "function": {"name": self.name, "arguments": self.arguments}})
    }
}

pub(crate) fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN) as u64
}

fn truncate(text: &mut String, room: &mut usize) {
    let mut end = text.len().min(*room);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    *room -= end;
}
