//! Every rule of the generated definitions, found by walking them: the list cannot be forgotten to be kept.

use super::cases::{Case, CaseFile};
use super::{kind, schema, without_indices};
use serde_json::Value;

/// One rule of one kind.
#[derive(Clone, Debug)]
pub struct FoundRule {
    pub kind: String,
    /// Where it stands, for example `spec.guards[]`.
    pub at: String,
    /// Where its error points, for example `spec.guards[].command`.
    pub field: String,
    pub rule: String,
    pub message: String,
    pub reason: String,
}

impl FoundRule {
    /// Whether it compares with what was there before.
    pub fn is_transition(&self) -> bool {
        self.rule.contains("oldSelf")
    }

    /// Whether the case is about this rule.
    pub fn is_of(&self, file: &CaseFile, case: &Case) -> bool {
        self.kind == file.kind
            && self.field == without_indices(&case.field)
            && self.message.starts_with(&case.rule)
    }

    /// Whether the object has the part the rule looks at: else the rule is not run and the case proves nothing.
    pub fn looks_at(&self, object: &Value) -> bool {
        let mut parts = vec![object];
        for step in self.at.split('.').filter(|s| !s.is_empty()) {
            let name = step.trim_end_matches("[]");
            parts = parts.into_iter().filter_map(|p| p.get(name)).collect();
            if step.ends_with("[]") {
                parts = parts.into_iter().filter_map(Value::as_array).flatten().collect();
            }
        }
        !parts.is_empty()
    }
}

/// Every rule of a definition.
pub fn rules(crd: &Value) -> Vec<FoundRule> {
    let mut found = Vec::new();
    walk(kind(crd), "", schema(crd), &mut found);
    found
}

fn walk(kind: &str, at: &str, schema: &Value, found: &mut Vec<FoundRule>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let text = |key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        found.push(FoundRule {
            kind: kind.into(),
            at: at.into(),
            field: format!("{at}{}", text("fieldPath")).trim_start_matches('.').to_owned(),
            rule: text("rule"),
            message: text("message"),
            reason: text("reason"),
        });
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        walk(kind, &at, property, found);
    }
    for (key, step) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[key].is_object() {
            walk(kind, &format!("{at}{step}"), &schema[key], found);
        }
    }
}
