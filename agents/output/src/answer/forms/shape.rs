//! What the forms' schemas and checks are made of.

use crate::answer::schema::{Schema, SchemaError};
use serde_json::{Value, json};

/// A closed object: all `required` fields, and no others than those listed.
pub(super) fn closed(required: &[&str], properties: &Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

/// A text of 1 to `limit` characters.
pub(super) fn text(limit: usize) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": limit})
}

/// Up to `most` of something.
pub(super) fn list(most: usize, of: &Value) -> Value {
    json!({"type": "array", "maxItems": most, "items": of})
}

pub(super) fn build(schema: &Value) -> Result<Schema, SchemaError> {
    Schema::new(schema)
}

/// A text's bound is in bytes, as it is stored; a schema counts characters.
pub(super) fn within(field: &str, size: usize, limit: usize) -> Result<(), String> {
    if size > limit { Err(format!("{field} is longer than {limit}")) } else { Ok(()) }
}

/// A text that says something, within its bound.
pub(super) fn said(field: &str, text: &str, limit: usize) -> Result<(), String> {
    within(field, text.len(), limit)?;
    if text.trim().is_empty() { Err(format!("{field} is empty")) } else { Ok(()) }
}
