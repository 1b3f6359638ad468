//! The agent's side of Chat Completions: what it sends, and an answer put together from a stream.

use crate::limits;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One message of the conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub(crate) enum Message {
    System {
        content: String,
    },
    User {
        content: String,
    },
    Assistant {
        content: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall>,
    },
    Tool {
        tool_call_id: String,
        content: String,
    },
}

impl Message {
    /// Bytes it adds to a request, without framing.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::System { content } | Self::User { content } | Self::Tool { content, .. } => content.len(),
            Self::Assistant { content, tool_calls } => {
                content.len() + tool_calls.iter().map(|c| c.function.arguments.len()).sum::<usize>()
            }
        }
    }
}

/// A call of a tool, as the model made it: the arguments are whatever text it wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: CallKind,
    pub function: Function,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallKind {
    #[default]
    Function,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    pub name: String,
    pub arguments: String,
}

/// One answer of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssistantTurn {
    pub content: String,
    pub tool_calls: Vec<ToolCall>,
    /// `stop`, `tool_calls`, `length`…; empty when the stream ended without one.
    pub finish: String,
    pub usage: Usage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Usage {
    #[serde(default)]
    pub prompt_tokens: u64,
    #[serde(default)]
    pub completion_tokens: u64,
}

/// The body of a request.
pub(crate) fn request(model: &str, messages: &[Message], tools: &Value) -> Value {
    json!({
        "model": model,
        "messages": messages,
        "tools": tools,
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_tokens": limits::ANSWER_TOKENS,
    })
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<ErrorBody>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    #[serde(default)]
    tool_calls: Vec<CallDelta>,
}

#[derive(Deserialize)]
struct CallDelta {
    #[serde(default)]
    index: usize,
    id: Option<String>,
    #[serde(default)]
    function: FunctionDelta,
}

#[derive(Default, Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ErrorBody {
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default, rename = "type")]
    pub(crate) kind: Option<String>,
}

/// What went wrong while an answer was put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not what this protocol says.
    Malformed(String),
    /// The server reported an error in the middle of the stream.
    Reported { message: String, transient: bool },
}

impl AssistantTurn {
    /// Takes in the data of one event of the stream.
    pub(crate) fn take(&mut self, data: &str) -> Result<(), Fault> {
        let chunk: Chunk = serde_json::from_str(data)
            .map_err(|e| Fault::Malformed(format!("{e} in {:?}", limits::head(data, 200))))?;
        if let Some(error) = chunk.error {
            let transient = matches!(error.kind.as_deref(), Some("server_error" | "upstream_error"));
            return Err(Fault::Reported { message: error.message, transient });
        }
        if let Some(usage) = chunk.usage {
            self.usage = usage;
        }
        let Some(choice) = chunk.choices.into_iter().next() else {
            return Ok(());
        };
        self.content.push_str(choice.delta.content.as_deref().unwrap_or_default());
        for delta in choice.delta.tool_calls {
            self.take_call(delta)?;
        }
        if let Some(finish) = choice.finish_reason {
            self.finish = finish;
        }
        Ok(())
    }

    fn take_call(&mut self, delta: CallDelta) -> Result<(), Fault> {
        if delta.index >= limits::CALLS {
            return Err(Fault::Malformed(format!("more than {} calls in one answer", limits::CALLS)));
        }
        while self.tool_calls.len() <= delta.index {
            self.tool_calls.push(ToolCall::default());
        }
        if let Some(call) = self.tool_calls.get_mut(delta.index) {
            if let Some(id) = delta.id {
                call.id = id;
            }
            call.function.name.push_str(delta.function.name.as_deref().unwrap_or_default());
            call.function.arguments.push_str(delta.function.arguments.as_deref().unwrap_or_default());
        }
        Ok(())
    }

    /// The answer as a message of the conversation.
    pub(crate) fn message(&self) -> Message {
        Message::Assistant { content: self.content.clone(), tool_calls: self.tool_calls.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_put_together_from_its_pieces() {
        let mut turn = AssistantTurn::default();
        for data in [
            r#"{"choices":[{"delta":{"role":"assistant","content":"Hel"}}]}"#,
            r#"{"choices":[{"delta":{"content":"lo"}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"read_file","arguments":""}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"path\":"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"a\"}"}}]}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#,
        ] {
            turn.take(data).unwrap();
        }
        assert_eq!(turn.content, "Hello");
        assert_eq!(turn.tool_calls[0].function.arguments, r#"{"path":"a"}"#);
        assert_eq!((turn.finish.as_str(), turn.usage.completion_tokens), ("tool_calls", 3));
    }

    #[test]
    fn an_error_in_the_stream_is_reported() {
        let fault = AssistantTurn::default().take(r#"{"error":{"message":"no money"}}"#).unwrap_err();
        assert_eq!(fault, Fault::Reported { message: "no money".into(), transient: false });
    }

    #[test]
    fn a_call_number_cannot_take_all_memory() {
        let data = r#"{"choices":[{"delta":{"tool_calls":[{"index":4000000000}]}}]}"#;
        assert!(matches!(AssistantTurn::default().take(data), Err(Fault::Malformed(_))));
    }
}
