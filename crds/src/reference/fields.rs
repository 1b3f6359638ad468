//! The fields and rules of a schema, flattened for a table.

use super::words;
use crate::schema::{DNS_LABEL, DNS_SUBDOMAIN, LINE, NOT_BLANK};
use serde_json::Value;

/// One row: where, what, and everything the schema asks of it.
pub(super) struct Field {
    pub(super) path: String,
    pub(super) kind: String,
    pub(super) meaning: String,
}

/// One CEL rule: where it stands, what it says when broken, and its expression.
pub(super) struct Rule {
    pub(super) path: String,
    pub(super) message: String,
    pub(super) expression: String,
}

/// Every field below this schema, in the schema's order. Conditions are Kubernetes' own and documented apart.
pub(super) fn of(schema: &Value) -> Vec<Field> {
    let mut out = Vec::new();
    collect("", schema, &mut out);
    out
}

fn collect(prefix: &str, schema: &Value, out: &mut Vec<Field>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let required = schema["required"].as_array().is_some_and(|all| all.iter().any(|r| r == name));
        out.push(Field { path: path.clone(), kind: kind(property), meaning: meaning(property, required) });
        if path != "conditions" {
            below(&path, property, out);
        }
    }
}

fn below(path: &str, schema: &Value, out: &mut Vec<Field>) {
    collect(path, schema, out);
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[key].is_object() {
            below(&format!("{path}{mark}"), &schema[key], out);
        }
    }
}

fn kind(schema: &Value) -> String {
    if schema["x-kubernetes-int-or-string"] == true {
        return "integer or string".into();
    }
    match schema["type"].as_str() {
        Some("array") => format!("list of {}", kind(&schema["items"])),
        Some("object") if schema["additionalProperties"].is_object() => {
            format!("map of {}", kind(&schema["additionalProperties"]))
        }
        Some(one) => one.to_owned(),
        None => "any".into(),
    }
}

fn meaning(schema: &Value, required: bool) -> String {
    let mut parts = Vec::new();
    if required {
        parts.push("*Required.*".to_owned());
    }
    let doc = text(&schema["description"]);
    if !doc.is_empty() {
        parts.push(if doc.ends_with(['.', ')', ':']) { doc } else { format!("{doc}.") });
    }
    if !schema["default"].is_null() {
        parts.push(format!("Default `{}`.", plain(&schema["default"])));
    }
    parts.extend(bounds(schema));
    if schema["items"].is_object() {
        let each = bounds(&schema["items"]);
        if !each.is_empty() {
            parts.push(format!("Each: {}", each.join(" ")));
        }
    }
    parts.join(" ")
}

/// What the schema itself enforces, as sentences.
fn bounds(schema: &Value) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(options) = schema["enum"].as_array() {
        let options: Vec<_> = options.iter().map(|o| format!("`{}`", plain(o))).collect();
        out.push(format!("One of {}.", options.join(", ")));
    }
    for (low, high, unit) in [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
        ("minProperties", "maxProperties", " entries"),
    ] {
        out.extend(range(&schema[low], &schema[high], unit));
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        out.push(match pattern {
            DNS_LABEL => "A DNS label.".into(),
            DNS_SUBDOMAIN => "A DNS name.".into(),
            LINE => "One line.".into(),
            NOT_BLANK => "Not blank.".into(),
            _ => format!("Matches `{pattern}`."),
        });
    }
    if let Some(format) = schema["format"].as_str().filter(|f| !f.starts_with("int")) {
        out.push(format!("Format {format}."));
    }
    if let Some(keys) = schema["x-kubernetes-list-map-keys"].as_array() {
        let keys: Vec<_> = keys.iter().map(|key| format!("`{}`", plain(key))).collect();
        out.push(format!("Unique by {}.", keys.join(", ")));
    }
    if schema["x-kubernetes-list-type"] == "set" {
        out.push("No item twice.".into());
    }
    out
}

fn range(low: &Value, high: &Value, unit: &str) -> Option<String> {
    match (low.as_i64(), high.as_i64()) {
        (Some(low), Some(high)) => Some(format!("{low} to {high}{unit}.")),
        (Some(1), None) if !unit.is_empty() => Some("Not empty.".into()),
        (Some(low), None) => Some(format!("At least {low}{unit}.")),
        (None, Some(high)) => Some(format!("At most {high}{unit}.")),
        (None, None) => None,
    }
}

/// Every rule of the schema and of what is below it.
pub(super) fn rules(schema: &Value) -> Vec<Rule> {
    let mut out = Vec::new();
    rules_below("", schema, &mut out);
    out
}

fn rules_below(path: &str, schema: &Value, out: &mut Vec<Rule>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        out.push(Rule {
            path: format!("{path}{}", text(&rule["fieldPath"])).trim_start_matches('.').to_owned(),
            message: text(&rule["message"]),
            expression: text(&rule["rule"]),
        });
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        rules_below(&path, property, out);
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[key].is_object() {
            rules_below(&format!("{path}{mark}"), &schema[key], out);
        }
    }
}

/// A text of the schema, on one line; empty if it is none.
pub(super) fn text(value: &Value) -> String {
    words(value.as_str().unwrap_or_default())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Text that stays in its cell: a bar would begin the next one, also inside code.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
