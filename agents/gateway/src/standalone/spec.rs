//! The rules of Golden's own kinds, for parts of the configuration that have a kind's shape: its schema's bounds and
//! its CEL rules, as an apiserver would check them. Nothing is written down twice.

use super::fault::Faults;
use golden_output::Schema;
use kube::CustomResourceExt;
use kube::core::cel::Validator;
use serde_json::Value;

/// A kind's spec, ready to check.
pub(super) struct Spec {
    schema: Value,
    bounds: Schema,
}

impl Spec {
    /// Of a kind.
    pub(super) fn of<K: CustomResourceExt>() -> anyhow::Result<Self> {
        let definition = serde_json::to_value(K::crd())?;
        let schema = definition
            .pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec")
            .ok_or_else(|| anyhow::anyhow!("the definition of {} has no spec", K::crd_name()))?;
        Ok(Self { schema: schema.clone(), bounds: Schema::new(schema)? })
    }

    /// Checks a value; `named` makes the field's name in the file from its path in the spec, such as
    /// `models[0].contextWindow`.
    pub(super) fn check(&self, value: &Value, named: impl Fn(&str) -> String, faults: &mut Faults) {
        if let Err(violations) = self.bounds.check(value) {
            for line in violations.lines() {
                let (pointer, why) = line.split_once(": ").unwrap_or(("", line));
                faults.add(named(&dotted(pointer)), why);
            }
            // Rules may rest on what the bounds say.
            return;
        }
        if let Err(errors) = Validator::new().validate(&self.schema, value, None) {
            for error in errors.as_slice() {
                let path = error.field_path.trim_start_matches('.');
                let name = path.rsplit('.').next().unwrap_or_default();
                // A rule's message begins with its field; the line does already.
                let why = error.message.strip_prefix(name).map_or(error.message.as_str(), str::trim_start);
                faults.add(named(path), why);
            }
        }
    }
}

/// `/models/0/name` as `models[0].name`.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').filter(|part| !part.is_empty()) {
        if part.bytes().all(|b| b.is_ascii_digit()) {
            path.push_str(&format!("[{part}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(part);
        }
    }
    path
}
