//! The part of a Chat Completions request that an answer depends on.

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A request. Fields that do not bear on the answer are ignored.
#[derive(Clone, Debug, Deserialize)]
pub struct ChatRequest {
    #[serde(default)]
    pub model: String,
    pub messages: Vec<Message>,
    #[serde(default)]
    pub stream: bool,
    #[serde(default)]
    pub stream_options: Option<StreamOptions>,
    #[serde(default)]
    pub max_tokens: Option<u64>,
    #[serde(default)]
    pub max_completion_tokens: Option<u64>,
    /// The tools on offer, in the words of the protocol that asked.
    #[serde(default)]
    pub tools: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct StreamOptions {
    #[serde(default)]
    pub include_usage: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Message {
    pub role: String,
    /// Text, or parts of which the text ones count.
    #[serde(default)]
    pub content: Value,
}

impl Message {
    fn text(&self) -> String {
        match &self.content {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts.iter().filter_map(|p| p.get("text")?.as_str()).collect(),
            _ => String::new(),
        }
    }
}

impl ChatRequest {
    /// The most tokens the answer may have.
    pub fn max_output(&self) -> u64 {
        self.max_completion_tokens.or(self.max_tokens).unwrap_or(u64::MAX)
    }

    pub fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|o| o.include_usage)
    }
}

/// What a recording is matched against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Situation {
    /// From a line `Role: ‹role›` of the system prompt; empty where none states it, as with agents of other makers.
    pub role: String,
    /// From a line `Attempt: ‹n›` of the system prompt.
    pub attempt: Option<u32>,
    /// The names of the tools on offer, in order.
    pub offered: Vec<String>,
    /// What the user said, in order. Messages with no answer between them are one: some clients put what they know of
    /// their surroundings before the question.
    pub asked: Vec<String>,
    /// The results of tools, in order.
    pub tool_results: Vec<String>,
}

impl Situation {
    pub fn of(request: &ChatRequest) -> Self {
        let mut situation = Self { offered: names(&request.tools), ..Self::default() };
        let mut goes_on = false;
        for message in &request.messages {
            let text = message.text();
            match message.role.as_str() {
                "system" | "developer" => {
                    if let Some(role) = marker(&text, "Role:") {
                        role.clone_into(&mut situation.role);
                    }
                    situation.attempt =
                        marker(&text, "Attempt:").and_then(|n| n.parse().ok()).or(situation.attempt);
                }
                "user" => {
                    situation.ask(text, goes_on);
                    goes_on = true;
                }
                "tool" => {
                    situation.tool_results.push(text);
                    goes_on = false;
                }
                _ => goes_on = false,
            }
        }
        situation
    }

    fn ask(&mut self, text: String, goes_on: bool) {
        match self.asked.last_mut().filter(|_| goes_on) {
            Some(last) => {
                last.push('\n');
                last.push_str(&text);
            }
            None => self.asked.push(text),
        }
    }

    /// What was asked first: the task.
    pub fn task(&self) -> &str {
        self.asked.first().map_or("", String::as_str)
    }

    /// Digests of the tools' results, as recordings and errors name them.
    pub fn result_digests(&self) -> Vec<String> {
        self.tool_results.iter().map(|r| digest(r)).collect()
    }
}

/// The names of tools; Chat Completions has them one level deeper than the others.
fn names(tools: &Value) -> Vec<String> {
    let tools = tools.as_array().into_iter().flatten();
    tools
        .filter_map(|tool| tool.get("function").unwrap_or(tool).get("name")?.as_str())
        .map(Into::into)
        .collect()
}

/// `sha256:‹hex›` of a text.
pub(crate) fn digest(text: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(text.as_bytes())))
}

fn marker<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim)
}
