//! The text of a Chat Completions answer.

use serde::Deserialize;

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

/// What the model said; nothing if it said nothing.
pub(crate) fn text(body: &[u8]) -> Result<String, serde_json::Error> {
    let completion: Completion = serde_json::from_slice(body)?;
    Ok(completion.choices.into_iter().next().and_then(|c| c.message.content).unwrap_or_default())
}
