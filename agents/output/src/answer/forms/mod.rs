//! The structured answers Golden asks for. Each is a type with its bounds; its schema says the same to programs that
//! are no Rust. Unknown fields are refused: what is not understood must not look accepted.

mod confidence;
mod consensus;
mod patterns;
mod synthesis;
mod vote;

pub use confidence::Confidence;
pub use consensus::{Consensus, Dissent};
pub use patterns::{Pattern, Patterns};
pub use synthesis::{Agreement, Synthesis};
pub use vote::{Place, Vote};

use super::schema::{Schema, SchemaError};
use serde_json::{Value, json};

/// A closed object: all `required` fields, and no others than those listed.
fn closed(required: &[&str], properties: &Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

/// A text of 1 to `limit` characters.
fn text(limit: usize) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": limit})
}

/// Up to `most` of something.
fn list(most: usize, of: &Value) -> Value {
    json!({"type": "array", "maxItems": most, "items": of})
}

fn build(schema: &Value) -> Result<Schema, SchemaError> {
    Schema::new(schema)
}

/// A text's bound is in bytes, as it is stored; a schema counts characters.
fn within(field: &str, size: usize, limit: usize) -> Result<(), String> {
    if size > limit { Err(format!("{field} is longer than {limit}")) } else { Ok(()) }
}

/// A text that says something, within its bound.
fn said(field: &str, text: &str, limit: usize) -> Result<(), String> {
    within(field, text.len(), limit)?;
    if text.trim().is_empty() { Err(format!("{field} is empty")) } else { Ok(()) }
}
