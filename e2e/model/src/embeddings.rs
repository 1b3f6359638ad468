//! Embeddings: eight numbers that depend on nothing but the text.

use crate::request::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

/// Numbers of one embedding.
const SIZE: usize = 8;

#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    pub(crate) model: String,
    input: Value,
    /// `float`, or `base64` of 32-bit floats, lowest byte first.
    #[serde(default)]
    encoding_format: Option<String>,
}

/// The answer, if its usage is `tokens`.
pub(crate) fn answer(request: &Request, tokens: u64) -> Value {
    let texts: Vec<String> = match &request.input {
        Value::Array(texts) if texts.iter().all(|t| !t.is_number()) => {
            texts.iter().map(Value::to_string).collect()
        }
        one => vec![one.to_string()],
    };
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let numbers = numbers(text);
            let embedding = if request.encoding_format.as_deref() == Some("base64") {
                let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
                json!(STANDARD.encode(bytes))
            } else {
                json!(numbers)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    json!({"object": "list", "model": request.model, "data": data,
           "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})
}

fn numbers(text: &str) -> Vec<f32> {
    let digest = digest(text);
    digest.trim_start_matches("sha256:").bytes().take(SIZE).map(|b| f32::from(b) / 128.0).collect()
}
